//! The numbers on the admin listener are those of the calls, exactly; no caller can choose a label;
//! and nobody but operators reads them.

#[path = "metrics/admin.rs"]
mod admin;
#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "metrics/labels.rs"]
mod labels;
#[path = "support/scrape.rs"]
mod scrape;
#[cfg(unix)]
#[path = "metrics/startup.rs"]
mod startup;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::tool::{Mode, ScopeSet};
use tollgate::{CallContext, Clock, Quota, Resource, Rule, Tool, ToolError};

use caller::Caller;
use scrape::Scrape;

const CALLS: &str = "tollgate_calls_total";
const DURATION: &str = "mcp_server_operation_duration_seconds";

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Note {
    id: String,
}

/// Tells that it has begun, and ends when it is dropped.
async fn wait(
    started: UnboundedSender<()>,
    _: CallContext,
    _: Nothing,
) -> Result<String, ToolError> {
    // The test may not listen.
    let _ = started.send(());
    std::future::pending().await
}

fn tools(server: ServerBuilder, started: UnboundedSender<()>) -> ServerBuilder {
    server
        .tool(
            Tool::new("hello", "Says hello.")
                .scope("hello")
                .quota(Quota::per_minute(3))
                .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>("hello".to_owned())),
        )
        .tool(
            Tool::new("wait", "Waits.")
                .scope("hello")
                .handler_with(started, wait),
        )
        .resource(
            Resource::new("notes://{id}", "note")
                .scope("hello")
                .handler(async |_: CallContext, note: Note| Ok::<_, ToolError>(note.id)),
        )
}

fn free_port() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

