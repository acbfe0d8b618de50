//! The promise of HTTP/2: the same answers as on HTTP/1.1, and none of the protocol's own attacks
//! costs more than a connection.

#[path = "support/frames.rs"]
mod frames;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/tls.rs"]
mod tls;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use frames::*;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tollgate::testing::TestServer;
use tollgate::transport::http::Limits;
use tollgate::{CallContext, Tool, ToolError};
use wire::{SCOPES, shop};

/// Soon enough for a test, and late enough for the good request beside it.
const SOON: Duration = Duration::from_millis(300);
const NEVER: Duration = Duration::from_secs(3_600);
const END: u8 = END_STREAM | END_HEADERS;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

struct Secure {
    server: TestServer,
    certificate: tls::Certificate,
    authority: String,
    bearer: String,
    /// `wait` ends when there is a permit.
    gate: Arc<Semaphore>,
}

impl Secure {
    async fn start(limits: Limits) -> Self {
        let certificate = tls::Certificate::new();
        let gate = Arc::new(Semaphore::new(0));
        let server = TestServer::start(|server| {
            let wait = async |gate: Arc<Semaphore>, _: CallContext, _: Nothing| {
                let permit = gate.acquire().await;
                Ok::<_, ToolError>(permit.is_ok())
            };
            let wait = Tool::new("wait", "Waits.")
                .any_authenticated()
                .handler_with(Arc::clone(&gate), wait);
            let huge = async |_: CallContext, _: Nothing| Ok::<_, ToolError>("x".repeat(1 << 20));
            let huge = Tool::new("huge", "Says much.")
                .any_authenticated()
                .handler(huge);
            let server = server
                .tls(certificate.load())
                .limits(limits)
                .tool(wait)
                .tool(huge);
            shop(server, Arc::default())
        })
        .await;
        Self {
            authority: server.url().trim_start_matches("https://").to_owned(),
            bearer: format!("Bearer {}", server.token_for("acme", "ada", &SCOPES)),
            server,
            certificate,
            gate,
        }
    }

    async fn connect(&self) -> Frames {
        Frames::connect(&self.server, &self.certificate, &[]).await
    }

    /// The headers of a call of `tool` without arguments.
    fn call<'a>(&'a self, path: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            (":method", "POST"),
            (":scheme", "https"),
            (":path", path),
            (":authority", &self.authority),
            ("authorization", &self.bearer),
            ("content-type", "application/json"),
        ]
    }

    /// The status of one request on a connection of its own.
    async fn ask(&self, headers: &[(&str, &str)]) -> u16 {
        let mut frames = self.connect().await;
        frames.send(HEADERS, END, 1, &block(headers)).await;
        frames.next_of(HEADERS).await.expect("an answer").status()
    }

    async fn still_works(&self) {
        assert_eq!(self.ask(&self.call("/mcp/tool/whoami")).await, 200);
    }
}

