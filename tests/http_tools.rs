//! Tools declared in YAML on an HTTP API of the test's own: arguments stay where they belong, nothing
//! of the caller is passed on, and no answer costs more than it may.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/declared.rs"]
mod declared;
#[path = "http_tools/load.rs"]
mod load;
#[path = "support/log.rs"]
mod log;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "http_tools/trouble.rs"]
mod trouble;
#[path = "support/upstream.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod upstream;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::testing::TestServer;

use caller::{Answer, Caller};
use upstream::Upstream;

const YAML: &str = r#"
auth:
  issuers:
    - {issuer: https://ci.example.com/, audiences: [https://tools.example.com/mcp], secret: "${SECRET}"}
sources:
  crm:
    http: @URL/api/
    headers: {Authorization: Bearer open-sesame, X-Key: open-sesame}
    allowPrivate: [127.0.0.0/8]
    retries: 0
    breaker: off
  named: {http: "http://localhost:@PORT", allowPrivate: [127.0.0.1, "::1"]}
  unlisted: {http: "http://localhost:@PORT", allowPrivate: [10.0.0.0/8], breaker: off}
tools:
  get_ticket:
    description: One ticket.
    anyAuthenticated: true
    timeout: 5s
    parameters:
      ticket_id: {}
      status: {required: false}
      limit: {type: integer, default: 10}
    bind: {tenant: caller.tenant, who: caller.subject}
    http:
      source: crm
      path: /tickets/{ticket_id}/view
      query: {state: status, n: limit}
      headers: {X-Tenant: tenant, X-User: who}
      maxBytes: 1000
  slow_ticket:
    description: One ticket, soon or never.
    anyAuthenticated: true
    timeout: 100ms
    http: {source: crm, path: /slow}
  open_ticket:
    description: Opens a ticket.
    anyAuthenticated: true
    parameters:
      subject: {type: string}
      labels: {type: array, required: false}
    bind: {tenant: caller.tenant}
    http: {source: crm, method: POST, path: "/{tenant}/tickets", body: {title: subject, labels: labels}}
  export:
    description: Tickets as text.
    anyAuthenticated: true
    http: {source: crm, path: /export, result: text, maxBytes: 20}
  exists:
    description: Whether there are tickets.
    anyAuthenticated: true
    http: {source: crm, method: HEAD, path: /tickets}
  by_name:
    description: An API by its name.
    anyAuthenticated: true
    http: {source: named, path: /}
  inside:
    description: An API where none may be.
    anyAuthenticated: true
    http: {source: unlisted, path: /}
resources:
  "tickets://{id}":
    name: ticket
    anyAuthenticated: true
    http: {source: crm, path: "/tickets/{id}"}
"#;

/// A server and the API behind it.
struct Desk {
    server: TestServer,
    api: Upstream,
    _folder: TempDir,
}

impl Desk {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let api = Upstream::start().await;
        let yaml = YAML.replace("@URL", &api.url());
        let yaml = yaml.replace("@PORT", &api.port().to_string());
        let server = declared::serve(&yaml, folder.path()).await;
        Self {
            server,
            api,
            _folder: folder,
        }
    }

    fn caller(&self, tenant: &str) -> Caller {
        let token = declared::token(json!({"sub": "ada", "tenant": tenant}));
        Caller::new(self.server.url(), token)
    }

    async fn call(&self, tool: &str, arguments: Value) -> Answer {
        self.caller("acme").rest(tool, arguments).await
    }

    async fn ticket(&self) -> Answer {
        self.call("get_ticket", json!({"ticket_id": "t-1"})).await
    }
}

/// What the tool told the model instead of an answer.
fn refusal(answer: &Answer) -> (u16, &str) {
    let text = answer.body["detail"].as_str();
    (answer.status, text.expect("a text"))
}

