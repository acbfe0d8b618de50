//! What was counted stays counted: tokens that were spent, places that are taken, numbers that were
//! told.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Quota, Tool, ToolError};

use crate::scrape::Scrape;
use crate::{Nothing, ada, status, tool};

/// Five at once, then one every two seconds.
const FIVE: Quota = Quota::per(5, Duration::from_secs(10));

#[tokio::test]
async fn a_spent_bucket_stays_spent_whatever_else_changes_around_it() {
    let server = TestServer::start(|server| server.tool(tool("a").quota(FIVE))).await;
    let ada = ada(&server);
    for _ in 0..5 {
        assert_eq!(status(&ada, "a").await, 200);
    }
    assert_eq!(status(&ada, "a").await, 429);
    // Another tool stands in its place, and it stands elsewhere.
    let reloaded = server.reload(|server| {
        let others = server.tool(tool("z").quota(FIVE)).tool(tool("b"));
        others.tool(tool("a").quota(FIVE))
    });
    reloaded.await.expect("good");
    assert_eq!(status(&ada, "a").await, 429, "spent is spent");
    assert_eq!(status(&ada, "z").await, 200, "by itself alone");
    // Gone, and back again.
    server.reload(|server| server).await.expect("good");
    assert_eq!(status(&ada, "a").await, 404);
    let again = server.reload(|server| server.tool(tool("a").quota(FIVE)));
    again.await.expect("good");
    assert_eq!(status(&ada, "a").await, 429);
    server.clock().advance(Duration::from_secs(2));
    assert_eq!(status(&ada, "a").await, 200);
    assert_eq!(status(&ada, "a").await, 429);
}

#[tokio::test]
async fn another_limit_gives_nothing_back_of_what_was_spent() {
    let server = TestServer::start(|server| server.tool(tool("a").quota(FIVE))).await;
    let ada = ada(&server);
    for _ in 0..5 {
        assert_eq!(status(&ada, "a").await, 200);
    }
    // Twice as many in the same time: an empty bucket is empty, and fills twice as fast.
    let ten = Quota::per(10, Duration::from_secs(10));
    let faster = server.reload(|server| server.tool(tool("a").quota(ten)));
    faster.await.expect("good");
    assert_eq!(status(&ada, "a").await, 429);
    server.clock().advance(Duration::from_secs(1));
    assert_eq!(status(&ada, "a").await, 200);
    assert_eq!(status(&ada, "a").await, 429);
    // One in ten seconds: an empty bucket is empty there, too.
    let one = Quota::per(1, Duration::from_secs(10));
    let slower = server.reload(|server| server.tool(tool("a").quota(one)));
    slower.await.expect("good");
    assert_eq!(status(&ada, "a").await, 429);
}

/// A tool with one place, whose calls end when `go_on` says so.
fn held(begun: &Arc<Semaphore>, go_on: &Arc<Semaphore>) -> Tool {
    let gates = (Arc::clone(begun), Arc::clone(go_on));
    Tool::new("held", "Ends when it is told to.")
        .scope("read")
        .max_concurrent(NonZeroU32::MIN)
        .handler_with(
            gates,
            async |gates: (Arc<Semaphore>, Arc<Semaphore>), _: CallContext, _: Nothing| {
                gates.0.add_permits(1);
                let permit = gates.1.acquire().await;
                permit.expect("never closed").forget();
                Ok::<_, ToolError>("done".to_owned())
            },
        )
}

#[tokio::test]
async fn a_place_that_a_call_took_before_is_taken_after() {
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let server = TestServer::start(|server| server.tool(held(&begun, &go_on))).await;
    let ada = ada(&server);
    let running = tokio::spawn({
        let ada = ada.clone();
        async move { status(&ada, "held").await }
    });
    begun.acquire().await.expect("never closed").forget();
    let other = server.reload(|server| server.tool(tool("a")).tool(held(&begun, &go_on)));
    other.await.expect("good");
    assert_ne!(status(&ada, "held").await, 200, "its one place is taken");
    go_on.add_permits(2);
    assert_eq!(running.await.expect("no panic"), 200);
    assert_eq!(status(&ada, "held").await, 200);
}

#[tokio::test]
async fn numbers_go_on_and_tell_tools_apart_by_name() {
    let admin = ([127, 0, 0, 1], 0).into();
    let server = TestServer::start(|server| server.admin_listen(admin).tool(tool("a"))).await;
    let ada = ada(&server);
    assert_eq!(status(&ada, "a").await, 200);
    let reloaded = server.reload(|server| {
        let server = server.admin_listen(admin);
        server.tool(tool("b")).tool(tool("a"))
    });
    assert_eq!(
        reloaded.await.expect("good").needs_restart,
        [""; 0],
        "the same address"
    );
    for name in ["a", "b"] {
        assert_eq!(ada.rest(name, json!({})).await.body["result"], name);
    }
    let numbers = Scrape::of(server.admin_url().expect("one")).await;
    let calls = |name| numbers.value("tollgate_calls_total", &[("tollgate_target", name)]);
    assert_eq!((calls("a"), calls("b")), (2.0, 1.0));
}
