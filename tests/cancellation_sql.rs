//! The promise that a cancelled call stops its query: the only thread of its source is free for the
//! next call, over HTTP in both eras.
#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod slow;

use binary::Server;
use reqwest::RequestBuilder;
use scrape::Scrape;
use serde_json::{Value, json};
use tempfile::TempDir;

struct World {
    server: Server,
    admin: String,
    token: String,
    _folder: TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        slow::write(folder.path(), "adminListen: '127.0.0.1:0'");
        let server = Server::start(folder.path(), &["--dev"]);
        let line = server.process.stderr.line("metrics at ");
        let (_, url) = line.split_once("metrics at ").expect("it was found");
        Self {
            token: server.mint("").await,
            admin: url.trim().trim_end_matches("/metrics").to_owned(),
            server,
            _folder: folder,
        }
    }

    fn post(&self, message: &Value) -> RequestBuilder {
        let client = reqwest::Client::builder().no_proxy().build();
        let request = client
            .expect("a client")
            .post(format!("{}/mcp", self.server.url));
        let request = request.bearer_auth(&self.token).json(message);
        request.header("accept", "application/json, text/event-stream")
    }

    /// Counts in the database. In the era before 2026-07-28 unless `_meta` says otherwise.
    fn count(&self, rounds: u64, meta: Option<Value>) -> RequestBuilder {
        let mut params = json!({"name": "count", "arguments": {"rounds": rounds}});
        let is_modern = meta.is_some();
        if let Some(meta) = meta {
            params["_meta"] = meta;
        }
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        let request = self.post(&message);
        if !is_modern {
            return request;
        }
        let request = request.header("mcp-protocol-version", "2026-07-28");
        request
            .header("mcp-method", "tools/call")
            .header("mcp-name", "count")
    }

    /// Waits until the call runs: one that has not begun would leave nothing to stop.
    async fn runs(&self) {
        let running = async || {
            let scrape = Scrape::of(&self.admin).await;
            scrape.value("tollgate_calls_in_flight", &[])
        };
        for _ in 0..10_000 {
            if running().await == 1.0 {
                return;
            }
        }
        panic!("the call does not run");
    }

    /// The source answers, though it has one thread.
    async fn is_free(&self) {
        let answer = self.count(10, None).send().await.expect("an answer");
        let answer: Value = answer.json().await.expect("JSON");
        assert_eq!(
            answer["result"]["structuredContent"]["rounds"], 10,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_message_that_cancels_a_call_stops_its_query() {
    let world = World::start().await;
    let answer = tokio::spawn(world.count(slow::ENDLESS, None).send());
    world.runs().await;
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    let accepted = world.post(&cancel).send().await.expect("an answer");
    assert_eq!(accepted.status(), 202);
    world.is_free().await;
    let answer = answer.await.expect("no panic").expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("a body"), "");
}

#[tokio::test]
async fn a_client_that_leaves_stops_its_query() {
    let world = World::start().await;
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let answer = tokio::spawn(world.count(slow::ENDLESS, Some(meta)).send());
    world.runs().await;
    answer.abort();
    world.is_free().await;
}
