//! The promise that a call ends when its caller says so: over HTTP by leaving (2026-07-28) or by a
//! message of its own (before), and only when its own caller says so.
//!
//! The tools here tell the test when they start and when they are torn off, so that nothing is timed.

#[path = "support/frames.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod frames;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod tls;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use frames::*;
use serde_json::{Value, json};
use spans::{Spans, attribute, watched};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};
use wire::{Nothing, Reply, Wire, meta};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Started,
    TornOff,
    Finished,
}

/// What the tool `wait` tells and waits for.
struct Tether {
    words: UnboundedSender<Word>,
    release: watch::Receiver<bool>,
}

/// Says that it was torn off, unless it finished.
struct Guard<'t>(&'t Tether, bool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let word = if self.1 {
            Word::Finished
        } else {
            Word::TornOff
        };
        let _ = self.0.words.send(word);
    }
}

async fn wait(tether: Arc<Tether>, _: CallContext, _: Nothing) -> Result<String, ToolError> {
    let mut guard = Guard(&tether, false);
    let _ = tether.words.send(Word::Started);
    let mut release = tether.release.clone();
    let _ = release.wait_for(|released| *released).await;
    guard.1 = true;
    Ok("waited".to_owned())
}

/// A server with a tool that waits.
struct World {
    server: TestServer,
    words: UnboundedReceiver<Word>,
    release: watch::Sender<bool>,
    spans: Spans,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|server| server).await
    }

    async fn start_with(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let (tracing, spans) = watched();
        let (words_in, words) = unbounded_channel();
        let (release, released) = watch::channel(false);
        let tether = Arc::new(Tether {
            words: words_in,
            release: released,
        });
        let tool = Tool::new("wait", "Waits.").any_authenticated();
        let tool = tool
            .timeout(Duration::from_secs(600))
            .handler_with(tether, wait);
        let server = TestServer::start(|server| set_up(server.tracing(tracing).tool(tool))).await;
        Self {
            server,
            words,
            release,
            spans,
        }
    }

    fn caller(&self, tenant: &str, subject: &str) -> Wire {
        Wire::with_token(
            &self.server,
            Some(self.server.token_for(tenant, subject, &[])),
        )
    }

    async fn next(&mut self) -> Word {
        let next = timeout(PATIENCE, self.words.recv()).await;
        next.expect("a word in time").expect("a running server")
    }

    /// A legacy call of `wait` under `id`, which runs when this returns.
    async fn start_call(&mut self, wire: &Wire, id: &str) -> JoinHandle<Reply> {
        let call = wire.legacy("tools/call", call()).id(id);
        let answer = tokio::spawn(call.send());
        assert_eq!(self.next().await, Word::Started);
        answer
    }

    /// How the next call was recorded; messages are passed over.
    async fn outcome(&mut self) -> String {
        loop {
            let span = self.spans.next_request().await;
            if span.name == "tools/call wait" {
                return attribute(&span, "tollgate.outcome");
            }
        }
    }
}

fn call() -> Value {
    json!({"name": "wait", "arguments": {}})
}

/// A `notifications/cancelled` with these parameters, accepted as every notification is.
async fn cancel(wire: &Wire, params: Value) {
    let message = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
    let post = wire.body(message.to_string());
    let reply = post
        .header("mcp-protocol-version", wire::LEGACY)
        .send()
        .await;
    assert_eq!((reply.status, reply.text.as_str()), (202, ""), "{params}");
}

#[tokio::test]
async fn a_legacy_call_is_cancelled_by_a_message_of_its_caller_and_has_no_answer() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    for (id, text) in [(json!(7), "7"), (json!("seven"), "\"seven\"")] {
        let answer = world.start_call(&ada, text).await;
        cancel(&ada, json!({"requestId": id, "reason": "enough"})).await;
        assert_eq!(world.next().await, Word::TornOff);
        let reply = answer.await.expect("an answer");
        assert_eq!((reply.status, reply.text.as_str()), (200, ""));
        assert_eq!(reply.header("content-type"), Some("text/event-stream"));
        assert_eq!(world.outcome().await, "cancelled");
    }
    // A client that reads no events is not sent any.
    let only_json = ada.legacy("tools/call", call());
    let answer = tokio::spawn(only_json.with("accept", "application/json").send());
    assert_eq!(world.next().await, Word::Started);
    cancel(&ada, json!({"requestId": 1})).await;
    let reply = answer.await.expect("an answer");
    assert_eq!((reply.status, reply.text.as_str()), (202, ""));
}

