//! Heads, bodies and connections: too long, cut short, ambiguous, of other versions of HTTP.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tollgate::record::Tracing;
use tollgate::testing::TestServer;

use super::{GREET, JSON, ask, bearer, greet, own_host, still_works};
use crate::configured::configured;
use crate::raw::{Raw, request};
use crate::wire::{SCOPES, shop, shop_server};

#[tokio::test]
async fn a_body_that_is_too_long_is_refused_as_soon_as_that_is_known() {
    let (server, token) = configured(&SCOPES, |server| shop(server, Arc::default())).await;
    let (host, token) = (own_host(&server), format!("authorization: Bearer {token}"));
    for path in ["/mcp", "/mcp/tool/greet"] {
        let head = format!("POST {path} HTTP/1.1\r\n{host}\r\n{token}\r\n{JSON}\r\n");
        // Nothing of the body is sent, nor asked for with "100 Continue".
        for expect in ["", "expect: 100-continue\r\n"] {
            let answer = ask(
                &server,
                format!("{head}{expect}content-length: 2049\r\n\r\n"),
            )
            .await;
            assert_eq!(answer.status, 413, "{path}");
        }
        for length in ["99999999999", "9223372036854775807"] {
            let answer = ask(&server, format!("{head}content-length: {length}\r\n\r\n")).await;
            assert_eq!(answer.status, 413, "{path} {length}");
        }
        let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
        let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}{chunk}1\r\nx\r\n");
        assert_eq!(ask(&server, chunked).await.status, 413, "{path}");
    }
    let full = format!(r#"{{"name":"{}"}}"#, "x".repeat(2048 - 11));
    let answer = ask(
        &server,
        request("POST /mcp/tool/greet", &[&host, &token, JSON], &full),
    )
    .await;
    assert_eq!((full.len(), answer.status), (2048, 200));
}

#[tokio::test]
async fn a_stranger_is_refused_before_its_body_is_read() {
    let server = shop_server().await;
    let host = own_host(&server);
    for path in ["/mcp", "/mcp/tool/greet"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\n{host}\r\n{JSON}\r\nexpect: 100-continue\r\ncontent-length: 1000\r\n\r\n"
        );
        assert_eq!(ask(&server, head).await.status, 401);
    }
}

#[tokio::test]
async fn one_header_more_than_there_may_be_is_a_problem() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let more: Vec<String> = (0..61).map(|n| format!("x-{n}: y")).collect();
    // Beside them are Host, Authorization, Content-Type and Content-Length.
    for (count, status) in [(60, 200), (61, 431)] {
        let mut headers = vec![host.as_str(), token.as_str()];
        headers.extend(more[..count].iter().map(String::as_str));
        let answer = ask(&server, greet(&headers)).await;
        assert_eq!(answer.status, status, "{count}");
        let is_told = answer.body.contains("urn:tollgate:error:too-many-headers");
        assert_eq!(is_told, status == 431, "{}", answer.body);
    }
}

#[tokio::test]
async fn heads_beyond_the_caps_are_refused_and_the_server_lives() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let long = format!("x-long: {}", "x".repeat(20_000));
    let many: Vec<String> = (0..200).map(|n| format!("x-{n}: y")).collect();
    // One more than there may be, and more than are read at all.
    let [many, too_many] = [61, 200].map(|count| {
        let more = many[..count].iter().map(String::as_str);
        [host.as_str(), token.as_str()]
            .into_iter()
            .chain(more)
            .collect::<Vec<_>>()
    });
    let target = greet(&[&host, &token]).replacen("greet", &"g".repeat(20_000), 1);
    for text in [
        greet(&[&host, &token, &long]),
        greet(&many),
        greet(&too_many),
        target,
    ] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.send(text).await.answer().await;
        // A reset may overtake the answer while the rest is still being sent.
        if let Some(answer) = answer {
            assert!(matches!(answer.status, 414 | 431), "{}", answer.status);
        }
        assert!(raw.is_closed().await);
        still_works(&server).await;
    }
    // Headers without an end.
    let mut raw = Raw::connect(&server).await;
    raw.send("POST /mcp HTTP/1.1\r\n").await;
    for _ in 0..20 {
        raw.send(format!("{long}\r\n")).await;
    }
    raw.answer().await;
    assert!(raw.is_closed().await);
    still_works(&server).await;
}

