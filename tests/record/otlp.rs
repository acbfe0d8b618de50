//! OTLP from the real program: spans arrive at a collector, and one that is absent or hangs neither
//! stops calls nor keeps the program from ending.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{interval, timeout};

use crate::caller::Caller;

/// The program in dev mode; ends with the test.
struct Program {
    child: Child,
    url: String,
}

impl Program {
    fn start(data: &Path, endpoint: &str) -> Self {
        // `main` does it for the program; this process has clients of its own.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .args(["serve", "--dev", "--port", "0"])
            .current_dir(data)
            .env("XDG_DATA_HOME", data)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut lines = BufReader::new(child.stderr.take().expect("its stderr")).lines();
        let url = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
            .expect("an address");
        // So that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, url }
    }

    /// A call with a token of its own making.
    async fn call(&self) -> u16 {
        let minted = reqwest::get(format!("{}/mint-demo-jwt", self.url)).await;
        let minted: Value = minted.expect("an answer").json().await.expect("JSON");
        let caller = Caller::new(&self.url, minted["token"].as_str().expect("a token"));
        let listed = caller.modern("tools/list", json!({})).await;
        let initialized = caller.legacy("ping", json!({})).await;
        assert_eq!((listed.status, initialized.status), (200, 200));
        caller
            .rest("get_customer", json!({"customer_id": "c-42"}))
            .await
            .status
    }

    /// Asks it to stop and waits; its exit code.
    async fn stops_within(&mut self, patience: Duration) -> Option<i32> {
        let pid = self.child.id().to_string();
        let asked = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.expect("kill(1)").success());
        let ended = async {
            let mut tick = interval(Duration::from_millis(10));
            loop {
                tick.tick().await;
                if let Some(status) = self.child.try_wait().expect("a child") {
                    return status.code();
                }
            }
        };
        timeout(patience, ended).await.expect("it ends in time")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The contents of every field with this number and a length (protobuf wire type 2).
fn fields(mut message: &[u8], number: u64) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        let length = match key & 7 {
            0 => {
                varint(&mut message);
                continue;
            }
            1 => 8,
            5 => 4,
            _ => usize::try_from(varint(&mut message)).expect("a length"),
        };
        let (content, rest) = message.split_at(length);
        if key == number << 3 | 2 {
            found.push(content);
        }
        message = rest;
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first().expect("a varint");
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

/// The names of all spans in an `ExportTraceServiceRequest` (opentelemetry-proto 1).
fn span_names(request: &[u8]) -> Vec<String> {
    let [resource_spans, scope_spans, spans, name] = [1, 2, 2, 5];
    let mut names = Vec::new();
    for resource in fields(request, resource_spans) {
        for scope in fields(resource, scope_spans) {
            for span in fields(scope, spans) {
                let name = fields(span, name)[0].to_vec();
                names.push(String::from_utf8(name).expect("UTF-8"));
            }
        }
    }
    names
}

#[cfg(unix)]
#[tokio::test]
async fn spans_are_sent_to_the_collector_that_the_environment_names() {
    let (sender, mut received) = unbounded_channel();
    let collector = Router::new().route(
        "/v1/traces",
        post(async move |headers: HeaderMap, body: Bytes| {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            // The test may have seen enough.
            let _ = sender.send(span_names(&body));
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, collector).await });

    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &endpoint);
    assert_eq!(program.call().await, 200);
    assert_eq!(program.stops_within(Duration::from_secs(5)).await, Some(0));
    let mut names = Vec::new();
    while let Ok(more) = received.try_recv() {
        names.extend(more);
    }
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "SELECT customers",
            "execute_tool get_customer",
            "ping",
            "tools/call get_customer",
            "tools/list",
        ]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn without_a_collector_calls_are_served_and_the_program_stops_in_time() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &endpoint);
    assert_eq!(program.call().await, 200);
    assert_eq!(program.stops_within(Duration::from_secs(5)).await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn with_a_collector_that_hangs_calls_are_served_and_the_program_stops_in_time() {
    // Connections are made by the system and never looked at.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", hanging.local_addr().unwrap());
    let data = tempfile::tempdir().unwrap();
    let mut program = Program::start(data.path(), &endpoint);
    assert_eq!(program.call().await, 200);
    assert_eq!(program.stops_within(Duration::from_secs(5)).await, Some(0));
}
