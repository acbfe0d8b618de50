//! The promise of streams on one connection among many: what is alive stays, who does not read is
//! cut, and closing a stream ends its subscription and nothing else.

#[path = "support/frames.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod frames;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod tls;

use std::time::Duration;

use frames::*;
use listener::ask;
use scrape::Scrape;
use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::testing::TestServer;
use tollgate::transport::http::Limits;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
const PERIOD: Duration = Duration::from_secs(15);
/// How long an answer may wait and a connection be idle: less than anything here takes.
const SHORT: Duration = Duration::from_millis(200);
/// SETTINGS_INITIAL_WINDOW_SIZE of 0 (RFC 9113 §6.5.2): no part of a body may be sent.
const SHUT: [u8; 6] = [0, 4, 0, 0, 0, 0];
/// Room for the acknowledgement and nothing more.
const NARROW: [u8; 6] = [0, 4, 0, 0, 0, 200];

struct Http2 {
    server: TestServer,
    certificate: tls::Certificate,
}

impl Http2 {
    async fn start() -> Self {
        let certificate = tls::Certificate::new();
        let tls = certificate.load();
        let limits = Limits {
            reply: SHORT,
            idle: SHORT,
            ..Limits::default()
        };
        let server = TestServer::start(|server| {
            let admin = ([127, 0, 0, 1], 0).into();
            server.limits(limits).admin_listen(admin).tls(tls)
        });
        Self {
            server: server.await,
            certificate,
        }
    }

    async fn connect(&self, settings: &[u8]) -> Frames {
        Frames::connect(&self.server, &self.certificate, settings).await
    }

    /// Opens a subscription and reads its answer's head.
    async fn listen(&self, frames: &mut Frames, stream: u32) {
        let bearer = format!("Bearer {}", self.server.token_for("acme", "ada", &[]));
        let authority = self.server.url().trim_start_matches("https://");
        let headers = [
            (":method", "POST"),
            (":scheme", "https"),
            (":path", "/mcp"),
            (":authority", authority),
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", "subscriptions/listen"),
        ];
        let body = ask(&json!(stream), &json!({"toolsListChanged": true})).to_string();
        let mut sent = frame(HEADERS, END_HEADERS, stream, &block(&headers));
        sent.extend(frame(DATA, END_STREAM, stream, body.as_bytes()));
        frames.send_all(&sent).await;
        let head = frames.next_of(HEADERS).await.expect("an answer");
        assert_eq!((head.status(), head.stream), (200, stream));
    }

    /// Waits until so many subscriptions are open.
    async fn listeners(&self, wanted: f64) {
        let url = self.server.admin_url().expect("an admin listener");
        let open = async || Scrape::of(url).await.value("tollgate_listeners", &[]);
        let waiting = async { while open().await != wanted {} };
        timeout(PATIENCE, waiting).await.expect("it comes true");
    }
}

/// The message of the next event.
async fn message(frames: &mut Frames) -> Value {
    let part = frames.next_of(DATA).await.expect("a part");
    let text = String::from_utf8(part.payload).expect("UTF-8");
    let data = text.strip_prefix("event: message\ndata: ").expect(&text);
    serde_json::from_str(data.trim_end()).expect("JSON")
}

#[tokio::test]
async fn a_stream_whose_client_reads_outlives_every_deadline_of_answers() {
    let http2 = Http2::start().await;
    let mut reader = http2.connect(&[]).await;
    http2.listen(&mut reader, 1).await;
    assert_eq!(
        message(&mut reader).await["params"]["_meta"]
            .as_object()
            .map(|meta| meta.len()),
        Some(1)
    );

    // Meanwhile others let theirs wait until they are cut, so time has passed.
    for settings in [&SHUT, &NARROW] {
        let mut idler = http2.connect(settings).await;
        http2.listen(&mut idler, 1).await;
        http2.server.clock().advance(PERIOD);
        assert_eq!(
            reader.next_of(DATA).await.expect("a part").payload,
            b":\n\n"
        );
        idler.closed().await;
    }
    http2.listeners(1.0).await;
    http2.server.clock().advance(PERIOD);
    assert_eq!(
        reader.next_of(DATA).await.expect("a part").payload,
        b":\n\n"
    );
}

#[tokio::test]
async fn resetting_a_stream_ends_its_subscription_and_no_other() {
    let http2 = Http2::start().await;
    let mut client = http2.connect(&[]).await;
    for stream in [1, 3] {
        http2.listen(&mut client, stream).await;
        message(&mut client).await;
    }
    http2.listeners(2.0).await;
    let cancel = 8_u32.to_be_bytes();
    client.send(RST_STREAM, 0, 1, &cancel).await;
    http2.listeners(1.0).await;
    http2.server.clock().advance(PERIOD);
    let part = client.next_of(DATA).await.expect("a part");
    assert_eq!((part.stream, part.payload.as_slice()), (3, &b":\n\n"[..]));
}

#[tokio::test]
async fn shutting_down_ends_streams_with_a_result() {
    let http2 = Http2::start().await;
    let mut client = http2.connect(&[]).await;
    http2.listen(&mut client, 1).await;
    message(&mut client).await;
    let stopping = tokio::spawn(http2.server.stop());
    let last = message(&mut client).await;
    assert_eq!(last["id"], 1);
    assert_eq!(last["result"]["resultType"], "complete");
    let end = client.next_of(DATA).await.expect("the end of the stream");
    assert!(end.payload.is_empty() && end.flags & END_STREAM != 0);
    client.closed().await;
    stopping.await.expect("it ends");
}