#[tokio::test]
async fn requests_that_can_be_framed_in_two_ways_are_refused_and_the_connection_closed() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let head = format!("POST /mcp/tool/greet HTTP/1.1\r\n{host}\r\n{token}\r\n{JSON}\r\n");
    let chunks = format!("e\r\n{GREET}\r\n0\r\n\r\n");
    let smuggled = greet(&[&host, &token]);
    for (what, text) in [
        (
            "two lengths",
            format!("{head}content-length: 14\r\ncontent-length: 15\r\n\r\n{GREET}"),
        ),
        (
            "a list of lengths",
            format!("{head}content-length: 14, 15\r\n\r\n{GREET}"),
        ),
        (
            "a signed length",
            format!("{head}content-length: +14\r\n\r\n{GREET}"),
        ),
        (
            "a negative length",
            format!("{head}content-length: -1\r\n\r\n{GREET}"),
        ),
        (
            "a length in hexadecimal",
            format!("{head}content-length: 0xe\r\n\r\n{GREET}"),
        ),
        (
            "an unknown coding",
            format!("{head}transfer-encoding: xchunked\r\n\r\n{chunks}"),
        ),
        (
            "chunked not last",
            format!("{head}transfer-encoding: chunked, identity\r\n\r\n{chunks}"),
        ),
        (
            "a space before the colon",
            format!("{head}content-length : 14\r\n\r\n{GREET}"),
        ),
        (
            "a folded header",
            format!("{head}x: y\r\n z\r\ncontent-length: 14\r\n\r\n{GREET}"),
        ),
        (
            "NUL in a header",
            format!("{head}x: a\0b\r\ncontent-length: 14\r\n\r\n{GREET}"),
        ),
        (
            "NUL in a name",
            format!("{head}x\0: b\r\ncontent-length: 14\r\n\r\n{GREET}"),
        ),
        (
            "a bare CR",
            format!("{head}x: a\rb\r\ncontent-length: 14\r\n\r\n{GREET}"),
        ),
        ("no method", format!("/mcp HTTP/1.1\r\n{host}\r\n\r\n")),
        (
            "HTTP/3.0",
            format!("GET /healthz HTTP/3.0\r\n{host}\r\n\r\n"),
        ),
        (
            "the same length twice",
            format!("{head}content-length: 14\r\ncontent-length: 14\r\n\r\n{GREET}"),
        ),
        (
            "a length before chunks",
            format!("{head}content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"),
        ),
        (
            "a length after chunks",
            format!("{head}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n{chunks}"),
        ),
        (
            "a bare LF",
            format!("{head}x: y\ncontent-length: 14\r\n\r\n{GREET}"),
        ),
        (
            "no host",
            format!("{head}content-length: 14\r\n\r\n{GREET}").replacen(&host, "x: y", 1),
        ),
        (
            "chunks in HTTP/1.0",
            format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}").replacen("1.1", "1.0", 1),
        ),
    ] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.send(format!("{text}{smuggled}")).await.answer().await;
        assert_eq!(answer.map(|answer| answer.status), Some(400), "{what}");
        assert!(raw.is_closed().await, "{what}");
    }
    still_works(&server).await;
}

#[tokio::test]
async fn a_badly_framed_body_is_refused() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let head = format!(
        "POST /mcp/tool/greet HTTP/1.1\r\n{host}\r\n{token}\r\n{JSON}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for chunks in [
        "zz\r\n",
        "fffffffffffffffff\r\n",
        "e\nxx",
        "-1\r\n",
        "3\r\nabcd\r\n",
    ] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.send(format!("{head}{chunks}")).await.answer().await;
        assert_eq!(answer.map(|answer| answer.status), Some(400), "{chunks:?}");
        assert!(raw.is_closed().await, "{chunks:?}");
    }
    still_works(&server).await;
}

#[tokio::test]
async fn old_and_impatient_clients_are_served_in_order() {
    let server = shop_server().await;
    let (host, token) = (own_host(&server), bearer(&server));
    let mut old = Raw::connect(&server).await;
    old.send(greet(&[&host, &token]).replacen("HTTP/1.1", "HTTP/1.0", 1))
        .await;
    assert_eq!(old.answer().await.map(|answer| answer.status), Some(200));
    assert!(old.is_closed().await);
    let mut impatient = Raw::connect(&server).await;
    let names = ["Ada", "Bob", "Cy"];
    let all: String = names
        .iter()
        .map(|name| {
            greet(&[&host, &token])
                .replace("Ada", name)
                .replace("length: 14", &format!("length: {}", 11 + name.len()))
        })
        .collect();
    impatient.send(all).await;
    for name in names {
        let answer = impatient.answer().await.expect("an answer");
        assert_eq!(answer.json()["result"]["greeting"], format!("Hello {name}"));
    }
}

/// Hands each span to the test.
#[derive(Debug)]
struct Spans(UnboundedSender<SpanData>);

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            // The test may be over.
            let _ = self.0.send(span);
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_its_body_is_recorded_as_gone() {
    let (sender, mut spans) = unbounded_channel();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(Spans(sender))
        .build();
    let server =
        TestServer::start(|server| shop(server.tracing(Tracing::over(provider)), Arc::default()))
            .await;
    let (host, token) = (own_host(&server), bearer(&server));
    for path in ["/mcp", "/mcp/tool/greet"] {
        for framing in [
            "content-length: 1000\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n3e8\r\n",
        ] {
            let mut raw = Raw::connect(&server).await;
            raw.send(format!(
                "POST {path} HTTP/1.1\r\n{host}\r\n{token}\r\n{JSON}\r\n{framing}{{\"name\""
            ))
            .await;
            drop(raw);
            let span = timeout(Duration::from_secs(20), spans.recv())
                .await
                .expect("in time")
                .expect("a span");
            let outcome = span
                .attributes
                .iter()
                .find(|attribute| attribute.key.as_str() == "tollgate.outcome");
            assert_eq!(
                outcome.map(|outcome| outcome.value.to_string()).as_deref(),
                Some("cancelled"),
                "{path} {framing}"
            );
        }
    }
    still_works(&server).await;
}

#[tokio::test]
async fn http_2_is_turned_away() {
    let server = shop_server().await;
    let mut raw = Raw::connect(&server).await;
    let answer = raw
        .send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .answer()
        .await;
    assert!(answer.is_none_or(|answer| answer.status == 400));
    assert!(raw.is_closed().await);
    still_works(&server).await;
}
