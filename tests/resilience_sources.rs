//! A source that fails is left alone: its breaker opens, one call looks whether it is back, and further
//! tries stay within a budget. What the source was asked is counted where it stands.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/log.rs"]
mod log;
#[path = "resilience_sources/reload.rs"]
mod reload;
#[path = "resilience_sources/retries.rs"]
mod retries;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "resilience_sources/sqlite.rs"]
mod sqlite;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/upstream.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod upstream;

use std::time::Duration;

use futures_util::future::join_all;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::testing::TestServer;

use caller::{Answer, Caller};
use scrape::Scrape;
use upstream::Upstream;

const SECOND: Duration = Duration::from_secs(1);
const YAML: &str = r#"
auth:
  issuers:
    - {issuer: https://ci.example.com/, audiences: [https://tools.example.com/mcp], secret: "${SECRET}"}
sources:
  crm: {http: "@URL", allowPrivate: [127.0.0.1], retries: 0}
  again: {http: "@URL", allowPrivate: [127.0.0.1], breaker: off}
  stubborn: {http: "@URL", allowPrivate: [127.0.0.1], retries: 5, breaker: {failures: 3}}
  other: {http: "@OTHER", allowPrivate: [127.0.0.1]}
  shop: {sqlite: ./shop.db, threads: 1, retries: 0}
tools:
  ticket: {description: d, anyAuthenticated: true, http: {source: crm, path: /ticket}}
  quick: {description: d, anyAuthenticated: true, timeout: 50ms, http: {source: crm, path: /quick}}
  add: {description: d, anyAuthenticated: true, http: {source: again, method: POST, path: /add, body: []}}
  put: {description: d, anyAuthenticated: true, http: {source: again, method: PUT, path: /put}}
  add_once:
    {description: d, anyAuthenticated: true, http: {source: again, method: POST, path: /once, idempotent: true}}
  read: {description: d, anyAuthenticated: true, http: {source: again, path: /read}}
  read_once: {description: d, anyAuthenticated: true, http: {source: again, path: /once, idempotent: false}}
  read_late: {description: d, anyAuthenticated: true, timeout: 1s, http: {source: again, path: /late}}
  read_on: {description: d, anyAuthenticated: true, http: {source: stubborn, path: /on}}
  elsewhere: {description: d, anyAuthenticated: true, http: {source: other, path: /elsewhere}}
  customers:
    description: d
    anyAuthenticated: true
    sql: {source: shop, statement: SELECT id FROM customers, result: many}
  broken:
    description: d
    anyAuthenticated: true
    sql: {source: shop, statement: "SELECT json('{') AS text", result: many}
  runaway:
    description: d
    anyAuthenticated: true
    timeout: 50ms
    sql:
      source: shop
      statement: WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) AS total FROM n
      result: one
"#;
const DOWN: &str = "503 Service Unavailable";

/// A server on a clock to turn, and the APIs behind it.
struct Desk {
    server: TestServer,
    caller: Caller,
    clock: Clock,
    api: Upstream,
    other: Upstream,
    folder: TempDir,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = Connection::open(folder.path().join("shop.db")).expect("a database");
        let made = database.execute_batch("CREATE TABLE customers (id TEXT)");
        made.expect("a table");
        let (api, other) = (Upstream::start().await, Upstream::start().await);
        let yaml = yaml(&api, &other);
        let builder = declared::configure(&yaml, folder.path()).expect("a good configuration");
        let clock = Clock::turned();
        let admin = "127.0.0.1:0".parse().expect("an address");
        let turned = clock.clone();
        let set_up = |_| builder.clock(turned).admin_listen(admin);
        let server = TestServer::start(set_up).await;
        let token = declared::token(json!({"sub": "ada", "tenant": "acme"}));
        Self {
            caller: Caller::new(server.url(), token),
            server,
            clock,
            api,
            other,
            folder,
        }
    }

    async fn call(&self, tool: &str) -> Answer {
        self.caller.rest(tool, json!({})).await
    }

    async fn statuses(&self, tool: &str, calls: usize) -> Vec<u16> {
        let mut statuses = Vec::new();
        for _ in 0..calls {
            statuses.push(self.call(tool).await.status);
        }
        statuses
    }

    async fn numbers(&self) -> Scrape {
        Scrape::of(self.server.admin_url().expect("an admin listener")).await
    }

    async fn breaker(&self, source: &str) -> f64 {
        let labels = [("tollgate_source", source)];
        let numbers = self.numbers().await;
        numbers.value("tollgate_source_breaker_state", &labels)
    }
}

/// The file, with these two behind it.
fn yaml(api: &Upstream, other: &Upstream) -> String {
    let yaml = YAML.replace("@URL", &api.url());
    yaml.replace("@OTHER", &other.url())
}

fn detail(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body["detail"].as_str().unwrap_or(""))
}

