//! A limit is exact, belongs to one tenant and one target over every way in, and tells when to
//! come back.

#[path = "support/caller.rs"]
mod caller;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Quota, Resource, Tool, ToolError};

use caller::{Answer, Caller};

#[derive(Deserialize, JsonSchema)]
struct Lookup {
    id: String,
}

async fn look_up(_: CallContext, lookup: Lookup) -> Result<String, ToolError> {
    Ok(lookup.id)
}

fn tool(name: &str, quota: Quota) -> Tool {
    Tool::new(name, "Looks something up.")
        .scope("read")
        .quota(quota)
        .handler(look_up)
}

/// Five at once, then one every two seconds.
const FIVE: Quota = Quota::per(5, Duration::from_secs(10));

async fn server() -> TestServer {
    TestServer::start(|server| {
        server
            .tool(tool("lookup", FIVE))
            .tool(tool("other", FIVE))
            .resource(
                Resource::new("things://{id}", "thing")
                    .scope("read")
                    .quota(FIVE)
                    .handler(look_up),
            )
    })
    .await
}

fn caller(server: &TestServer, tenant: &str) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, "ada", &["read"]))
}

fn good() -> Value {
    json!({"id": "c-42"})
}

fn call(name: &str) -> Value {
    json!({"name": name, "arguments": good()})
}

/// How many of `attempts` calls one after the other are served.
async fn served(caller: &Caller, tool: &str, attempts: usize) -> usize {
    let mut served = 0;
    for _ in 0..attempts {
        served += usize::from(caller.rest(tool, good()).await.status == 200);
    }
    served
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_calls_at_once_on_a_limit_of_five_give_five() {
    let server = server().await;
    let caller = caller(&server, "acme");
    let mut calls = JoinSet::new();
    for _ in 0..200 {
        let caller = caller.clone();
        calls.spawn(async move { caller.rest("lookup", good()).await.status });
    }
    let statuses = calls.join_all().await;
    let count = |status| statuses.iter().filter(|seen| **seen == status).count();
    assert_eq!((count(200), count(429)), (5, 195));
}

#[tokio::test]
async fn rest_and_both_eras_of_mcp_and_two_tokens_share_a_tenants_bucket() {
    let server = server().await;
    let ada = caller(&server, "acme");
    let bob = Caller::new(
        server.url(),
        server.token_for("acme", "bob", &["read", "more"]),
    );
    let remaining = |answer: Answer| {
        assert_eq!(answer.status, 200);
        assert!(answer.body["error"].is_null(), "{answer:?}");
        answer.header("ratelimit").to_owned()
    };
    assert_eq!(
        remaining(ada.rest("lookup", good()).await),
        "\"default\";r=4;t=2"
    );
    assert_eq!(
        remaining(ada.modern("tools/call", call("lookup")).await),
        "\"default\";r=3;t=4"
    );
    assert_eq!(
        remaining(bob.legacy("tools/call", call("lookup")).await),
        "\"default\";r=2;t=6"
    );
    assert_eq!(
        remaining(bob.rest("lookup", good()).await),
        "\"default\";r=1;t=8"
    );
    assert_eq!(
        remaining(bob.modern("tools/call", call("lookup")).await),
        "\"default\";r=0;t=10"
    );
    for caller in [&ada, &bob] {
        assert_eq!(caller.rest("lookup", good()).await.status, 429);
        for refused in [
            caller.modern("tools/call", call("lookup")).await,
            caller.legacy("tools/call", call("lookup")).await,
        ] {
            // Clients take another status for a broken connection.
            assert_eq!(refused.status, 200);
            assert_eq!(refused.body["error"]["code"], 42901);
            assert_eq!(refused.body["error"]["data"]["retryAfterMs"], 2_000);
            assert_eq!(refused.header("retry-after"), "2");
            assert_eq!(refused.header("ratelimit"), "\"default\";r=0;t=10");
            assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=5;w=10");
        }
    }
}

#[tokio::test]
async fn tenants_tools_and_resources_do_not_share_a_bucket() {
    let server = server().await;
    let acme = caller(&server, "acme");
    assert_eq!(served(&acme, "lookup", 7).await, 5);
    for tenant in ["globex", "ACME", "acm", "acme "] {
        assert_eq!(served(&caller(&server, tenant), "lookup", 7).await, 5);
    }
    assert_eq!(served(&acme, "other", 7).await, 5);

    // One bucket for a template, whatever the URI.
    for index in 0..7 {
        let uri = json!({"uri": format!("things://{index}")});
        let read = acme.modern("resources/read", uri).await;
        if index < 5 {
            assert_eq!(
                read.body["result"]["contents"][0]["text"],
                index.to_string()
            );
        } else {
            assert_eq!(read.body["error"]["code"], 42901);
        }
    }
}

#[tokio::test]
async fn a_call_refused_for_its_scope_or_its_token_is_not_charged() {
    let server = server().await;
    let scopeless = Caller::new(server.url(), server.token_for("acme", "eve", &[]));
    for _ in 0..10 {
        let refused = scopeless.rest("lookup", good()).await;
        assert_eq!(refused.status, 403);
        assert_eq!(refused.header("ratelimit"), "");
        assert_eq!(
            Caller::new(server.url(), "bad")
                .rest("lookup", good())
                .await
                .status,
            401
        );
    }
    assert_eq!(served(&caller(&server, "acme"), "lookup", 7).await, 5);
}

#[tokio::test]
async fn a_call_refused_for_its_quota_is_not_charged_again() {
    let server = server().await;
    let caller = caller(&server, "acme");
    assert_eq!(served(&caller, "lookup", 50).await, 5);
    server.clock().advance(Duration::from_secs(2));
    assert_eq!(served(&caller, "lookup", 3).await, 1);
}

#[tokio::test]
async fn a_call_with_bad_arguments_is_charged_because_the_quota_comes_before_the_schema() {
    let server = server().await;
    let caller = caller(&server, "acme");
    for remaining in (2..5).rev() {
        let refused = caller.rest("lookup", json!({"id": 42})).await;
        assert_eq!(refused.status, 400);
        let limit = format!("\"default\";r={remaining};t={}", (5 - remaining) * 2);
        assert_eq!(refused.header("ratelimit"), limit);
    }
    let refused = caller
        .modern("tools/call", json!({"name": "lookup", "arguments": {}}))
        .await;
    assert_eq!(refused.body["result"]["isError"], true);
    assert_eq!(refused.header("ratelimit"), "\"default\";r=1;t=8");
    assert_eq!(served(&caller, "lookup", 7).await, 1);
}

#[tokio::test]
async fn a_tenant_over_its_quota_is_told_when_to_retry_to_the_millisecond() {
    let server = server().await;
    let caller = caller(&server, "acme");
    assert_eq!(served(&caller, "lookup", 5).await, 5);
    server.clock().advance(Duration::from_millis(300));

    let refused = caller.rest("lookup", good()).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.body["type"], "urn:tollgate:error:quota-exceeded");
    assert_eq!(
        refused.body["detail"],
        "Rate limit exceeded; retry in 1.7 s"
    );
    assert_eq!(
        refused.header("retry-after"),
        "2",
        "whole seconds, never too early"
    );
    let refused = caller.modern("tools/call", call("lookup")).await;
    assert_eq!(refused.body["error"]["data"]["retryAfterMs"], 1_700);

    server.clock().advance(Duration::from_millis(1_699));
    let refused = caller.modern("tools/call", call("lookup")).await;
    assert_eq!(refused.body["error"]["data"]["retryAfterMs"], 1);
    assert_eq!(refused.header("retry-after"), "1");
    server.clock().advance(Duration::from_millis(1));
    assert_eq!(served(&caller, "lookup", 2).await, 1);
}

