//! The promise that answers nobody reads do not fill the memory: they are counted, the connections
//! that wait longest are cut, and whoever reads is served.

#[path = "support/frames.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod frames;
#[path = "support/raw.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod raw;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod tls;

use std::time::Duration;

use frames::*;
use raw::{Raw, authority, request};
use schemars::JsonSchema;
use scrape::Scrape;
use serde::Deserialize;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::transport::http::Limits;
use tollgate::{CallContext, Tool, ToolError};

const NEVER: Duration = Duration::from_secs(3_600);
/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
const MIB: usize = 1 << 20;
/// SETTINGS_INITIAL_WINDOW_SIZE of 0 (RFC 9113 §6.5.2): no answer's body may be sent.
const SHUT: [u8; 6] = [0, 4, 0, 0, 0, 0];
const CUT: &str = "tollgate_connections_cut_total";
const UNSENT: &str = "tollgate_answers_unsent_bytes";

#[derive(Deserialize, JsonSchema)]
struct Size {
    bytes: usize,
}

/// Nothing ends a connection here but what this file is about.
fn talkative(server: ServerBuilder, max_unsent_bytes: usize) -> ServerBuilder {
    let limits = Limits {
        max_unsent_bytes,
        head: NEVER,
        reply: NEVER,
        idle: NEVER,
        ..Limits::default()
    };
    let talk = async |_: CallContext, size: Size| Ok::<_, ToolError>("x".repeat(size.bytes));
    let talk = Tool::new("talk", "Says much.")
        .any_authenticated()
        .handler(talk);
    let admin = ([127, 0, 0, 1], 0).into();
    server.limits(limits).admin_listen(admin).tool(talk)
}

struct Http2 {
    server: TestServer,
    certificate: tls::Certificate,
}

impl Http2 {
    async fn start(max_unsent_bytes: usize) -> Self {
        let certificate = tls::Certificate::new();
        let tls = certificate.load();
        let server = TestServer::start(|server| talkative(server, max_unsent_bytes).tls(tls)).await;
        Self {
            server,
            certificate,
        }
    }

    async fn connect(&self, settings: &[u8]) -> Frames {
        Frames::connect(&self.server, &self.certificate, settings).await
    }