#[tokio::test]
async fn a_source_that_fails_is_left_alone_and_the_caller_is_told_for_how_long() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    assert_eq!(desk.statuses("ticket", 5).await, [502; 5]);
    let refused = desk.call("ticket").await;
    let text = "A system behind the tool is unavailable; retry in 1.0 s";
    assert_eq!(detail(&refused), (503, text));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(
        refused.body["type"],
        "urn:tollgate:error:source-unavailable"
    );
    let params = json!({"name": "ticket", "arguments": {}});
    let modern = desk.caller.modern("tools/call", params).await;
    assert_eq!(modern.status, 200);
    assert_eq!(modern.body["result"]["isError"], true);
    assert_eq!(modern.body["result"]["content"][0]["text"], text);
    assert_eq!(desk.api.times(), 5, "refused calls ask nothing");
    assert_eq!(desk.call("elsewhere").await.status, 200);
    assert_eq!(desk.call("customers").await.status, 200);
}

#[tokio::test]
async fn one_call_at_a_time_looks_whether_the_source_is_back() {
    let desk = Desk::open().await;
    desk.api.says(DOWN, "");
    desk.statuses("ticket", 5).await;
    for pause in [1, 2, 4] {
        desk.clock.advance(pause * SECOND - SECOND / 10);
        assert_eq!(desk.call("ticket").await.status, 503);
        desk.clock.advance(SECOND / 10);
        let before = desk.api.times();
        assert_eq!(desk.statuses("ticket", 3).await, [502, 503, 503]);
        assert_eq!(desk.api.times(), before + 1);
    }
    desk.api.says("200 OK", "{}");
    desk.api.stalls();
    desk.clock.advance(8 * SECOND);
    let before = desk.api.times();
    let calls = join_all((0..20).map(|_| desk.call("ticket")));
    let release = async {
        desk.api.was_asked(before + 1).await;
        // All others are answered while the one waits.
        let refused = [("tollgate_reason", "source-unavailable")];
        let told = async || desk.numbers().await.total("tollgate_calls_total", &refused);
        let all = async { while told().await < 3.0 + 6.0 + 19.0 {} };
        let all = tokio::time::timeout(10 * SECOND, all).await;
        assert!(all.is_ok(), "calls wait beside the one");
        assert_eq!(desk.breaker("crm").await, 1.0);
        desk.api.goes_on();
    };
    let (answers, ()) = tokio::join!(calls, release);
    let served = answers.iter().filter(|answer| answer.status == 200);
    assert_eq!(served.count(), 1);
    assert_eq!(desk.api.times(), before + 1);
    assert_eq!(desk.statuses("ticket", 9).await, [200; 9]);
}

#[tokio::test]
async fn numbers_and_log_tell_each_change_once() {
    log::listen();
    let desk = Desk::open().await;
    assert_eq!(desk.breaker("other").await, 0.0);
    desk.other.says(DOWN, "");
    desk.statuses("elsewhere", 9).await;
    assert_eq!(desk.breaker("other").await, 2.0);
    desk.clock.advance(SECOND);
    desk.other.says("200 OK", "{}");
    desk.statuses("elsewhere", 3).await;
    let numbers = desk.numbers().await;
    for state in ["open", "half-open", "closed"] {
        let labels = [("tollgate_source", "other"), ("tollgate_state", state)];
        assert_eq!(
            numbers.value("tollgate_source_breaker_transitions_total", &labels),
            1.0
        );
    }
    for text in ["WARN a source fails", "INFO a source works again"] {
        let part = text.split_once(' ').expect("a level").1;
        let lines = log::lines_with(part);
        let lines = lines
            .iter()
            .filter(|line| line.contains("source=\"other\""));
        assert_eq!(lines.count(), 1, "{text}");
    }
    let off = [("tollgate_source", "again")];
    assert_eq!(numbers.total("tollgate_source_breaker_state", &off), 0.0);
}

#[tokio::test]
async fn calls_that_are_late_open_it_and_callers_that_leave_or_ask_nonsense_do_not() {
    let desk = Desk::open().await;
    desk.api.stalls();
    for times in 1..=8 {
        let caller = desk.caller.clone();
        let call = tokio::spawn(async move { caller.rest("ticket", json!({})).await });
        desk.api.was_asked(times).await;
        call.abort();
        desk.api.was_left(times).await;
    }
    desk.api.goes_on();
    for status in [
        "400 Bad Request",
        "404 Not Found",
        "422 Unprocessable Content",
    ] {
        desk.api.says(status, "");
        desk.statuses("ticket", 6).await;
    }
    assert_eq!(desk.breaker("crm").await, 0.0);
    desk.clock.advance(60 * SECOND);
    desk.api.stalls();
    assert_eq!(
        desk.statuses("quick", 6).await,
        [504, 504, 504, 504, 504, 503]
    );
    assert_eq!(desk.call("ticket").await.status, 503);
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_opens_it_too() {
    let desk = Desk::open().await;
    // Closes each connection unanswered.
    desk.api.writes("");
    assert_eq!(
        desk.statuses("ticket", 6).await,
        [502, 502, 502, 502, 502, 503]
    );
    let body: &Value = &desk.call("ticket").await.body;
    assert!(!body.to_string().contains(&desk.api.port().to_string()));
}