#[tokio::test]
async fn arguments_and_identity_stand_where_the_file_puts_them() {
    let desk = Desk::open().await;
    desk.api.says("200 OK", r#"{"id":"t-1","open":true}"#);
    let arguments = json!({"ticket_id": "t-1", "status": ["new", "a&b=c"]});
    let answer = desk.call("get_ticket", arguments).await;
    assert_eq!(answer.body["result"], json!({"id": "t-1", "open": true}));

    let asked = desk.api.asked().remove(0);
    assert_eq!(
        asked.line,
        "GET /api/tickets/t-1/view?n=10&state=new&state=a%26b%3Dc"
    );
    for line in [
        "authorization: bearer open-sesame\r\n",
        "x-key: open-sesame\r\n",
        "x-tenant: acme\r\n",
        "x-user: ada\r\n",
        "accept: application/json\r\n",
    ] {
        assert_eq!(asked.head.matches(line).count(), 1, "{line}{}", asked.head);
    }
    assert_eq!(asked.body, "");
}

#[tokio::test]
async fn nothing_of_the_callers_own_request_is_passed_on() {
    let desk = Desk::open().await;
    let caller = desk.caller("acme");
    let request = caller
        .client
        .post(format!("{}/mcp/tool/get_ticket", caller.url))
        .bearer_auth(&caller.token)
        .header("cookie", "session=1")
        .header("x-tenant", "globex")
        .header("x-forwarded-for", "192.0.2.7")
        .header(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        .json(&json!({"ticket_id": "t-1"}));
    assert_eq!(request.send().await.unwrap().status(), 200);
    let asked = desk.api.asked().remove(0);
    let token = caller.token.to_ascii_lowercase();
    for part in [
        token.as_str(),
        "cookie",
        "globex",
        "forwarded",
        "traceparent",
    ] {
        assert!(!asked.head.contains(part), "{part}: {}", asked.head);
    }
}

#[tokio::test]
async fn a_body_is_one_json_object_of_the_arguments_that_were_given() {
    let desk = Desk::open().await;
    let subject = "\"}, {\"admin\": true";
    let answer = desk
        .call("open_ticket", json!({ "subject": subject }))
        .await;
    assert_eq!(answer.status, 200);
    let asked = desk.api.asked().remove(0);
    assert_eq!(asked.line, "POST /api/acme/tickets");
    assert!(asked.head.contains("content-type: application/json\r\n"));
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    assert_eq!(body, json!({ "title": subject }));
}

#[tokio::test]
async fn an_argument_in_a_path_stays_one_segment_or_is_refused_unasked() {
    let desk = Desk::open().await;
    for (value, segment) in [
        (json!("a/b?c=d#e"), "a%2Fb%3Fc%3Dd%23e"),
        (json!("50%"), "50%25"),
        (json!("日 本"), "%E6%97%A5%20%E6%9C%AC"),
        (json!("//evil.example"), "%2F%2Fevil.example"),
        (json!("@evil.example:1"), "%40evil.example%3A1"),
        (json!(-1.5), "-1.5"),
        (json!(true), "true"),
        (json!(u64::MAX), "18446744073709551615"),
    ] {
        let answer = desk.call("get_ticket", json!({"ticket_id": value})).await;
        assert_eq!(answer.status, 200, "{value}: {}", answer.body);
        let asked = desk.api.asked().pop().unwrap();
        assert_eq!(asked.line, format!("GET /api/tickets/{segment}/view?n=10"));
    }
    let before = desk.api.times();
    for value in [
        json!(""),
        json!("."),
        json!(".."),
        json!("../../admin"),
        json!("..%2f..%2fadmin"),
        json!("%252e%252e%252fadmin"),
        json!("..;/admin"),
        json!("..\\admin"),
        json!("a\u{0}"),
        json!("a%00"),
        json!("a\r\nHost: evil.example"),
        // One more than 64 bits hold, and another number by the time that it is read.
        serde_json::from_str("18446744073709551617").expect("a number"),
        json!(null),
        json!(["a"]),
        json!({"a": 1}),
        json!("x".repeat(100_000)),
        json!("%25".repeat(2_600)),
    ] {
        let answer = desk.call("get_ticket", json!({"ticket_id": value})).await;
        assert_eq!(answer.status, 400, "{value}: {}", answer.body);
    }
    let long = json!({"ticket_id": "t-1", "status": "é".repeat(2_000)});
    assert_eq!(desk.call("get_ticket", long).await.status, 400);
    assert_eq!(desk.api.times(), before, "none of them was sent");
}

#[tokio::test]
async fn a_tenant_that_does_not_fit_is_refused_unasked() {
    let desk = Desk::open().await;
    for tenant in ["..", "../globex"] {
        let caller = desk.caller(tenant);
        let answer = caller.rest("open_ticket", json!({"subject": "s"})).await;
        assert_eq!(answer.status, 400, "{}", answer.body);
    }
    for tenant in [" acme", "acmé", "acme globex"] {
        let caller = desk.caller(tenant);
        let answer = caller.rest("get_ticket", json!({"ticket_id": "t"})).await;
        assert_eq!(refusal(&answer), (502, "A system behind the tool failed"));
    }
    assert_eq!(desk.api.times(), 0);
}

#[tokio::test]
async fn an_answer_is_json_or_text_or_nothing() {
    let desk = Desk::open().await;
    desk.api.says("200 OK", "id;open\n");
    let answer = desk.call("export", json!({})).await;
    assert_eq!(answer.body["result"], "id;open\n");
    desk.api.says("204 No Content", "");
    assert_eq!(desk.ticket().await.body["result"], Value::Null);
    desk.api
        .writes("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
    let answer = desk.call("exists", json!({})).await;
    assert_eq!(answer.body, json!({"ok": true, "result": null}));
    assert_eq!(desk.api.asked().pop().unwrap().line, "HEAD /api/tickets");
}

#[tokio::test]
async fn a_resource_is_read_from_an_api_and_one_that_is_missing_is_not_found() {
    let desk = Desk::open().await;
    desk.api.says("200 OK", r#"{"id":"t/1"}"#);
    let params = json!({"uri": "tickets://t%2F1"});
    let read = desk
        .caller("acme")
        .modern("resources/read", params.clone())
        .await;
    assert_eq!(
        read.body["result"]["contents"][0]["text"],
        r#"{"id":"t/1"}"#
    );
    assert_eq!(
        desk.api.asked().pop().unwrap().line,
        "GET /api/tickets/t%2F1"
    );
    desk.api.says("404 Not Found", "secret of the API");
    let read = desk.caller("acme").modern("resources/read", params).await;
    assert_eq!(read.body["error"]["message"], "Resource not found");
}

#[tokio::test]
async fn a_name_is_connected_to_only_where_its_address_may_be_reached() {
    let desk = Desk::open().await;
    assert_eq!(desk.call("by_name", json!({})).await.status, 200);
    let before = desk.api.times();
    let answer = desk.call("inside", json!({})).await;
    assert_eq!(refusal(&answer), (502, "A system behind the tool failed"));
    assert_eq!(desk.api.times(), before);
}

#[tokio::test]
async fn no_secret_header_is_logged_at_any_level() {
    log::listen();
    let desk = Desk::open().await;
    desk.ticket().await;
    desk.api.says("500 Internal Server Error", "open-sesame");
    desk.ticket().await;
    assert!(!log::lines_with("get_ticket").is_empty());
    assert_eq!(log::lines_with("open-sesame"), Vec::<String>::new());
}
