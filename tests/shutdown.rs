//! The promise of SIGTERM: not ready at once, no new calls, running ones finish within the grace, exit
//! code 0; a second signal ends it all at once.
//!
//! The running call is one that this test holds: it waits for a database that the test has locked. That
//! it runs is known from the metrics.
#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod slow;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use binary::Server;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with a call that runs until `lock` is dropped.
struct Busy {
    server: Server,
    running: RunningCall,
    lock: Connection,
    token: String,
    _folder: TempDir,
}

impl Busy {
    async fn start(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        slow::write(
            folder.path(),
            &format!("{settings}, adminListen: '127.0.0.1:0'"),
        );
        let server = Server::start(folder.path(), &["--dev"]);
        let lock = slow::lock(folder.path());
        let token = server.mint("").await;
        let running = RunningCall::start(&server, &token);
        holds_its_place(&server).await;
        Self {
            running,
            server,
            lock,
            token,
            _folder: folder,
        }
    }

    /// Sends SIGTERM and waits until the process has taken note.
    fn terminate(&self) {
        self.server.process.terminate();
        self.server
            .process
            .stderr
            .line("stopping: running calls may finish");
    }

    /// Waits until `/readyz` says that the server drains.
    async fn drains(&self) {
        for _ in 0..10_000 {
            let ready = self.server.get("/readyz").await;
            if ready.status == 503 {
                assert_eq!(ready.body, json!({"status": "draining"}));
                return;
            }
            assert_eq!(
                (ready.status, ready.body),
                (200, json!({"status": "ready"}))
            );
        }
        panic!("still ready");
    }
}

/// Waits until the metrics tell that the call runs: a signal that comes while the server still
/// reads the body finds nothing to wait for.
async fn holds_its_place(server: &Server) {
    let line = server.process.stderr.line("metrics at ");
    let (_, url) = line.split_once("metrics at ").expect("it was found");
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    for _ in 0..10_000 {
        let answer = client.get(url.trim()).send().await.expect("an answer");
        let numbers = answer.text().await.expect("a text");
        let runs =
            |line: &str| line.starts_with("tollgate_calls_in_flight") && line.ends_with(" 1");
        if numbers.lines().any(runs) {
            return;
        }
    }
    panic!("the call does not run");
}

/// A call of `wait` on a connection of its own.
struct RunningCall(BufReader<TcpStream>);