#[tokio::test]
async fn a_call_is_cancelled_by_nobody_but_its_own_caller_and_by_nothing_but_its_id() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let answer = world.start_call(&ada, "7").await;
    for (tenant, subject) in [("acme", "bob"), ("globex", "ada"), ("acm", "eada")] {
        cancel(&world.caller(tenant, subject), json!({"requestId": 7})).await;
    }
    for junk in [
        json!({"requestId": "7"}),
        json!({"requestId": 70}),
        json!({"requestId": -7}),
        json!({"requestId": 7.0}),
        json!({"requestId": null}),
        json!({"requestId": [7]}),
        json!({"requestId": {"requestId": 7}}),
        json!({"requestId": true, "reason": 7}),
        json!({"requestId": "x".repeat(100_000)}),
        json!({"id": 7}),
        json!({}),
        json!([7]),
        json!(7),
        Value::Null,
    ] {
        cancel(&ada, junk).await;
    }
    // In the other era a message cancels nothing over HTTP.
    let modern = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
                        "params": {"requestId": 7, "_meta": meta()}});
    let modern = ada
        .body(modern.to_string())
        .header("mcp-protocol-version", wire::MODERN);
    assert_eq!(modern.send().await.status, 202);

    world.release.send_replace(true);
    assert_eq!(world.next().await, Word::Finished);
    let reply = answer.await.expect("an answer");
    assert_eq!(reply.tool_text(), "waited");
    assert_eq!(world.outcome().await, "ok");
    // It has ended; so has its id.
    cancel(&ada, json!({"requestId": 7})).await;
}

#[tokio::test]
async fn where_two_calls_of_one_caller_have_the_same_id_neither_is_cancelled() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let first = world.start_call(&ada, "7").await;
    let second = world.start_call(&ada, "7").await;
    let other = world.start_call(&ada, "8").await;
    cancel(&ada, json!({"requestId": 7})).await;
    cancel(&ada, json!({"requestId": 8})).await;
    assert_eq!(world.next().await, Word::TornOff);
    assert_eq!(other.await.expect("an answer").text, "");
    world.release.send_replace(true);
    for answer in [first, second] {
        assert_eq!(answer.await.expect("an answer").tool_text(), "waited");
    }
}

#[tokio::test]
async fn a_legacy_call_whose_client_left_goes_on_and_can_still_be_cancelled() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    for (id, cancelled) in [("7", true), ("8", false)] {
        let answer = world.start_call(&ada, id).await;
        answer.abort();
        assert!(answer.await.is_err());
        if cancelled {
            cancel(&ada, json!({"requestId": 7})).await;
            assert_eq!(world.next().await, Word::TornOff);
            assert_eq!(world.outcome().await, "cancelled");
        } else {
            world.release.send_replace(true);
            assert_eq!(world.next().await, Word::Finished);
            assert_eq!(world.outcome().await, "ok");
        }
    }
}

#[tokio::test]
async fn a_modern_call_is_cancelled_when_its_connection_closes() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let answer = tokio::spawn(ada.modern("tools/call", call()).send());
    assert_eq!(world.next().await, Word::Started);
    answer.abort();
    assert_eq!(world.next().await, Word::TornOff);
    assert_eq!(world.outcome().await, "cancelled");
}

#[tokio::test]
async fn a_modern_call_is_cancelled_when_its_http2_stream_is_reset_and_its_neighbour_is_not() {
    let certificate = tls::Certificate::new();
    let tls = certificate.load();
    let mut world = World::start_with(|server| server.tls(tls)).await;
    let mut client = Frames::connect(&world.server, &certificate, &[]).await;
    let bearer = format!("Bearer {}", world.server.token_for("acme", "ada", &[]));
    let authority = world.server.url().trim_start_matches("https://").to_owned();
    for stream in [1, 3] {
        let headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/mcp"),
            (":authority", authority.as_str()),
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "wait"),
        ];
        let mut params = call();
        params["_meta"] = meta();
        let body =
            json!({"jsonrpc": "2.0", "id": stream, "method": "tools/call", "params": params});
        let mut sent = frame(HEADERS, END_HEADERS, stream, &block(&headers));
        sent.extend(frame(DATA, END_STREAM, stream, body.to_string().as_bytes()));
        client.send_all(&sent).await;
        assert_eq!(world.next().await, Word::Started);
    }
    client.send(RST_STREAM, 0, 1, &8_u32.to_be_bytes()).await;
    assert_eq!(world.next().await, Word::TornOff);
    assert_eq!(world.outcome().await, "cancelled");
    world.release.send_replace(true);
    assert_eq!(world.next().await, Word::Finished);
    let head = client.next_of(HEADERS).await.expect("an answer");
    assert_eq!((head.stream, head.status()), (3, 200));
}
