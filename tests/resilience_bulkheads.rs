//! One slow tool and one greedy tenant leave the others alone, whatever is configured or is not;
//! and who waits for a place gets it in turn.
//!
//! The slow tool runs until the test lets it go, so nothing here depends on time.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/held.rs"]
mod held;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::{JoinHandle, JoinSet};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::tool::TenantPolicy;

use caller::{Answer, Caller};
use held::{Holder, counts, hello};

const RUNNING: &str = "tollgate_target_calls_running";
const WAITING: &str = "tollgate_target_calls_waiting";
const HOLD: [(&str, &str); 1] = [("tollgate_target", "hold")];
/// Longer than any test.
const LONG: Duration = Duration::from_secs(600);

fn number(calls: u32) -> NonZeroU32 {
    NonZeroU32::new(calls).expect("more than none")
}

async fn serve(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> TestServer {
    TestServer::start(|server| {
        set_up(server.tool(hello())).admin_listen(SocketAddr::from(([127, 0, 0, 1], 0)))
    })
    .await
}

fn caller(server: &TestServer, tenant: &str) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, "ada", &[]))
}

/// A call of `tool` that waits for its answer elsewhere.
fn start(caller: &Caller, tool: &'static str, name: &str) -> JoinHandle<Answer> {
    let (caller, arguments) = (caller.clone(), json!({ "name": name }));
    tokio::spawn(async move { caller.rest(tool, arguments).await })
}

