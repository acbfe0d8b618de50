//! A caller who is refused again and again stops learning anything from it, and goes on doing what it
//! may; nobody else notices.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/caller.rs"]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/limited.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod limited;
#[path = "support/log.rs"]
mod log;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/session.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod session;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use it")]
mod slow;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Quota, Resource, Rule, Tool, ToolError};

use caller::{Answer, Caller};
use limited::Limits;
use scrape::Scrape;
use spans::{attribute, watched};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

/// Three, then one every ten seconds.
const THREE: Quota = Quota::per(3, Duration::from_secs(30));

async fn work(_: CallContext, _: Nothing) -> Result<String, ToolError> {
    Ok("done".to_owned())
}

fn tools(server: ServerBuilder) -> ServerBuilder {
    let tool = |name: &str| Tool::new(name, "Works.").any_authenticated().handler(work);
    server
        .tool(tool("open").quota(Quota::per_minute(5)))
        .tool(tool("scoped").scope("admin"))
        .tool(tool("ruled").rule(Rule::deny("caller.subject != 'root'")))
        .tool(tool("hidden").enabled(false))
        .resource(
            Resource::new("secrets://all", "all")
                .scope("admin")
                .handler(work),
        )
        .denial_limit(THREE)
}

fn caller(server: &TestServer, tenant: &str, subject: &str) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, subject, &[]))
}

async fn rest(caller: &Caller, tool: &str) -> Answer {
    caller.rest(tool, json!({})).await
}

async fn statuses<const N: usize>(caller: &Caller, tools: [&str; N]) -> [u16; N] {
    let mut statuses = [0; N];
    for (status, tool) in statuses.iter_mut().zip(tools) {
        *status = rest(caller, tool).await.status;
    }
    statuses
}

#[tokio::test]
async fn over_the_limit_every_refusal_looks_the_same() {
    let server = TestServer::start(tools).await;
    let eve = caller(&server, "acme", "eve");
    assert_eq!(
        statuses(&eve, ["scoped", "ruled", "hidden"]).await,
        [403, 403, 404]
    );
    for tool in ["scoped", "ruled", "hidden", "nope"] {
        let mut refused = rest(&eve, tool).await;
        assert_eq!((refused.status, refused.header("retry-after")), (429, "10"));
        assert_eq!(
            refused.header("www-authenticate"),
            "",
            "a scope is not asked for"
        );
        assert_eq!(refused.header("ratelimit"), "");
        refused.body["callId"] = json!("");
        assert_eq!(
            refused.body,
            json!({
                "type": "urn:tollgate:error:too-many-denials",
                "title": "Too Many Requests",
                "status": 429,
                "detail": "Too many refused calls; retry in 10.0 s",
                "callId": "",
                "retryAfterMs": 10_000,
            })
        );
    }
}

#[tokio::test]
async fn on_mcp_it_is_the_same_for_tools_and_resources_in_both_eras() {
    let server = TestServer::start(tools).await;
    let eve = caller(&server, "acme", "eve");
    for uri in ["secrets://all", "secrets://none", "nope://"] {
        let refused = eve.modern("resources/read", json!({"uri": uri})).await;
        assert_ne!(refused.body["error"]["code"], 42905, "{refused:?}");
    }
    for (method, params) in [
        ("resources/read", json!({"uri": "secrets://all"})),
        ("resources/read", json!({"uri": "secrets://none"})),
        ("tools/call", json!({"name": "scoped", "arguments": {}})),
        ("tools/call", json!({"name": "nope", "arguments": {}})),
    ] {
        for refused in [
            eve.modern(method, params.clone()).await,
            eve.legacy(method, params.clone()).await,
        ] {
            assert_eq!((refused.status, refused.header("retry-after")), (200, "10"));
            let error = &refused.body["error"];
            assert_eq!(
                (&error["code"], &error["data"]["retryAfterMs"]),
                (&json!(42905), &json!(10_000))
            );
            assert_eq!(error["message"], "Too many refused calls; retry in 10.0 s");
            assert_eq!(error["data"].as_object().expect("data").len(), 2, "{error}");
        }
    }
}