async fn measured(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> TestServer {
    TestServer::start(|server| {
        set_up(tools(server, unbounded_channel().0).admin_listen(free_port()))
    })
    .await
}

async fn scrape(server: &TestServer) -> Scrape {
    Scrape::of(server.admin_url().expect("an admin listener")).await
}

fn caller(server: &TestServer) -> Caller {
    Caller::new(server.url(), server.token_for("acme", "ada", &["hello"]))
}

#[tokio::test]
async fn calls_are_counted_by_target_and_how_they_ended() {
    let server = measured(|server| server).await;
    let ada = caller(&server);
    let hello = json!({"name": "hello", "arguments": {}});
    for _ in 0..2 {
        ada.rest("hello", json!({})).await;
        ada.modern("tools/call", hello.clone()).await;
    }
    ada.rest("hello", json!([])).await;
    ada.modern("resources/read", json!({"uri": "notes://1"}))
        .await;
    ada.modern("resources/read", json!({"uri": "nothing://1"}))
        .await;
    ada.modern("tools/list", json!({})).await;
    let eve = Caller::new(server.url(), server.token_for("acme", "eve", &[]));
    eve.rest("hello", json!({})).await;

    let numbers = scrape(&server).await;
    let calls = |target, surface, outcome, reason| {
        let labels = [
            ("tollgate_target", target),
            ("tollgate_surface", surface),
            ("tollgate_outcome", outcome),
            ("tollgate_reason", reason),
        ];
        numbers.value(CALLS, &labels)
    };
    assert_eq!(calls("hello", "rest", "ok", "none"), 2.0);
    assert_eq!(calls("hello", "mcp", "ok", "none"), 1.0);
    assert_eq!(calls("hello", "mcp", "denied", "quota-exceeded"), 1.0);
    assert_eq!(calls("hello", "rest", "denied", "insufficient-scope"), 1.0);
    assert_eq!(calls("_other", "rest", "invalid", "body-not-object"), 1.0);
    assert_eq!(calls("notes://{id}", "mcp", "ok", "none"), 1.0);
    assert_eq!(calls("_other", "mcp", "invalid", "unknown-resource"), 1.0);
    assert_eq!(numbers.total(CALLS, &[]), 8.0, "a list is no call");

    let count = format!("{DURATION}_count");
    let lists = [
        ("mcp_method_name", "tools/list"),
        ("tollgate_surface", "mcp"),
    ];
    assert_eq!(numbers.value(&count, &lists), 1.0);
    let limited = [
        ("gen_ai_tool_name", "hello"),
        ("error_type", "quota-exceeded"),
    ];
    assert_eq!(numbers.value(&count, &limited), 1.0);
    assert_eq!(numbers.total(&count, &[]), 9.0);
    assert_eq!(numbers.value("tollgate_calls_in_flight", &[]), 0.0);
    let version = [("tollgate_version", env!("CARGO_PKG_VERSION"))];
    assert_eq!(numbers.value("tollgate_build_info", &version), 1.0);
    let service = [("service_name", "tollgate")];
    assert_eq!(numbers.value("target_info", &service), 1.0);
}

#[tokio::test]
async fn how_long_calls_take_is_told_in_seconds_and_fine_steps() {
    let slow = |clock: Clock| {
        Tool::new("slow", "Takes three milliseconds.")
            .any_authenticated()
            .handler_with(clock, async |clock: Clock, _: CallContext, _: Nothing| {
                clock.advance(Duration::from_millis(3));
                Ok::<_, ToolError>("done".to_owned())
            })
    };
    let clock = Clock::turned();
    let server = measured(|server| server.clock(clock.clone()).tool(slow(clock))).await;
    let ada = caller(&server);
    for _ in 0..4 {
        assert_eq!(ada.rest("slow", json!({})).await.status, 200);
    }
    let numbers = scrape(&server).await;
    let took = |suffix: &str, more: &[(&str, &str)]| {
        let labels = [&[("gen_ai_tool_name", "slow")], more].concat();
        numbers.value(&format!("{DURATION}_{suffix}"), &labels)
    };
    assert_eq!(took("count", &[]), 4.0);
    assert!((took("sum", &[]) - 0.012).abs() < 1e-9);
    assert_eq!(took("bucket", &[("le", "0.002")]), 0.0);
    assert_eq!(took("bucket", &[("le", "0.005")]), 4.0);
    assert_eq!(took("bucket", &[("le", "+Inf")]), 4.0);
}

#[tokio::test]
async fn a_call_that_runs_is_in_flight_and_one_that_was_left_is_cancelled() {
    let (sender, mut started) = unbounded_channel();
    let server = TestServer::start(|server| tools(server, sender).admin_listen(free_port())).await;
    let ada = caller(&server);
    let running = tokio::spawn({
        let ada = ada.clone();
        async move { ada.rest("wait", json!({})).await }
    });
    started.recv().await.expect("it began");
    let numbers = scrape(&server).await;
    assert_eq!(numbers.value("tollgate_calls_in_flight", &[]), 1.0);
    running.abort();
    let cancelled = [
        ("tollgate_target", "wait"),
        ("tollgate_outcome", "cancelled"),
    ];
    for _ in 0..10_000 {
        let numbers = scrape(&server).await;
        if numbers.total(CALLS, &cancelled) == 1.0 {
            assert_eq!(numbers.value("tollgate_calls_in_flight", &[]), 0.0);
            return;
        }
    }
    panic!("it is not told that the call was cancelled");
}

#[tokio::test]
async fn no_caller_can_choose_a_label() {
    let server = measured(|server| server.denial_limit(None)).await;
    let ada = caller(&server);
    for n in 0..50 {
        let made_up = format!("made-up-{n}");
        ada.rest(&made_up, json!({})).await;
        let call = json!({"name": made_up, "arguments": {}});
        ada.modern("tools/call", call).await;
        ada.modern(&made_up, json!({})).await;
        ada.legacy(&made_up, json!({})).await;
        let read = json!({"uri": format!("notes://{made_up}")});
        ada.modern("resources/read", read).await;
        let stranger = Caller::new(server.url(), made_up);
        stranger.rest("hello", json!({})).await;
    }
    let numbers = scrape(&server).await;
    for value in numbers.label_values() {
        assert!(!value.contains("made-up"), "{value}");
        assert!(!value.contains("acme") && !value.contains("ada"), "{value}");
    }
    let unknown = [
        ("tollgate_target", "_other"),
        ("tollgate_reason", "unknown-tool"),
    ];
    assert_eq!(numbers.total(CALLS, &unknown), 100.0);
    let methods = [
        ("mcp_method_name", "_other"),
        ("error_type", "method-not-found"),
    ];
    assert_eq!(numbers.total(&format!("{DURATION}_count"), &methods), 100.0);
}

#[tokio::test]
async fn requests_without_an_identity_are_counted_by_reason() {
    let server = measured(|server| server.failure_limit(Quota::per_second(2))).await;
    let refused = |numbers: &Scrape, reason| {
        numbers.value(
            "tollgate_unauthenticated_total",
            &[("tollgate_reason", reason)],
        )
    };
    let numbers = scrape(&server).await;
    for reason in ["missing", "invalid", "flood"] {
        assert_eq!(refused(&numbers, reason), 0.0, "there from the start");
    }
    let url = format!("{}/mcp/tool/hello", server.url());
    for _ in 0..3 {
        reqwest::Client::new()
            .post(&url)
            .send()
            .await
            .expect("an answer");
    }
    let stranger = Caller::new(server.url(), "bad");
    for _ in 0..7 {
        stranger.rest("hello", json!({})).await;
    }
    let numbers = scrape(&server).await;
    assert_eq!(refused(&numbers, "missing"), 3.0);
    assert_eq!(refused(&numbers, "invalid"), 2.0);
    assert_eq!(refused(&numbers, "flood"), 5.0);
    assert_eq!(numbers.total(CALLS, &[]), 0.0, "no call of anybody's");
    assert_eq!(numbers.total(&format!("{DURATION}_count"), &[]), 0.0);
    assert_eq!(numbers.value("tollgate_failure_limit_sources", &[]), 1.0);
    let uncounted = "tollgate_failure_limit_uncounted_total";
    assert_eq!(numbers.value(uncounted, &[]), 0.0);
}

#[tokio::test]
async fn what_the_edge_refuses_is_counted_by_reason() {
    let server = measured(|server| server).await;
    let client = reqwest::Client::new();
    let url = |path: &str| format!("{}{path}", server.url());
    for request in [
        client.get(url("/nope")),
        client.get(url("/made-up")),
        client.get(url("/mcp")),
        client.post(url("/mcp")).header("host", "evil.example"),
        client
            .post(url("/mcp/tool/hello"))
            .header("origin", "https://evil.example"),
        client
            .get(url("/openapi.json"))
            .header("host", "evil.example"),
    ] {
        let status = request.send().await.expect("an answer").status();
        assert!(status.is_client_error(), "{status}");
    }
    let numbers = scrape(&server).await;
    let refused = |reason| {
        let labels = [("tollgate_reason", reason)];
        numbers.value("tollgate_edge_refusals_total", &labels)
    };
    assert_eq!(refused("no-route"), 2.0);
    assert_eq!(refused("method-not-allowed"), 1.0);
    assert_eq!(refused("forbidden-host"), 2.0);
    assert_eq!(refused("forbidden-origin"), 1.0);
}

#[tokio::test]
async fn what_shadow_mode_would_refuse_is_counted_by_target_and_reason() {
    let server = measured(|server| {
        server.tool(
            Tool::new("shadowed", "Refuses nobody yet.")
                .any_authenticated()
                .shadow_scopes(ScopeSet::all_of(["later"]))
                .shadow_quota(Quota::per(1, Duration::from_secs(60)))
                .rule(Rule::deny("caller.subject == 'ada'").mode(Mode::Shadow))
                .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>("done".to_owned())),
        )
    })
    .await;
    let caller = caller(&server);
    for _ in 0..2 {
        assert_eq!(caller.rest("shadowed", json!({})).await.status, 200);
    }
    let numbers = scrape(&server).await;
    let shadowed = |reason| {
        let labels = [("tollgate_target", "shadowed"), ("tollgate_reason", reason)];
        numbers.value("tollgate_shadow_denials_total", &labels)
    };
    assert_eq!(shadowed("scopes"), 2.0);
    assert_eq!(shadowed("rule"), 2.0);
    assert_eq!(shadowed("quota"), 1.0);
}