    /// Asks for so many bytes and reads the answer's head.
    async fn ask(&self, frames: &mut Frames, stream: u32, bytes: usize) -> Option<u16> {
        let bearer = format!("Bearer {}", self.server.token_for("acme", "ada", &[]));
        let headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/mcp/tool/talk"),
            (
                ":authority",
                self.server.url().trim_start_matches("https://"),
            ),
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = format!(r#"{{"bytes":{bytes}}}"#);
        let mut sent = frame(HEADERS, END_HEADERS, stream, &block(&headers));
        sent.extend(frame(DATA, END_STREAM, stream, body.as_bytes()));
        frames.send_all(&sent).await;
        Some(frames.next_of(HEADERS).await?.status())
    }

    /// A caller that takes what it asks for gets it.
    async fn serves_readers(&self) {
        let mut reader = self.connect(&[]).await;
        assert_eq!(self.ask(&mut reader, 1, 10_000).await, Some(200));
        let body = reader.next_of(DATA).await.expect("a body");
        assert!(body.payload.len() > 10_000);
    }
}

async fn scrape(server: &TestServer) -> Scrape {
    Scrape::of(server.admin_url().expect("an admin listener")).await
}

/// Waits for a number.
async fn until(server: &TestServer, name: &str, holds: impl Fn(f64) -> bool) {
    let waiting = async { while !holds(scrape(server).await.value(name, &[])) {} };
    timeout(PATIENCE, waiting).await.expect("it comes true");
}

#[tokio::test]
async fn a_connection_that_collects_answers_is_cut_at_once() {
    let http2 = Http2::start(8 * MIB).await;
    let mut hoarder = http2.connect(&SHUT).await;
    assert_eq!(http2.ask(&mut hoarder, 1, MIB / 2).await, Some(200));
    until(&http2.server, UNSENT, |unsent| unsent > 500_000.0).await;
    // An eighth of 8 MiB is one.
    http2.ask(&mut hoarder, 3, MIB).await;
    hoarder.closed().await;
    until(&http2.server, UNSENT, |unsent| unsent == 0.0).await;
    assert_eq!(scrape(&http2.server).await.value(CUT, &[]), 1.0);
    http2.serves_readers().await;
}

#[tokio::test]
async fn small_answers_that_nobody_reads_count_with_what_a_stream_costs() {
    let http2 = Http2::start(8 * 50 * 2_048).await;
    let mut hoarder = http2.connect(&SHUT).await;
    for number in 0..100 {
        if http2.ask(&mut hoarder, 2 * number + 1, 1).await.is_none() {
            assert!(number >= 40, "only {number}");
            http2.serves_readers().await;
            return;
        }
    }
    panic!("100 answers wait");
}

#[tokio::test]
async fn when_too_much_is_unsent_who_waits_longest_is_cut_and_readers_are_served() {
    let http2 = Http2::start(10 * MIB).await;
    let mut hoarders = Vec::new();
    for _ in 0..20 {
        let mut hoarder = http2.connect(&SHUT).await;
        assert_eq!(http2.ask(&mut hoarder, 1, MIB).await, Some(200));
        hoarders.push(hoarder);
        // Until the cut is done, calls are refused.
        until(&http2.server, UNSENT, |unsent| unsent <= 10.0 * MIB as f64).await;
        http2.serves_readers().await;
    }
    until(&http2.server, CUT, |cut| cut == 11.0).await;
    until(&http2.server, UNSENT, |unsent| unsent < 10.0 * MIB as f64).await;
    for hoarder in &mut hoarders[..11] {
        hoarder.closed().await;
    }
    for hoarder in &mut hoarders[11..] {
        hoarder.send(PING, 0, 0, &[7; 8]).await;
        let answer = hoarder.next_of(PING).await.expect("it is open");
        assert_eq!(answer.payload, [7; 8]);
    }
    drop(hoarders);
    until(&http2.server, UNSENT, |unsent| unsent == 0.0).await;
}

#[tokio::test]
async fn on_http1_an_unread_answer_counts_and_one_that_is_read_is_whole() {
    let server = TestServer::start(|server| talkative(server, 20 * MIB)).await;
    let call = |bytes: usize| {
        let token = server.token_for("acme", "ada", &[]);
        request(
            "POST /mcp/tool/talk",
            &[
                &format!("host: {}", authority(&server)),
                &format!("authorization: Bearer {token}"),
                "content-type: application/json",
            ],
            &format!(r#"{{"bytes":{bytes}}}"#),
        )
    };
    // More than the buffers of both sides hold.
    let ask = async || {
        let mut stream = TcpStream::connect(authority(&server))
            .await
            .expect("it listens");
        stream
            .write_all(call(15 * MIB).as_bytes())
            .await
            .expect("it reads");
        stream
    };
    let first = ask().await;
    until(&server, UNSENT, |unsent| unsent > 15.0 * MIB as f64).await;
    let second = ask().await;
    until(&server, CUT, |cut| cut == 1.0).await;
    drop((first, second));
    until(&server, UNSENT, |unsent| unsent == 0.0).await;

    let mut reader = Raw::connect(&server).await;
    for bytes in [0, 1, 16_300, 16_400, 100_000, 15 * MIB] {
        let answer = reader.send(call(bytes)).await.answer().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json()["result"], "x".repeat(bytes), "{bytes}");
    }
    assert_eq!(scrape(&server).await.value(CUT, &[]), 1.0);
}

#[tokio::test]
async fn an_answer_over_the_whole_bound_is_not_sent_and_harms_nobody_else() {
    let http2 = Http2::start(2 * MIB).await;
    let mut waiting = http2.connect(&SHUT).await;
    assert_eq!(http2.ask(&mut waiting, 1, MIB).await, Some(200));
    let mut greedy = http2.connect(&[]).await;
    http2.ask(&mut greedy, 1, 2 * MIB).await;
    greedy.closed().await;
    until(&http2.server, UNSENT, |unsent| unsent < 2.0 * MIB as f64).await;
    waiting.send(PING, 0, 0, &[7; 8]).await;
    assert!(waiting.next_of(PING).await.is_some(), "it is open");
    http2.serves_readers().await;
}

#[tokio::test]
async fn floods_of_frames_that_ask_for_nothing_end_the_connection() {
    let http2 = Http2::start(256 * MIB).await;
    for (what, flood) in [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 0, 16])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("unknown", frame(0xfa, 0, 0, &[0; 16])),
    ] {
        let mut frames = http2.connect(&[]).await;
        let flood = flood.repeat(1_000);
        let mut sent = 0;
        let sending = async {
            while frames.send_all(&flood).await {
                sent += 1;
            }
        };
        let ended = timeout(PATIENCE, sending).await;
        assert!(ended.is_ok(), "{what}: {sent} thousand were not enough");
        assert!(sent >= 19, "{what}: {sent} thousand were too many");
    }
    // Beside requests they may go on.
    let mut busy = http2.connect(&[]).await;
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(1_000);
    for number in 0..50 {
        assert!(busy.send_all(&pings).await);
        assert_eq!(http2.ask(&mut busy, 2 * number + 1, 1).await, Some(200));
    }
}
