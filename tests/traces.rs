//! A trace shows where a call's time went: each thing it waited for is a span below it, who was asked
//! can go on with the trace, and nothing of what callers said or may not see is in it.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/collector.rs"]
mod collector;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "traces/exporting.rs"]
mod exporting;
#[path = "support/introspection_server.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod introspection_server;
#[path = "support/key_server.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod key_server;
#[path = "traces/propagation.rs"]
mod propagation;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis_server;
#[path = "support/signers.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod signers;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/tree.rs"]
mod tree;
#[path = "support/upstream.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod upstream;
#[path = "traces/waiting.rs"]
mod waiting;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::Clock;
use tollgate::testing::TestServer;

use caller::Caller;
use tree::{Kept, attribute};
use upstream::Upstream;

/// Tools on a database and on an API; what is in `@AUTH`, `@QUOTAS` and `@CRM` differs.
pub(crate) const YAML: &str = r#"
auth:
  issuers:
    - {issuer: https://ci.example.com/, audiences: [https://tools.example.com/mcp], secret: "${SECRET}"}
@AUTH
@QUOTAS
sources:
  shop: {sqlite: ./shop.db}
  crm: {http: "@URL/api", @CRM, allowPrivate: [127.0.0.1], retries: 1, breaker: off}
tools:
  get_customer:
    description: One customer.
    scopes: [customer:read]
    rateLimit: 100/s
    parameters: {customer_id: {}}
    bind: {tenant: caller.tenant}
    sql: {source: shop, statement: "SELECT name FROM customers WHERE tenant = :tenant AND id = :customer_id", result: one}
  get_ticket:
    description: One ticket.
    anyAuthenticated: true
    parameters: {ticket_id: {}}
    http: {source: crm, path: "/tickets/{ticket_id}"}
  hasty:
    description: One ticket, at once.
    anyAuthenticated: true
    timeout: 50ms
    http: {source: crm, path: /hasty}
  vip:
    description: For nobody.
    anyAuthenticated: true
    rules: [{deny: "true"}]
    sql: {source: shop, statement: SELECT 1 AS one, result: one}
"#;

/// A server, the API behind it, and its spans.
pub(crate) struct Shop {
    pub(crate) server: TestServer,
    pub(crate) api: Upstream,
    pub(crate) kept: Kept,
    _folder: TempDir,
}

/// The file, with these parts, and the database beside it.
pub(crate) fn written(folder: &TempDir, api: &Upstream, parts: [&str; 3]) -> String {
    let database = rusqlite::Connection::open(folder.path().join("shop.db")).expect("a database");
    let rows = "CREATE TABLE customers (tenant, id, name); INSERT INTO customers VALUES ('acme', 'c-42', 'Jane');";
    database.execute_batch(rows).expect("rows");
    let [auth, quotas, crm] = parts;
    let yaml = YAML.replace("@AUTH", auth).replace("@QUOTAS", quotas);
    let crm = match crm {
        "" => "headers: {Authorization: Bearer open-sesame}",
        other => other,
    };
    yaml.replace("@CRM", crm).replace("@URL", &api.url())
}

impl Shop {
    pub(crate) async fn open(share: f64, parts: [&str; 3]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let api = Upstream::start().await;
        let yaml = written(&folder, &api, parts);
        let builder = declared::configure(&yaml, folder.path()).expect("a good configuration");
        let (tracing, kept) = Kept::share(share);
        let server = TestServer::start(|_| builder.clock(Clock::turned()).tracing(tracing)).await;
        Self {
            server,
            api,
            kept,
            _folder: folder,
        }
    }

    pub(crate) fn caller(&self) -> Caller {
        let claims = json!({"sub": "ada", "tenant": "acme", "scope": "customer:read"});
        Caller::new(self.server.url(), declared::token(claims))
    }
}

pub(crate) fn customer() -> Value {
    json!({"name": "get_customer", "arguments": {"customer_id": "c-42"}})
}

pub(crate) fn ticket() -> Value {
    json!({"name": "get_ticket", "arguments": {"ticket_id": "t-7"}})
}

#[tokio::test]
async fn a_statement_is_a_span_of_its_call_without_its_values() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    let answer = shop.caller().modern("tools/call", customer()).await;
    assert_eq!(answer.body["result"]["structuredContent"]["name"], "Jane");
    assert_eq!(
        shop.kept.tree(),
        "tools/call get_customer (server)\n  execute_tool get_customer\n    SELECT customers (client)\n"
    );
    let statement = shop.kept.named("SELECT customers");
    for (name, value) in [
        ("db.system.name", "sqlite"),
        ("db.operation.name", "SELECT"),
        ("db.query.summary", "SELECT customers"),
        ("db.response.returned_rows", "1"),
        ("tollgate.source", "shop"),
    ] {
        assert_eq!(attribute(&statement, name), value, "{name}");
    }
}