impl RunningCall {
    fn start(server: &Server, token: &str) -> Self {
        let mut stream = server.connect();
        let host = server.url.trim_start_matches("http://");
        let head = format!(
            "POST /mcp/tool/wait HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut call = Self(BufReader::new(stream));
        assert_eq!(call.line(), "HTTP/1.1 100 Continue");
        assert_eq!(call.line(), "");
        call.0.get_mut().write_all(b"{}").expect("it reads");
        call
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// The status line and the body of the answer.
    fn answer(mut self) -> (String, Value) {
        let status = self.line();
        let mut length = 0;
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(": ").expect("a header");
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    /// Whatever comes until the connection is closed.
    fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        // A reset is an end as well.
        let _ = self.0.read_to_end(&mut rest);
        rest
    }
}

#[tokio::test]
async fn a_draining_server_finishes_the_running_call_and_takes_no_other() {
    let mut busy = Busy::start("shutdownGrace: 10m").await;
    let ready = busy.server.get("/readyz").await;
    assert_eq!(
        (ready.status, ready.body),
        (200, json!({"status": "ready"}))
    );

    busy.terminate();
    busy.drains().await;
    assert_eq!(busy.server.get("/healthz").await.status, 200, "it lives");

    let token = Some(busy.token.as_str());
    let rest = busy.server.post("/mcp/tool/hello", token, &json!({})).await;
    assert_eq!(rest.status, 503);
    assert_eq!(rest.header("retry-after"), "1");
    assert_eq!(rest.header("connection"), "close");
    assert_eq!(rest.header("content-type"), "application/problem+json");
    assert_eq!(
        rest.body["detail"],
        "The server is shutting down; retry elsewhere"
    );
    assert_eq!(rest.header("tollgate-call-id"), rest.body["callId"]);

    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let mcp = busy.server.post("/mcp", token, &message).await;
    assert_eq!(
        (mcp.status, &mcp.body["error"]["code"]),
        (503, &json!(50303))
    );
    assert_eq!(mcp.header("retry-after"), "1");
    assert_eq!(
        mcp.header("tollgate-call-id"),
        mcp.body["error"]["data"]["callId"]
    );

    drop(busy.lock);
    let (status, body) = busy.running.answer();
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(body, json!({"ok": true, "result": {"notes": 0}}));
    assert_eq!(busy.server.process.exit_code(), Some(0));
}

#[tokio::test]
async fn during_the_delay_calls_are_served_while_readyz_sends_callers_elsewhere() {
    let mut busy = Busy::start("shutdownDelay: 10m, shutdownGrace: 10m").await;
    let before = busy.server.get("/healthz").await;
    assert_eq!(before.header("connection"), "(absent)");
    busy.terminate();
    busy.drains().await;

    let token = Some(busy.token.as_str());
    for _ in 0..10 {
        let hello = busy.server.post("/mcp/tool/hello", token, &json!({})).await;
        assert_eq!(hello.status, 200);
        assert_eq!(hello.header("connection"), "close");
    }
    drop(busy.lock);
    let (status, _) = busy.running.answer();
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(busy.server.get("/healthz").await.status, 200, "it lives");
    busy.server.process.terminate();
    assert_eq!(busy.server.process.exit_code(), Some(1));
}

#[tokio::test]
async fn after_the_delay_the_server_drains_and_ends_cleanly() {
    let mut busy = Busy::start("shutdownDelay: 50ms, shutdownGrace: 10m").await;
    busy.terminate();
    let token = Some(busy.token.as_str());
    for tries in 0.. {
        let hello = busy.server.post("/mcp/tool/hello", token, &json!({})).await;
        if hello.status == 503 {
            break;
        }
        assert!(hello.status == 200 && tries < 10_000, "{hello:?}");
    }
    drop(busy.lock);
    assert_eq!(busy.running.answer().0, "HTTP/1.1 200 OK");
    assert_eq!(busy.server.process.exit_code(), Some(0));
}

#[tokio::test]
async fn an_idle_server_ends_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    slow::write(folder.path(), "shutdownGrace: 10m");
    let mut server = Server::start(folder.path(), &["--dev"]);
    // A kept-alive connection without a request does not hold it.
    assert_eq!(server.get("/healthz").await.status, 200);
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
}

#[tokio::test]
async fn a_call_that_outlasts_the_grace_is_cut_off_and_the_exit_is_clean() {
    let mut busy = Busy::start("shutdownGrace: 10ms").await;
    busy.terminate();
    assert_eq!(busy.server.process.exit_code(), Some(0));
    assert_eq!(
        busy.running.rest(),
        b"",
        "no answer is better than a wrong one"
    );
    let said = busy.server.process.stderr.all();
    let holds = |part: &str| said.iter().any(|line| line.contains(part));
    assert!(
        holds("calls did not finish within the grace and are cut off running=1"),
        "{said:#?}"
    );
    drop(busy.lock);
}

#[tokio::test]
async fn a_call_that_was_cut_off_is_on_record_as_cancelled() {
    let mut busy = Busy::start("shutdownGrace: 10ms").await;
    busy.terminate();
    assert_eq!(busy.server.process.exit_code(), Some(0));
    let said = busy.server.process.stderr.all();
    let record = said.iter().find(|line| line.contains("tools/call wait"));
    assert!(
        record.is_some_and(|line| line.contains(" cancelled ")),
        "{said:#?}"
    );
    drop(busy.lock);
}

#[tokio::test]
async fn a_second_signal_ends_the_process_at_once() {
    let mut busy = Busy::start("shutdownGrace: 10m").await;
    busy.terminate();
    busy.drains().await;
    busy.server.process.terminate();
    assert_eq!(busy.server.process.exit_code(), Some(1));
    assert_eq!(busy.running.rest(), b"");
    drop(busy.lock);
}