#[tokio::test]
async fn calls_are_answered_side_by_side() {
    let secure = Secure::start(Limits::default()).await;
    let mut frames = secure.connect().await;
    let wait = block(&secure.call("/mcp/tool/wait"));
    for stream in [1, 3] {
        frames.send(HEADERS, END, stream, &wait).await;
    }
    let whoami = block(&secure.call("/mcp/tool/whoami"));
    frames.send(HEADERS, END, 5, &whoami).await;
    let answer = frames.next_of(HEADERS).await.expect("an answer");
    assert_eq!((answer.stream, answer.status()), (5, 200));
    let body = frames.next_of(DATA).await.expect("a body");
    let text = String::from_utf8(body.payload).expect("UTF-8");
    assert!(
        text.starts_with(r#"{"ok":true,"result":{"tenant":"acme""#),
        "{text}"
    );
    secure.gate.add_permits(2);
    for _ in [1, 3] {
        let answer = frames.next_of(HEADERS).await.expect("an answer");
        assert_eq!(answer.status(), 200);
    }
}

#[tokio::test]
async fn the_caps_are_told() {
    let secure = Secure::start(Limits::default()).await;
    let settings = secure
        .connect()
        .await
        .next_of(SETTINGS)
        .await
        .expect("settings");
    let told: Vec<(u16, u32)> = settings
        .payload
        .chunks(6)
        .map(|setting| {
            let value = setting[2..].try_into().expect("four bytes");
            (
                u16::from_be_bytes([setting[0], setting[1]]),
                u32::from_be_bytes(value),
            )
        })
        .collect();
    for (what, setting) in [
        ("streams", (3, 100)),
        ("window", (4, 65_536)),
        ("header list", (6, 16_384)),
    ] {
        let default = setting == (4, 65_536) && !told.iter().any(|(id, _)| *id == 4);
        assert!(told.contains(&setting) || default, "{what}: {told:?}");
    }
}

#[tokio::test]
async fn only_requests_for_our_own_names_are_served() {
    let secure = Secure::start(Limits::default()).await;
    let good = secure.call("/mcp/tool/whoami");
    let with = |authority: Option<&'static str>, host: Option<&'static str>| {
        let mut headers = good.clone();
        headers.retain(|(name, _)| *name != ":authority");
        if let Some(authority) = authority {
            headers.insert(0, (":authority", authority));
        }
        headers.extend(host.map(|host| ("host", host)));
        headers
    };
    for (what, headers) in [
        ("foreign", with(Some("evil.example"), None)),
        ("no name at all", with(None, None)),
        ("foreign host alone", with(None, Some("evil.example"))),
        ("two names", with(Some("localhost:1"), Some("127.0.0.1:1"))),
        ("a user", with(Some("x@localhost"), None)),
    ] {
        let status = secure.ask(&headers).await;
        assert!(matches!(status, 400 | 403), "{what}: {status}");
    }
    let own = secure.authority.as_str();
    for (what, name, status) in [
        ("the same name twice", own.to_owned(), 200),
        (
            "two names of ours",
            own.replace("127.0.0.1", "localhost"),
            403,
        ),
        ("a foreign one beside ours", "evil.example".to_owned(), 403),
    ] {
        let mut headers = good.clone();
        headers.push(("host", &name));
        assert_eq!(secure.ask(&headers).await, status, "{what}");
    }
    let connect = [(":method", "CONNECT"), (":authority", own)];
    assert_eq!(secure.ask(&connect).await, 404, "CONNECT leads nowhere");
    secure.still_works().await;
}

#[tokio::test]
async fn headers_beyond_the_caps_are_refused() {
    let secure = Secure::start(Limits::default()).await;
    let names: Vec<String> = (0..70).map(|n| format!("x-{n}")).collect();
    let mut many = secure.call("/mcp/tool/whoami");
    many.extend(names.iter().map(|name| (name.as_str(), "y")));
    assert_eq!(secure.ask(&many).await, 431, "many");
    let text = "x".repeat(9_000);
    let mut long = secure.call("/mcp/tool/whoami");
    long.push(("x", &text));
    long.push(("y", &text));
    let mut frames = secure.connect().await;
    let block = block(&long);
    let (first, rest) = block.split_at(16_000);
    frames.send(HEADERS, END_STREAM, 1, first).await;
    frames.send(CONTINUATION, END_HEADERS, 1, rest).await;
    let answer = frames.next_of(HEADERS).await.expect("an answer");
    assert_eq!(answer.status(), 431, "long");
    secure.still_works().await;
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let secure = Secure::start(Limits::default()).await;
    let mut frames = secure.connect().await;
    let call = block(&secure.call("/mcp/tool/wait"));
    let mut flood = Vec::new();
    for stream in (1..4_000).step_by(2) {
        flood.extend(frame(HEADERS, END, stream, &call));
        flood.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    // Sent in one piece, as an attacker would.
    frames.send_all(&flood).await;
    assert!(frames.closed().await.contains(&ENHANCE_YOUR_CALM));
    secure.still_works().await;
}

#[tokio::test]
async fn a_header_block_without_an_end_ends_the_connection() {
    let secure = Secure::start(Limits::default()).await;
    let mut frames = secure.connect().await;
    let call = block(&secure.call("/mcp/tool/whoami"));
    frames.send(HEADERS, END_STREAM, 1, &call).await;
    let more = block(&[("x", &"y".repeat(1_000))]);
    // It is over long before these are sent.
    for _ in 0..100_000 {
        if !frames.send(CONTINUATION, 0, 1, &more).await {
            break;
        }
    }
    frames.closed().await;
    secure.still_works().await;
}

#[tokio::test]
async fn floods_of_empty_frames_from_a_client_that_does_not_read_are_cut_off() {
    let limits = Limits {
        reply: SOON,
        head: NEVER,
        idle: NEVER,
        ..Limits::default()
    };
    let secure = Secure::start(limits).await;
    for flood in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])] {
        let mut frames = secure.connect().await;
        let flood = flood.repeat(1_000);
        let sending = async { while frames.send_all(&flood).await {} };
        let sent = tokio::time::timeout(Duration::from_secs(30), sending).await;
        sent.expect("it hangs up");
    }
    secure.still_works().await;
}

