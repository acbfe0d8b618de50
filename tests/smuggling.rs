//! The promise that nobody hides a request in another: what can be framed in two ways is answered
//! with 400, wherever it stands on a connection, and nothing after it is read.

#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/raw.rs"]
mod raw;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use raw::{Raw, authority, request};
use tollgate::testing::TestServer;
use wire::{SCOPES, shop};

const JSON: &str = "content-type: application/json";

/// A server that counts the runs of its tool `tick`.
struct Counting {
    server: TestServer,
    runs: Arc<AtomicUsize>,
    headers: Vec<String>,
}

impl Counting {
    async fn start() -> Self {
        let runs = Arc::new(AtomicUsize::new(0));
        let server = TestServer::start(|server| shop(server, Arc::clone(&runs))).await;
        let token = server.token_for("acme", "ada", &SCOPES);
        Self {
            headers: vec![
                format!("host: {}", authority(&server)),
                format!("authorization: Bearer {token}"),
                JSON.to_owned(),
            ],
            server,
            runs,
        }
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// A good call of `tick`, by other headers if need be.
    fn tick(&self) -> String {
        let headers: Vec<&str> = self.headers.iter().map(String::as_str).collect();
        request("POST /mcp/tool/tick", &headers, "{}")
    }

    /// A call of `tick` with these further headers and this body, as they are.
    fn with(&self, headers: &str, body: &str) -> String {
        let own = self.headers.join("\r\n");
        format!("POST /mcp/tool/tick HTTP/1.1\r\n{own}\r\n{headers}\r\n\r\n{body}")
    }

    /// What can be read in two ways, by what is wrong with it. None of it is ever run.
    fn shapes(&self) -> Vec<(&'static str, String)> {
        let chunks = "2\r\n{}\r\n0\r\n\r\n";
        let host = &self.headers[0];
        let good = self.with("content-length: 2", "{}");
        let mut shapes: Vec<_> = [
            ("CL.TE", "content-length: 2\r\ntransfer-encoding: chunked"),
            ("TE.CL", "transfer-encoding: chunked\r\ncontent-length: 2"),
            (
                "CL.TE of length 0",
                "content-length: 0\r\ntransfer-encoding: chunked",
            ),
            (
                "TE.TE",
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
            ),
            (
                "TE twice, one unknown",
                "transfer-encoding: chunked\r\ntransfer-encoding: x",
            ),
            ("TE list", "transfer-encoding: gzip, chunked"),
            ("TE not last", "transfer-encoding: chunked, identity"),
            ("TE identity", "transfer-encoding: identity"),
            ("TE misspelt", "transfer-encoding: xchunked"),
            ("TE with a vertical tab", "transfer-encoding: \x0bchunked"),
            ("TE name with a space", "transfer-encoding : chunked"),
            ("TE name after a space", " transfer-encoding: chunked"),
            ("TE after a bare LF", "x: y\ntransfer-encoding: chunked"),
            ("TE after a bare CR", "x: y\rtransfer-encoding: chunked"),
            ("TE folded", "transfer-encoding:\r\n chunked"),
        ]
        .map(|(what, headers)| (what, self.with(headers, chunks)))
        .into();
        shapes.extend(
            [
                ("equal lengths", "content-length: 2\r\ncontent-length: 2"),
                ("other lengths", "content-length: 2\r\ncontent-length: 3"),
                ("a list of equal lengths", "content-length: 2, 2"),
                ("an empty length", "content-length:"),
                ("a signed length", "content-length: +2"),
                ("a hexadecimal length", "content-length: 0x2"),
                ("a length too long", "content-length: 99999999999999999999"),
                ("a length with a space before", "content-length : 2"),
                ("NUL in a value", "content-length: 2\r\nx: a\0b"),
                ("NUL in a name", "content-length: 2\r\nx\0: b"),
                ("a control character", "content-length: 2\r\nx: a\x08b"),
                ("a folded header", "content-length: 2\r\nx: y\r\n\tz"),
                ("a second host", "content-length: 2\r\nhost: localhost"),
                ("a line without colon", "content-length: 2\r\nx"),
                ("an empty name", "content-length: 2\r\n: x"),
            ]
            .map(|(what, headers)| (what, self.with(headers, "{}"))),
        );
        shapes.extend([
            ("no host", good.replacen(host, "x: y", 1)),
            ("LF for every line break", good.replace("\r\n", "\n")),
            (
                "a head that ends with LF",
                good.replacen("\r\n\r\n", "\r\n\n", 1),
            ),
            (
                "TE in HTTP/1.0",
                self.with("transfer-encoding: chunked", chunks)
                    .replacen("/1.1", "/1.0", 1),
            ),
            ("HTTP/0.9", "GET /healthz\r\n".to_owned()),
            ("HTTP/1.2", good.replacen("HTTP/1.1", "HTTP/1.2", 1)),
            ("a fragment", good.replacen(" HTTP/1.1", "#x HTTP/1.1", 1)),
            ("two spaces", good.replacen("POST ", "POST  ", 1)),
            ("a tab for a space", good.replacen("POST ", "POST\t", 1)),
            (
                "a space after the version",
                good.replacen("HTTP/1.1", "HTTP/1.1 ", 1),
            ),
        ]);
        shapes.extend(
            [
                ("a chunk size with a sign", "+2\r\n{}\r\n0\r\n\r\n"),
                ("a chunk size with a prefix", "0x2\r\n{}\r\n0\r\n\r\n"),
                ("a chunk size with a space", "2 \r\n{}\r\n0\r\n\r\n"),
                (
                    "a chunk size that overflows",
                    "10000000000000002\r\n{}\r\n0\r\n\r\n",
                ),
                ("a chunk size before a bare LF", "2\n{}\r\n0\r\n\r\n"),
                ("a bare LF in an extension", "2;x\ny\r\n{}\r\n0\r\n\r\n"),
                ("a bare CR in an extension", "2;x\ry\r\n{}\r\n0\r\n\r\n"),
                ("a chunk longer than said", "2\r\n{}x\r\n0\r\n\r\n"),
                ("a chunk before a bare LF", "2\r\n{}\n0\r\n\r\n"),
                ("no chunk size", "\r\n{}\r\n0\r\n\r\n"),
                ("an end with a bare LF", "2\r\n{}\r\n0\n\r\n"),
                ("trailers that are none", "2\r\n{}\r\n0\r\nx\r\n\r\n"),
                ("trailers with a bare LF", "2\r\n{}\r\n0\r\nx: y\n\r\n"),
            ]
            .map(|(what, chunks)| (what, self.with("transfer-encoding: chunked", chunks))),
        );
        shapes
    }
}

async fn is_refused(raw: &mut Raw, what: &str) {
    let answer = raw.answer().await;
    assert_eq!(answer.map(|answer| answer.status), Some(400), "{what}");
    assert!(raw.is_closed().await, "and not another word: {what}");
}

#[tokio::test]
async fn an_ambiguous_request_is_refused_and_what_follows_is_not_read() {
    let counting = Counting::start().await;
    for (what, text) in counting.shapes() {
        let mut raw = Raw::connect(&counting.server).await;
        raw.send(format!("{text}{}", counting.tick())).await;
        is_refused(&mut raw, what).await;
    }
    assert_eq!(counting.runs(), 0);
}

#[tokio::test]
async fn it_is_refused_after_good_requests_as_well() {
    let counting = Counting::start().await;
    let chunked = counting.with("transfer-encoding: chunked", "2\r\n{}\r\n0\r\nx: y\r\n\r\n");
    for (number, (what, text)) in counting.shapes().into_iter().enumerate() {
        let mut raw = Raw::connect(&counting.server).await;
        // One after the other, and then three at once.
        raw.send(&chunked).await;
        let answer = raw.answer().await.expect("an answer");
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        let good = counting.tick();
        raw.send(format!("{good}{chunked}{text}{good}")).await;
        for _ in 0..2 {
            let answer = raw.answer().await.expect("an answer");
            assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        }
        is_refused(&mut raw, what).await;
        assert_eq!(counting.runs(), 3 * (number + 1), "{what}");
    }
}

#[tokio::test]
async fn it_is_refused_in_whatever_pieces_it_comes() {
    let counting = Counting::start().await;
    for (what, text) in counting.shapes() {
        for size in [1, 7, 64] {
            let mut raw = Raw::connect(&counting.server).await;
            for piece in text.as_bytes().chunks(size) {
                raw.send(piece).await;
                // Lets the server read this piece by itself, now and then.
                tokio::task::yield_now().await;
            }
            is_refused(&mut raw, what).await;
        }
    }
    assert_eq!(counting.runs(), 0);
}

#[tokio::test]
async fn good_requests_pass_in_whatever_pieces_they_come() {
    let counting = Counting::start().await;
    let chunked = counting.with(
        "transfer-encoding: chunked",
        "1;a=b\r\n{\r\n01\r\n}\r\n0\r\nx: y\r\n\r\n",
    );
    let text = format!("\r\n{}\r\n{chunked}{}", counting.tick(), counting.tick());
    for size in [1, 3, 100, text.len()] {
        let mut raw = Raw::connect(&counting.server).await;
        for piece in text.as_bytes().chunks(size) {
            raw.send(piece).await;
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            assert_eq!(raw.answer().await.map(|answer| answer.status), Some(200));
        }
    }
    assert_eq!(counting.runs(), 12);
}
