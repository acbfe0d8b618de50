//! A client of `tollgate serve --mode stdio`: writes lines, waits for answers.

use std::io::Write;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Process, tollgate};
use crate::slow;

/// One client's process.
pub(crate) struct Session {
    pub(crate) process: Process,
    /// Where its configuration is; lives as long as the process.
    pub(crate) folder: TempDir,
}

impl Session {
    /// The demo.
    pub(crate) fn demo() -> Self {
        Self::start(tempfile::tempdir().expect("a folder"), &["--dev"])
    }

    /// The tools of `support/slow.rs`.
    pub(crate) fn slow(server: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        slow::write(folder.path(), server);
        Self::start(folder, &[])
    }

    /// The same, with the database of `wait` locked.
    pub(crate) fn held(server: &str) -> (Self, Connection) {
        let mut session = Self::slow(server);
        // The databases are open once it answers.
        session.ask(&legacy("ready", "ping", json!({})));
        let lock = slow::lock(session.folder.path());
        (session, lock)
    }

    pub(crate) fn start(folder: TempDir, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--mode", "stdio"], arguments].concat();
        let process = Process::start(tollgate(folder.path(), &arguments));
        Self { process, folder }
    }

    pub(crate) fn send_bytes(&mut self, line: &[u8]) {
        let input = self.process.input.as_mut().expect("still open");
        let line = [line, b"\n"].concat();
        input
            .write_all(&line)
            .and_then(|()| input.flush())
            .expect("the process reads");
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_bytes(message.to_string().as_bytes());
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, message: &Value) -> Value {
        self.send(message);
        self.answer(&message["id"])
    }

    pub(crate) fn answer(&self, id: &Value) -> Value {
        self.process.stdout.wait_for(|lines| {
            lines
                .iter()
                .map(|line| parsed(line))
                .find(|answer| answer["id"] == *id)
        })
    }

    /// The client leaves; gives everything the process has written, all of it messages.
    pub(crate) fn close(mut self) -> Vec<Value> {
        self.process.input.take();
        assert_eq!(self.process.exit_code(), Some(0));
        self.process
            .stdout
            .all()
            .iter()
            .map(|line| parsed(line))
            .collect()
    }
}

#[track_caller]
fn parsed(line: &str) -> Value {
    let message: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    assert_eq!(message["jsonrpc"], "2.0", "not a message: {line}");
    message
}

pub(crate) fn legacy(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.into(), "method": method, "params": params})
}

pub(crate) fn modern(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    legacy(id, method, params)
}

pub(crate) fn call(id: impl Into<Value>, name: &str, arguments: Value) -> Value {
    legacy(
        id,
        "tools/call",
        json!({"name": name, "arguments": arguments}),
    )
}

pub(crate) fn names(list: &Value) -> Vec<&str> {
    let tools = list["result"]["tools"].as_array().expect("a list");
    tools
        .iter()
        .map(|tool| tool["name"].as_str().expect("a name"))
        .collect()
}