#[tokio::test]
async fn a_connection_without_a_whole_request_is_closed() {
    let secure = Secure::start(Limits {
        head: SOON,
        ..Limits::default()
    })
    .await;
    let mut silent = secure.connect().await;
    let mut slow = secure.connect().await;
    let call = block(&secure.call("/mcp/tool/whoami"));
    slow.send(HEADERS, END_STREAM, 1, &call).await;
    let mut busy = secure.connect().await;
    busy.send(PING, 0, 0, &[0; 8]).await;
    for frames in [&mut silent, &mut slow, &mut busy] {
        frames.closed().await;
    }
    secure.still_works().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let secure = Secure::start(Limits {
        idle: SOON,
        ..Limits::default()
    })
    .await;
    let mut busy = secure.connect().await;
    busy.send(HEADERS, END, 1, &block(&secure.call("/mcp/tool/wait")))
        .await;
    let mut idle = secure.connect().await;
    idle.send(HEADERS, END, 1, &block(&secure.call("/mcp/tool/whoami")))
        .await;
    let answer = idle.next_of(HEADERS).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(idle.closed().await.first(), Some(&0), "no error");
    secure.gate.add_permits(1);
    let answer = busy.next_of(HEADERS).await.expect("an answer");
    assert_eq!(answer.status(), 200, "longer than any pause");
}

#[tokio::test]
async fn a_client_that_shuts_its_window_is_cut_off() {
    let limits = Limits {
        reply: SOON,
        head: NEVER,
        idle: NEVER,
        ..Limits::default()
    };
    let secure = Secure::start(limits).await;
    // SETTINGS_INITIAL_WINDOW_SIZE of 1.
    let mut frames =
        Frames::connect(&secure.server, &secure.certificate, &[0, 4, 0, 0, 0, 1]).await;
    frames
        .send(HEADERS, END, 1, &block(&secure.call("/mcp/tool/huge")))
        .await;
    let answer = frames.next_of(HEADERS).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    frames.closed().await;
    // One that opens it gets all.
    let mut reader = secure.connect().await;
    reader
        .send(WINDOW_UPDATE, 0, 0, &(8_u32 << 20).to_be_bytes())
        .await;
    reader
        .send(HEADERS, END, 1, &block(&secure.call("/mcp/tool/huge")))
        .await;
    reader
        .send(WINDOW_UPDATE, 0, 1, &(8_u32 << 20).to_be_bytes())
        .await;
    let mut length = 0;
    while let Some(part) = reader.next_of(DATA).await {
        length += part.payload.len();
        if part.flags & END_STREAM != 0 {
            break;
        }
    }
    assert!(length > 1 << 20, "{length}");
}

#[tokio::test]
async fn at_shutdown_the_running_call_is_answered_and_the_connection_closed() {
    let secure = Secure::start(Limits::default()).await;
    let mut frames = secure.connect().await;
    let mut idle = secure.connect().await;
    frames
        .send(HEADERS, END, 1, &block(&secure.call("/mcp/tool/wait")))
        .await;
    // Once this is answered, the call before it runs.
    frames
        .send(HEADERS, END, 3, &block(&secure.call("/mcp/tool/whoami")))
        .await;
    let answer = frames.next_of(HEADERS).await.expect("an answer");
    assert_eq!(answer.stream, 3);
    let Secure { server, gate, .. } = secure;
    let stopping = tokio::spawn(server.stop());
    // While the call still runs, the client learns to go elsewhere with the next one.
    let goaway = frames.next_of(GOAWAY).await.expect("a word");
    assert_eq!(goaway.number(4), 0, "no error");
    gate.add_permits(1);
    let answer = frames.next_of(HEADERS).await.expect("an answer");
    assert_eq!((answer.stream, answer.status()), (1, 200));
    assert_eq!(frames.closed().await.first(), Some(&0), "no error");
    assert_eq!(idle.closed().await.first(), Some(&0), "no error");
    stopping.await.expect("it ends");
}