#[tokio::test]
async fn what_a_caller_may_do_it_may_go_on_doing_and_others_notice_nothing() {
    let server = TestServer::start(tools).await;
    let eve = caller(&server, "acme", "eve");
    statuses(&eve, ["nope"; 3]).await;
    assert_eq!(
        statuses(&eve, ["nope", "open", "nope", "open"]).await,
        [429, 200, 429, 200]
    );
    assert!(!eve.modern("tools/list", json!({})).await.body["result"]["tools"].is_null());
    for (tenant, subject) in [("acme", "ada"), ("globex", "eve")] {
        let other = caller(&server, tenant, subject);
        assert_eq!(statuses(&other, ["nope", "scoped"]).await, [404, 403]);
    }
    // And no quota was touched by all of it.
    let ada = rest(&caller(&server, "acme", "ada"), "open").await;
    assert_eq!(ada.header("ratelimit"), "\"default\";r=2;t=36");
}

#[tokio::test]
async fn another_refusal_is_told_each_interval() {
    let server = TestServer::start(tools).await;
    let eve = caller(&server, "acme", "eve");
    assert_eq!(statuses(&eve, ["nope"; 5]).await, [404, 404, 404, 429, 429]);
    server.clock().advance(Duration::from_millis(9_999));
    assert_eq!(statuses(&eve, ["nope"]).await, [429]);
    server.clock().advance(Duration::from_millis(1));
    assert_eq!(statuses(&eve, ["nope"; 2]).await, [404, 429]);
    server.clock().advance(Duration::from_secs(60));
    assert_eq!(statuses(&eve, ["nope"; 4]).await, [404, 404, 404, 429]);
}

#[tokio::test]
async fn sixty_a_minute_are_told_by_default_and_all_where_the_limit_is_off() {
    let by_default = TestServer::start(|server| server).await;
    let plain = Limits::default().serve().await;
    let off = Limits {
        sections: "quotas: {denialLimit: unlimited}",
        ..Limits::default()
    };
    let two = Limits {
        sections: "quotas: {denialLimit: 2/1h}",
        ..Limits::default()
    };
    let (off, two) = (off.serve().await, two.serve().await);
    for (caller, told) in [
        (caller(&by_default, "acme", "eve"), 60),
        (plain.caller("acme", "eve"), 60),
        (off.caller("acme", "eve"), 70),
        (two.caller("acme", "eve"), 2),
    ] {
        let mut seen = 0;
        for _ in 0..70 {
            seen += usize::from(rest(&caller, "nope").await.status == 404);
        }
        assert_eq!(seen, told);
    }
}

#[tokio::test]
async fn the_record_keeps_the_reason_and_the_log_names_the_caller_once() {
    log::listen();
    let (tracing, mut spans) = watched();
    let server = TestServer::start(|server| {
        tools(server)
            .tracing(tracing)
            .admin_listen(([127, 0, 0, 1], 0).into())
    })
    .await;
    let eve = caller(&server, "acme", "eve-who-probes");
    statuses(&eve, ["nope"; 3]).await;
    statuses(&eve, ["scoped", "hidden"]).await;
    for _ in 0..3 {
        spans.next_request().await;
    }
    for cause in ["insufficient-scope", "unknown-tool"] {
        let span = spans.next_request().await;
        assert_eq!(attribute(&span, "tollgate.error"), "too-many-denials");
        assert_eq!(attribute(&span, "tollgate.cause"), cause);
    }
    let lines = log::lines_with("eve-who-probes");
    let warned: Vec<_> = lines.iter().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warned.len(), 1, "{lines:#?}");
    assert!(
        warned[0].contains("too many refused calls of one caller"),
        "{warned:?}"
    );
    let numbers = Scrape::of(server.admin_url().expect("an admin listener")).await;
    assert_eq!(numbers.value("tollgate_denial_limit_callers", &[]), 1.0);
    assert_eq!(
        numbers.value("tollgate_denial_limit_uncounted_total", &[]),
        0.0
    );
    let refused = [("tollgate_reason", "too-many-denials")];
    assert_eq!(numbers.total("tollgate_calls_total", &refused), 2.0);
}

#[test]
fn on_stdio_too() {
    let limits = Limits {
        sections: "quotas: {denialLimit: 1/1h}",
        ..Limits::default()
    };
    let mut session = session::Session::start(limits.folder(), &[]);
    let mut ask = |id: u32, tool: &str| {
        let answer = session.ask(&session::call(id, tool, json!({})));
        answer["error"]["code"].clone()
    };
    assert_eq!(ask(1, "nope"), -32602);
    assert_eq!(ask(2, "nope"), 42905);
    assert!(ask(3, "lookup").is_null());
}
