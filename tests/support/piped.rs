//! A client on stdio of a server in this process: what is sent and what comes, line by line, on a clock
//! that the test turns.

use std::io::{BufRead, BufReader, PipeWriter, Write, pipe};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tollgate::Clock;
use tollgate::pipeline::Pipeline;
use tollgate::server::{Server, ServerBuilder};
use tollgate::transport::stdio::StdioSurface;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// One client.
pub(crate) struct Piped {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) runtime: Runtime,
    surface: Arc<StdioSurface<PipeWriter>>,
    input: PipeWriter,
    lines: Receiver<String>,
}

impl Piped {
    /// Serves what `set_up` describes.
    pub(crate) fn start(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let server = set_up(Server::builder().clock(Clock::turned()));
        let server = server.build().expect("a server");
        let pipeline = Arc::clone(server.pipeline());
        let runtime = Runtime::new().expect("a runtime");
        let (input_end, input) = pipe().expect("a pipe");
        let (output, output_end) = pipe().expect("a pipe");
        let (surface, _) = server.stdio(output_end);
        let surface = Arc::new(surface);
        let (reader, handle) = (Arc::clone(&surface), runtime.handle().clone());
        thread::spawn(move || reader.serve(BufReader::new(input_end), &handle));
        let (said, lines) = channel();
        thread::spawn(move || {
            // Until the server or the test is gone.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            pipeline,
            runtime,
            surface,
            input,
            lines,
        }
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub(crate) fn send_text(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it reads");
    }

    /// The next line.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).expect("a line in time");
        serde_json::from_str(&line).expect("JSON")
    }

    /// Sends it and reads the next line.
    #[track_caller]
    pub(crate) fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.line()
    }

    /// Says `initialize` with these capabilities.
    pub(crate) fn greet(&mut self, capabilities: &Value) -> Value {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": capabilities});
        self.ask(
            &json!({"jsonrpc": "2.0", "id": "hello", "method": "initialize", "params": params}),
        )
    }

    /// Nothing was said since the last line that was read.
    #[track_caller]
    pub(crate) fn said_nothing(&mut self) {
        let said = self.ask(&json!({"jsonrpc": "2.0", "id": "probe", "method": "ping"}));
        assert_eq!(said["id"], "probe", "{said}");
    }

    /// The server stops.
    pub(crate) fn settle(&self, grace: Duration) {
        self.runtime.block_on(self.surface.settle(grace));
    }
}
