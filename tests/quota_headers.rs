//! What callers are told about several limits: in headers, in the answer, and in words; the same on
//! REST and on `/mcp`. And what the trace keeps of it.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/spans.rs"]
mod spans;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::tool::{Mode, TenantPolicy};
use tollgate::{CallContext, Limit, Per, Quota, Tool, ToolError};

use caller::{Answer, Caller};
use spans::{attribute, watched};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

const DAY: Duration = Duration::from_secs(86_400);

fn tool(name: &str, limits: &[Limit]) -> Tool {
    let tool = Tool::new(name, "Works.").any_authenticated();
    let tool = limits.iter().fold(tool, |tool, limit| tool.limit(*limit));
    tool.handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>("done".to_owned()))
}

/// Two at once and one every five seconds; four a day for a tenant; a hundred for everybody.
fn several() -> [Limit; 3] {
    [
        Limit::new(Quota::per(2, Duration::from_secs(10))),
        Limit::new(Quota::per(4, DAY)).per(Per::Tenant),
        Limit::new(Quota::per_minute(100)).per(Per::Target),
    ]
}

fn work(server: ServerBuilder) -> ServerBuilder {
    server.tool(tool("work", &several()))
}

fn caller(server: &TestServer, tenant: &str) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, "ada", &[]))
}

async fn by(caller: &Caller, way: usize) -> Answer {
    let call = json!({"name": "work", "arguments": {}});
    match way % 3 {
        0 => caller.rest("work", json!({})).await,
        1 => caller.modern("tools/call", call).await,
        _ => caller.legacy("tools/call", call).await,
    }
}

#[tokio::test]
async fn several_limits_are_listed_by_name_in_both_headers_over_every_way_in() {
    let server = TestServer::start(work).await;
    let ada = caller(&server, "acme");
    for way in 0..3 {
        let answer = by(&ada, way).await;
        let policies = "\"10s\";q=2;w=10, \"tenant-1d\";q=4;w=86400, \"target-1m\";q=100;w=60";
        assert_eq!(answer.header("ratelimit-policy"), policies);
        let limits = [
            "\"10s\";r=1;t=5, \"tenant-1d\";r=3;t=21600, \"target-1m\";r=99;t=1",
            "\"10s\";r=0;t=10, \"tenant-1d\";r=2;t=43200, \"target-1m\";r=98;t=2",
            "\"10s\";r=0;t=10, \"tenant-1d\";r=2;t=43200, \"target-1m\";r=98;t=2",
        ];
        assert_eq!(answer.header("ratelimit"), limits[way]);
        let retry = if way == 2 { "5" } else { "" };
        assert_eq!(answer.header("retry-after"), retry);
    }
}

#[tokio::test]
async fn a_refused_caller_is_told_which_limit_and_how_long_in_every_form() {
    let server = TestServer::start(work).await;
    let ada = caller(&server, "acme");
    let refused = |answer: &Answer, way: usize| {
        let (message, wait) = if way == 0 {
            assert_eq!(answer.status, 429);
            (
                answer.body["detail"].clone(),
                answer.body["retryAfterMs"].clone(),
            )
        } else {
            assert_eq!(
                answer.status, 200,
                "clients take another for a broken connection"
            );
            let error = &answer.body["error"];
            assert_eq!(error["code"], 42901);
            (
                error["message"].clone(),
                error["data"]["retryAfterMs"].clone(),
            )
        };
        let text = message.as_str().expect("a text").to_owned();
        (text, wait.as_u64(), answer.header("retry-after").to_owned())
    };
    by(&ada, 0).await;
    by(&ada, 0).await;
    server.clock().advance(Duration::from_micros(2_950_500));
    for way in 0..3 {
        let told = "Rate limit exceeded: 2 per 10s for these calls of the tenant; retry in 2.1 s";
        let (text, wait, header) = refused(&by(&ada, way).await, way);
        assert_eq!(
            (text.as_str(), wait, header.as_str()),
            (told, Some(2_050), "3")
        );
    }
    server.clock().advance(Duration::from_secs(10));
    by(&ada, 0).await;
    by(&ada, 0).await;
    server.clock().advance(Duration::from_secs(3_000));
    for way in 0..3 {
        let told = "Rate limit exceeded: 4 per 1d for all calls of the tenant; retry in 5 h 10 min";
        let (text, wait, header) = refused(&by(&ada, way).await, way);
        // A quarter of a day, but for the 3,012.9505 s that have passed.
        assert_eq!(
            (text.as_str(), wait, header.as_str()),
            (told, Some(18_587_050), "18588")
        );
    }
}

