//! The promise of list changes on stdio: a client that asked is told under the id of its request, one
//! that said `initialize` is told without asking, and whoever cancels hears nothing more.

#[path = "support/keys.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod keys;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tollgate::auth::LocalIdentity;
use tollgate::pipeline::Pipeline;
use tollgate::server::Server;
use tollgate::transport::stdio::StdioSurface;
use tollgate::{CallContext, Clock, Resource, Tool, ToolError};

use keys::Keys;
use listener::{ask, changed, goodbye};

const PERIOD: Duration = Duration::from_secs(15);

#[derive(Deserialize, JsonSchema)]
struct Args {
    #[expect(dead_code, reason = "nobody calls")]
    id: String,
}

async fn nothing(_: CallContext, _: Args) -> Result<String, ToolError> {
    Ok(String::new())
}

/// A client of a server in this process, which speaks for the holder of a key.
struct Client {
    keys: Keys,
    clock: Clock,
    pipeline: Arc<Pipeline>,
    surface: Arc<StdioSurface<PipeWriter>>,
    runtime: Runtime,
    input: PipeWriter,
    output: BufReader<PipeReader>,
}

impl Client {
    fn start() -> Self {
        let (keys, clock) = (Keys::new(), Clock::turned());
        keys.grant("ada", &[]);
        let server = Server::builder()
            .clock(clock.clone())
            .api_key_file(keys.file())
            .local(LocalIdentity::Token(Keys::key("ada").into()))
            .tool(Tool::new("one", "Does one.").scope("one").handler(nothing))
            .resource(
                Resource::new("two://{id}", "two")
                    .scope("two")
                    .handler(nothing),
            );
        let server = server.build().expect("a server");
        let pipeline = Arc::clone(server.pipeline());
        let runtime = Runtime::new().expect("a runtime");
        let (input_end, input) = pipe().expect("a pipe");
        let (output, output_end) = pipe().expect("a pipe");
        let (surface, _) = server.stdio(output_end);
        let surface = Arc::new(surface);
        let (reader, handle) = (Arc::clone(&surface), runtime.handle().clone());
        thread::spawn(move || reader.serve(BufReader::new(input_end), &handle));
        Self {
            output: BufReader::new(output),
            keys,
            clock,
            pipeline,
            surface,
            runtime,
            input,
        }
    }

    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").expect("it reads");
    }

    /// The next line. A test that waits in vain is ended by its harness.
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.line()
    }

    fn initialize(&mut self, id: u32) -> Value {
        let params = json!({"protocolVersion": "2025-11-25"});
        self.ask(&json!({"jsonrpc": "2.0", "id": id, "method": "initialize", "params": params}))
    }

    fn grant(&self, scopes: &[&str]) {
        self.keys.grant("ada", scopes);
        self.pipeline.changes.announce();
    }

    /// Waits until the seats are free.
    fn has_no_listeners(&self) {
        let listeners = &self.pipeline.listeners;
        let free = async {
            while listeners.count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        let in_time = async { timeout(Duration::from_secs(20), free).await };
        self.runtime.block_on(in_time).expect("the seats are free");
    }

    /// Nothing was said since the last line that was read.
    fn said_nothing(&mut self) {
        self.send(&json!({"jsonrpc": "2.0", "id": "probe", "method": "ping"}));
        assert_eq!(self.line()["id"], "probe");
    }
}

fn everything() -> Value {
    json!({"toolsListChanged": true, "resourcesListChanged": true})
}

fn cancel(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
}

#[test]
fn each_subscription_is_told_under_its_id_until_it_is_cancelled() {
    let mut client = Client::start();
    let (first, second) = (json!("a"), json!(2));
    let said = client.ask(&ask(&first, &json!({"toolsListChanged": true})));
    assert_eq!(said["method"], "notifications/subscriptions/acknowledged");
    let said = client.ask(&ask(&second, &everything()));
    assert_eq!(said["params"]["notifications"], everything());
    // As long as it is open its id is taken.
    assert_eq!(
        client.ask(&ask(&first, &everything()))["error"]["code"],
        -32600
    );

    client.grant(&["one"]);
    let mut told = [client.line(), client.line()];
    told.sort_by_key(Value::to_string);
    let mut expected = [changed("tools", &first), changed("tools", &second)];
    expected.sort_by_key(Value::to_string);
    assert_eq!(told, expected);

    client.send(&cancel(&first));
    client.said_nothing();
    client.grant(&["two"]);
    assert_eq!(client.line(), changed("tools", &second));
    assert_eq!(client.line(), changed("resources", &second));
    client.send(&cancel(&second));
    client.said_nothing();
    client.has_no_listeners();
    // And may be used again.
    client.ask(&ask(&first, &everything()));
    client
        .runtime
        .block_on(client.surface.settle(Duration::from_secs(10)));
    assert_eq!(client.line(), goodbye(&first));
}

#[test]
fn a_client_that_said_initialize_is_told_once_however_often_it_said_so() {
    let mut client = Client::start();
    // Before, nobody is.
    client.grant(&["one", "two"]);
    client.said_nothing();
    for id in [1, 2] {
        let told = client.initialize(id);
        let capabilities = &told["result"]["capabilities"];
        assert_eq!(capabilities["tools"], json!({"listChanged": true}));
        assert_eq!(
            capabilities["resources"],
            json!({"listChanged": true, "subscribe": true})
        );
    }
    client.said_nothing();
    let line =
        |list| json!({"jsonrpc": "2.0", "method": format!("notifications/{list}/list_changed")});
    client.grant(&[]);
    assert_eq!(client.line(), line("tools"));
    assert_eq!(client.line(), line("resources"));
    client.grant(&["one"]);
    assert_eq!(client.line(), line("tools"));
    client.clock.advance(PERIOD);
    client.said_nothing();
    client
        .runtime
        .block_on(client.surface.settle(Duration::from_secs(10)));
}
