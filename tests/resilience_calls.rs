//! Every call ends, however it ends, and gives back what it held.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/held.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod held;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;

use std::future::pending;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::task::{JoinSet, yield_now};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use caller::Caller;
use held::{counts, hello};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

const SHORT: Duration = Duration::from_millis(30);
/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(30);

fn tool(name: &str) -> Tool {
    Tool::new(name, "Ends in its own way.")
        .any_authenticated()
        .timeout(SHORT)
}

async fn endless(_: CallContext, _: Nothing) -> Result<(), ToolError> {
    pending().await
}

/// Blocks its thread until it is told that nobody waits.
fn blocks(call: &CallContext) {
    while !call.is_over() {
        thread::yield_now();
    }
}

/// One tool for each way to end.
fn tools(server: ServerBuilder) -> ServerBuilder {
    let two = NonZeroU32::new(2).expect("more than none");
    let panics =
        async |_: CallContext, _: Nothing| -> Result<(), ToolError> { panic!("on purpose") };
    let explodes = async |_: CallContext, _: Nothing| -> Result<(), ToolError> {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("on purpose, when dropped");
            }
        }
        let _bomb = Bomb;
        pending().await
    };
    let blocking = |call: CallContext, _: Nothing| {
        blocks(&call);
        Ok(())
    };
    let blocking_panic =
        |_: CallContext, _: Nothing| -> Result<(), ToolError> { panic!("on purpose") };
    server
        .tool(hello())
        .tool(tool("endless").handler(endless))
        .tool(
            tool("narrow")
                .max_concurrent(two)
                .max_concurrent_per_tenant(NonZeroU32::MIN)
                .max_wait(SHORT / 2)
                .handler(endless),
        )
        .tool(tool("panics").handler(panics))
        .tool(tool("explodes").handler(explodes))
        .tool(tool("blocks").blocking_handler(blocking))
        .tool(tool("blocks_and_panics").blocking_handler(blocking_panic))
        .tool(
            tool("closed")
                .max_wait(SHORT / 2)
                .handler(endless)
                .scope("nobody has it"),
        )
        .max_in_flight(64)
        .admin_listen(SocketAddr::from(([127, 0, 0, 1], 0)))
}

/// The next number of a fixed sequence (Knuth's MMIX generator).
fn next(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 40).expect("24 bits")
}

async fn one_call(caller: Caller, kind: usize) {
    let names = [
        "hello",
        "endless",
        "narrow",
        "panics",
        "explodes",
        "blocks",
        "blocks_and_panics",
        "closed",
        "unknown",
    ];
    let params = |name| json!({"name": name, "arguments": {}});
    match kind % 13 {
        9 => drop(caller.rest("hello", json!({"name": 1})).await),
        10 => drop(caller.modern("tools/list", json!({})).await),
        11 => drop(caller.modern("tools/call", params("narrow")).await),
        // Goes on when its client leaves, until its time is up.
        12 => drop(caller.legacy("tools/call", params("narrow")).await),
        kind => drop(caller.rest(names[kind], json!({})).await),
    }
}

async fn nothing_is_left(server: &TestServer) {
    for name in [
        "tollgate_calls_in_flight",
        "tollgate_tenants_in_flight",
        "tollgate_target_calls_running",
        "tollgate_target_calls_waiting",
    ] {
        counts(server, name, &[], 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_calls_that_end_in_every_way_and_any_order_nothing_is_held() {
    let server = TestServer::start(tools).await;
    let callers: Vec<_> = (0..5)
        .map(|index| {
            let token = server.token_for(&format!("tenant-{index}"), "ada", &[]);
            Caller::new(server.url(), token)
        })
        .collect();
    let (mut state, mut calls) = (42, JoinSet::new());
    for _ in 0..1_000 {
        let caller = callers[next(&mut state) % callers.len()].clone();
        let (kind, leaves) = (next(&mut state), next(&mut state).is_multiple_of(3));
        let call = calls.spawn(one_call(caller, kind));
        if leaves {
            // At one moment or another: before it is sent, while it waits, while it runs.
            for _ in 0..next(&mut state) % 64 {
                yield_now().await;
            }
            call.abort();
        }
        while calls.len() > 40 {
            calls.join_next().await;
        }
    }
    while calls.join_next().await.is_some() {}
    nothing_is_left(&server).await;

    // Every place is there to be taken: the narrow tool's two, by two tenants, and the threads.
    let mut last = JoinSet::new();
    for caller in &callers[..2] {
        let caller = caller.clone();
        last.spawn(async move { caller.rest("narrow", json!({})).await.status });
    }
    for index in 0..32 {
        let caller = callers[index % callers.len()].clone();
        last.spawn(async move { caller.rest("blocks", json!({})).await.status });
    }
    assert_eq!(last.join_all().await, vec![504; 34]);
    nothing_is_left(&server).await;
}

/// A tool whose function tells when it begins and when it returns.
fn telling(news: Sender<&'static str>, timeout: Duration) -> Tool {
    let function = move |call: CallContext, _: Nothing| {
        let _ = news.send("begun");
        blocks(&call);
        let _ = news.send("told");
        Ok(())
    };
    tool("blocks").timeout(timeout).blocking_handler(function)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_function_is_told_of_its_deadline_and_of_a_caller_that_leaves() {
    for (timeout, leaves) in [(SHORT, false), (Duration::from_secs(600), true)] {
        let (news, hears) = channel();
        let server = TestServer::start(|server| server.tool(telling(news, timeout))).await;
        let caller = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
        let call = tokio::spawn(async move { caller.rest("blocks", json!({})).await.status });
        let hears = tokio::task::spawn_blocking(move || {
            let begun = hears.recv_timeout(PATIENCE);
            (begun, hears)
        });
        let (begun, hears) = hears.await.expect("no panic");
        assert_eq!(begun, Ok("begun"));
        if leaves {
            call.abort();
        } else {
            assert_eq!(call.await.expect("no panic"), 504);
        }
        assert_eq!(hears.recv_timeout(PATIENCE), Ok("told"));
    }
}

#[tokio::test]
async fn a_blocking_function_answers_and_fails_like_any_other() {
    let double = |_: CallContext, args: Amount| match args.amount {
        13 => Err(ToolError::refused("not that one")),
        amount => Ok(amount * 2),
    };
    let server =
        TestServer::start(|server| server.tool(tool("double").blocking_handler(double))).await;
    let caller = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
    let good = caller.rest("double", json!({"amount": 21})).await;
    assert_eq!(good.body, json!({"ok": true, "result": 42}));
    let bad = caller.rest("double", json!({"amount": "21"})).await;
    assert_eq!(bad.status, 400);
    let refused = caller.rest("double", json!({"amount": 13})).await;
    assert_eq!(
        (refused.status, &refused.body["detail"]),
        (422, &json!("not that one"))
    );
}

#[derive(Deserialize, JsonSchema)]
struct Amount {
    amount: u64,
}