#[tokio::test]
async fn of_two_limits_that_refuse_the_one_that_takes_longer_is_told() {
    let limits = [
        Limit::new(Quota::per(1, Duration::from_secs(3_600))),
        Limit::new(Quota::per(1, Duration::from_secs(10))).per(Per::SubjectTarget),
    ];
    let server = TestServer::start(|server| server.tool(tool("work", &limits))).await;
    let ada = caller(&server, "acme");
    by(&ada, 0).await;
    let refused = by(&ada, 0).await;
    assert_eq!(
        refused.body["detail"],
        "Rate limit exceeded: 1 per 1h for these calls of the tenant; retry in 1 h"
    );
    assert_eq!(refused.header("retry-after"), "3600");
    assert_eq!(
        refused.header("ratelimit"),
        "\"1h\";r=0;t=3600, \"subject-10s\";r=0;t=10"
    );
}

#[tokio::test]
async fn a_limit_in_shadow_mode_is_not_told_and_leaves_the_other_its_plain_name() {
    let shadow = Limit::new(Quota::per(1, DAY)).mode(Mode::Shadow);
    let limits = [several()[0], shadow];
    let only_shadow = [shadow];
    let server = TestServer::start(|server| {
        server
            .tool(tool("work", &limits))
            .tool(tool("free", &only_shadow))
    })
    .await;
    let ada = caller(&server, "acme");
    let answer = by(&ada, 0).await;
    assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=2;w=10");
    assert_eq!(answer.header("ratelimit"), "\"default\";r=1;t=5");
    by(&ada, 0).await;
    let refused = by(&ada, 0).await;
    assert_eq!(
        refused.body["detail"],
        "Rate limit exceeded; retry in 5.0 s"
    );
    let free = ada.rest("free", json!({})).await;
    assert_eq!(
        (free.header("ratelimit"), free.header("ratelimit-policy")),
        ("", "")
    );
}

#[tokio::test]
async fn a_tenant_reads_the_policy_that_is_its_own() {
    let own = TenantPolicy {
        limits: Some(vec![
            Limit::new(Quota::per_minute(60).burst(10)),
            several()[1],
        ]),
        ..TenantPolicy::default()
    };
    let server =
        TestServer::start(|server| server.tool(tool("work", &several()).for_tenant("globex", own)))
            .await;
    let globex = by(&caller(&server, "globex"), 0).await;
    assert_eq!(
        globex.header("ratelimit-policy"),
        "\"1m\";q=10;w=10, \"tenant-1d\";q=4;w=86400"
    );
    assert_eq!(
        globex.header("ratelimit"),
        "\"1m\";r=9;t=1, \"tenant-1d\";r=3;t=21600"
    );
    let acme = by(&caller(&server, "acme"), 0).await;
    assert!(
        acme.header("ratelimit-policy")
            .starts_with("\"10s\";q=2;w=10, "),
        "{acme:?}"
    );
}

#[tokio::test]
async fn the_trace_has_the_limit_that_leaves_the_caller_least() {
    let (tracing, mut spans) = watched();
    let limits = [
        Limit::new(Quota::per_minute(10)),
        Limit::new(Quota::per(20, DAY)).per(Per::Tenant).cost(10),
    ];
    let server =
        TestServer::start(|server| server.tool(tool("work", &limits)).tracing(tracing)).await;
    let ada = caller(&server, "acme");
    for (decision, remaining) in [("admitted", "10"), ("admitted", "0"), ("exceeded", "0")] {
        by(&ada, 0).await;
        let span = spans.next_request().await;
        let attribute = |name: &str| attribute(&span, &format!("tollgate.quota.{name}"));
        assert_eq!(attribute("decision"), decision);
        assert_eq!(
            (attribute("policy").as_str(), attribute("limit").as_str()),
            ("tenant-1d", "20")
        );
        assert_eq!(attribute("remaining"), remaining);
    }
}

#[tokio::test]
async fn other_refusals_that_pass_tell_when_in_the_problem_document_too() {
    let server = TestServer::start(|server| {
        work(server).denial_limit(Quota::per(1, Duration::from_secs(30)))
    })
    .await;
    let ada = caller(&server, "acme");
    let unknown = ada.rest("nope", json!({})).await;
    assert!(
        unknown.body.get("retryAfterMs").is_none(),
        "waiting does not help: {unknown:?}"
    );
    let refused = ada.rest("nope", json!({})).await;
    assert_eq!(
        (refused.status, refused.body["retryAfterMs"].as_u64()),
        (429, Some(30_000))
    );
}