#[tokio::test]
async fn each_try_of_a_request_is_a_span_of_its_call() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    shop.api.says_once("503 Busy\r\nRetry-After: 0", "");
    let answer = shop
        .caller()
        .rest("get_ticket", json!({"ticket_id": "t-7"}))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        shop.kept.tree(),
        "tools/call get_ticket (server)\n  execute_tool get_ticket\n    GET /tickets/{ticket_id} (client) !503\n    GET /tickets/{ticket_id} (client)\n"
    );
    let all = shop.kept.all();
    let mut tries = all.iter().filter(|span| span.name.starts_with("GET"));
    let (first, second) = (tries.next().expect("one"), tries.next().expect("two"));
    let port = shop.api.port().to_string();
    for (name, of_first, of_second) in [
        ("http.request.method", "GET", "GET"),
        ("http.response.status_code", "503", "200"),
        ("http.request.resend_count", "", "1"),
        (
            "url.template",
            "/tickets/{ticket_id}",
            "/tickets/{ticket_id}",
        ),
        ("server.address", "127.0.0.1", "127.0.0.1"),
        ("server.port", &port, &port),
        ("tollgate.source", "crm", "crm"),
    ] {
        let told = (attribute(first, name), attribute(second, name));
        assert_eq!(told, (of_first.to_owned(), of_second.to_owned()), "{name}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_span_alone_and_says_which_rule() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    let answer = shop
        .caller()
        .modern("tools/call", json!({"name": "vip"}))
        .await;
    assert_eq!(answer.body["error"]["code"], 40302);
    assert_eq!(shop.kept.tree(), "tools/call vip (server) !40302\n");
    let span = shop.kept.named("tools/call vip");
    assert_eq!(attribute(&span, "tollgate.error"), "refused-by-rule");
    assert_eq!(attribute(&span, "tollgate.outcome"), "denied");
    let cause = attribute(&span, "tollgate.cause");
    assert!(cause.contains("rules[0]"), "{cause}");
}

#[tokio::test]
async fn no_span_holds_a_secret_an_argument_or_a_result() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    let caller = shop.caller();
    shop.api.says("200 OK", r#"{"body": "result-canary"}"#);
    let spoken = json!({"customer_id": "argument-canary"});
    caller.rest("get_customer", spoken.clone()).await;
    caller.modern("tools/call", ticket()).await;
    let canary = json!({"name": "get_ticket", "arguments": {"ticket_id": "argument-canary"}});
    caller.modern("tools/call", canary).await;
    caller
        .rest("get_ticket", json!({"argument-canary": 1}))
        .await;
    Caller::new(shop.server.url(), "token-canary")
        .rest("vip", spoken)
        .await;
    let all = format!("{:?}", shop.kept.all());
    for part in ["canary", "open-sesame", &caller.token, "t-7", "Jane"] {
        assert!(!all.contains(part), "{part}: {all}");
    }
}