async fn all_are_served(caller: &Caller, calls: usize) {
    for _ in 0..calls {
        let answer = caller.rest("hello", json!({})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

async fn nothing_is_left(server: &TestServer) {
    counts(server, "tollgate_calls_in_flight", &[], 0.0).await;
    counts(server, "tollgate_tenants_in_flight", &[], 0.0).await;
    counts(server, RUNNING, &[], 0.0).await;
    counts(server, WAITING, &[], 0.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_callers_of_a_tool_that_hangs_leave_the_others_half_of_the_places() {
    let holder = Holder::default();
    let server = serve(|server| server.tool(holder.tool("hold")).max_in_flight(64)).await;
    let mut hanging = JoinSet::new();
    for index in 0..200 {
        // Many tenants, so that it is the tool's own bound that holds.
        let caller = caller(&server, &format!("tenant-{}", index % 20));
        hanging.spawn(async move { caller.rest("hold", json!({})).await.status });
    }
    let mut refused = 0;
    while refused < 200 - 32 {
        let status = hanging
            .join_next()
            .await
            .expect("a call")
            .expect("no panic");
        // 503 for those that came while the others were still being refused.
        assert!([429, 503].contains(&status), "{status}");
        refused += 1;
    }
    counts(&server, RUNNING, &HOLD, 32.0).await;
    all_are_served(&caller(&server, "globex"), 200).await;

    holder.let_go(32);
    let rest = hanging.join_all().await;
    assert_eq!(rest, vec![200; 32]);
    nothing_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_greedy_tenant_leaves_the_others_half_of_the_places() {
    let holder = Holder::default();
    let server = serve(|server| {
        server
            .tool(holder.tool("hold").max_concurrent(number(16)))
            .max_in_flight(16)
    })
    .await;
    let (greedy, other) = (caller(&server, "greedy"), caller(&server, "globex"));
    let hanging: Vec<_> = (0..8).map(|_| start(&greedy, "hold", "")).collect();
    holder.has_begun(8).await;

    let refused = greedy.rest("hello", json!({})).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    assert_eq!(
        refused.body["type"],
        "urn:tollgate:error:too-many-of-tenant"
    );
    let text = "Too many calls of your tenant are running; retry shortly";
    assert_eq!(refused.body["detail"], text);
    let mcp = greedy
        .modern("tools/call", json!({"name": "hello", "arguments": {}}))
        .await;
    assert_eq!(
        (mcp.status, &mcp.body["error"]["code"]),
        (200, &json!(42902))
    );
    assert_eq!(mcp.body["error"]["data"]["retryAfterMs"], 1_000);
    let list = greedy.modern("tools/list", json!({})).await;
    assert!(list.body["result"]["tools"].is_array(), "{list:?}");
    all_are_served(&other, 100).await;
    counts(&server, "tollgate_tenants_in_flight", &[], 1.0).await;
    let labels = [("tollgate_reason", "too-many-of-tenant")];
    counts(&server, "tollgate_calls_total", &labels, 2.0).await;

    holder.let_go(8);
    for call in hanging {
        assert_eq!(call.await.expect("no panic").status, 200);
    }
    assert_eq!(greedy.rest("hello", json!({})).await.status, 200);
    nothing_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_gets_a_place_in_turn_and_the_line_has_an_end() {
    let holder = Holder::default();
    let tool = holder.tool("hold").max_concurrent(NonZeroU32::MIN);
    let tool = tool.max_wait(LONG).timeout(2 * LONG);
    let server = serve(|server| server.tool(tool)).await;
    let caller = caller(&server, "acme");
    let mut calls = Vec::new();
    for (index, name) in ["first", "b", "c", "leaves", "e"].iter().enumerate() {
        calls.push(start(&caller, "hold", name));
        counts(&server, RUNNING, &HOLD, 1.0).await;
        counts(&server, WAITING, &HOLD, index as f64).await;
    }
    let refused = caller.rest("hold", json!({})).await;
    assert_eq!(refused.status, 429, "four wait for each place: {refused:?}");
    assert_eq!(
        refused.body["detail"],
        "Too many calls of this tool are running; retry shortly"
    );
    calls.remove(3).abort();
    counts(&server, WAITING, &HOLD, 3.0).await;

    holder.let_go(4);
    for call in calls {
        assert_eq!(call.await.expect("no panic").status, 200);
    }
    assert_eq!(holder.begun(), ["first", "b", "c", "e"]);
    nothing_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_with_a_share_waits_in_a_line_of_its_own() {
    let holder = Holder::default();
    let tool = holder
        .tool("hold")
        .max_concurrent(number(3))
        .max_concurrent_per_tenant(NonZeroU32::MIN)
        .for_tenant(
            "big",
            TenantPolicy {
                per_tenant: Some(number(2)),
                ..TenantPolicy::default()
            },
        );
    let tool = tool.max_wait(LONG).timeout(2 * LONG);
    let server = serve(|server| server.tool(tool)).await;
    let (greedy, big) = (caller(&server, "greedy"), caller(&server, "big"));
    let mut calls = vec![start(&greedy, "hold", "greedy")];
    holder.has_begun(1).await;
    for waiting in 1..=4 {
        calls.push(start(&greedy, "hold", "greedy"));
        counts(&server, WAITING, &HOLD, f64::from(waiting)).await;
    }
    let refused = greedy.rest("hold", json!({})).await;
    assert_eq!(
        refused.body["type"],
        "urn:tollgate:error:too-many-of-tenant"
    );
    calls.push(start(&big, "hold", "big"));
    calls.push(start(&big, "hold", "big"));
    holder.has_begun(3).await;
    assert_eq!(holder.begun(), ["greedy", "big", "big"]);

    holder.let_go(7);
    for call in calls {
        assert_eq!(call.await.expect("no panic").status, 200);
    }
    nothing_is_left(&server).await;
}

#[tokio::test]
async fn a_wait_for_a_place_is_refused_at_its_end() {
    let holder = Holder::default();
    let tool = holder.tool("hold").max_concurrent(NonZeroU32::MIN);
    let tool = tool.max_wait(Duration::from_millis(20));
    let server = serve(|server| server.tool(tool)).await;
    let caller = caller(&server, "acme");
    let first = start(&caller, "hold", "first");
    holder.has_begun(1).await;
    let refused = caller
        .rest("hold", Value::Object(serde_json::Map::new()))
        .await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"));
    holder.let_go(1);
    assert_eq!(first.await.expect("no panic").status, 200);
    assert_eq!(holder.begun(), ["first"]);
    nothing_is_left(&server).await;
}