#[tokio::test]
async fn waiting_for_retry_after_is_always_enough() {
    let quota = Quota::per(3, Duration::from_secs(7)).burst(2);
    let server = TestServer::start(|server| server.tool(tool("lookup", quota))).await;
    let caller = caller(&server, "acme");
    for _ in 0..10 {
        while caller.rest("lookup", good()).await.status == 200 {}
        let refused = caller.rest("lookup", good()).await;
        let wait = refused.header("retry-after").parse().unwrap();
        server.clock().advance(Duration::from_secs(wait));
        assert_eq!(caller.rest("lookup", good()).await.status, 200);
    }
}

#[tokio::test]
async fn one_call_comes_back_each_interval_and_never_more_than_the_burst() {
    let server = server().await;
    let caller = caller(&server, "acme");
    assert_eq!(served(&caller, "lookup", 7).await, 5);
    for _ in 0..5 {
        server.clock().advance(Duration::from_secs(2));
        assert_eq!(served(&caller, "lookup", 3).await, 1);
    }
    server.clock().advance(Duration::from_secs(6));
    assert_eq!(served(&caller, "lookup", 5).await, 3);
    server.clock().advance(Duration::from_secs(600));
    assert_eq!(served(&caller, "lookup", 9).await, 5);
}

#[tokio::test]
async fn a_burst_is_what_comes_at_once_and_the_rate_what_comes_after() {
    let server = TestServer::start(|server| {
        server
            .tool(tool("wide", Quota::per_minute(60).burst(10)))
            .tool(tool("narrow", Quota::per_minute(60).burst(1)))
    })
    .await;
    let caller = caller(&server, "acme");
    for (name, burst, policy) in [
        ("wide", 10, "\"default\";q=10;w=10"),
        ("narrow", 1, "\"default\";q=1;w=1"),
    ] {
        assert_eq!(served(&caller, name, burst + 3).await, burst);
        server.clock().advance(Duration::from_secs(1));
        let answer = caller.rest(name, good()).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), policy);
        assert_eq!(caller.rest(name, good()).await.status, 429);
    }
}

#[tokio::test]
async fn the_headers_tell_the_bucket_after_each_call_of_a_whole_sequence() {
    let server = server().await;
    let caller = caller(&server, "acme");
    // Seconds the clock is turned by, then what is answered.
    for (turn, status, remaining, reset, retry_after) in [
        (0, 200, 4, 2, ""),
        (0, 200, 3, 4, ""),
        (1, 200, 2, 5, ""),
        (0, 200, 1, 7, ""),
        (0, 200, 0, 9, ""),
        (0, 429, 0, 9, "1"),
        (1, 200, 0, 10, ""),
        (0, 429, 0, 10, "2"),
        (0, 429, 0, 10, "2"),
        (5, 200, 1, 7, ""),
        (100, 200, 4, 2, ""),
    ] {
        server.clock().advance(Duration::from_secs(turn));
        let answer = caller.rest("lookup", good()).await;
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.header("ratelimit"),
            format!("\"default\";r={remaining};t={reset}")
        );
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=5;w=10");
        assert_eq!(answer.header("retry-after"), retry_after);
    }
}

#[tokio::test]
async fn a_tool_without_a_limit_has_no_rate_limit_headers() {
    let server = TestServer::start(|server| {
        server.tool(
            Tool::new("free", "Unlimited.")
                .scope("read")
                .handler(look_up),
        )
    })
    .await;
    let answer = caller(&server, "acme").rest("free", good()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("ratelimit"), "");
    assert_eq!(answer.header("ratelimit-policy"), "");
}
