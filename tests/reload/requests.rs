//! No request is lost: those that run end as they began, those that come meanwhile are served by
//! the one configuration or the other, and what served before is let go of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::Semaphore;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use crate::{Nothing, ada, status, tool};

const CALLERS: usize = 20;
const CALLS_EACH: usize = 100;
const RELOADS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_calls_during_fifty_reloads_are_all_served() {
    let server = Arc::new(TestServer::start(|server| server.tool(tool("a"))).await);
    let calling = Arc::new(AtomicBool::new(true));
    let reloading = tokio::spawn({
        let (server, calling) = (Arc::clone(&server), Arc::clone(&calling));
        async move {
            let mut reloads = 0;
            while reloads < RELOADS || calling.load(Ordering::Relaxed) {
                let other = ["b", "c", "d"][reloads % 3];
                let reloaded = server.reload(|server| server.tool(tool(other)).tool(tool("a")));
                reloads += 1;
                let generation = reloaded.await.expect("good").generation;
                assert_eq!(generation, reloads as u64 + 1);
            }
        }
    });
    let callers = (0..CALLERS).map(|number| {
        let ada = ada(&server);
        tokio::spawn(async move {
            for call in 0..CALLS_EACH {
                let answer = if (number + call) % 2 == 0 {
                    ada.rest("a", json!({})).await
                } else {
                    let params = json!({"name": "a", "arguments": {}});
                    ada.modern("tools/call", params).await
                };
                assert_eq!(answer.status, 200, "{answer:?}");
                assert!(answer.body["error"].is_null(), "{answer:?}");
            }
        })
    });
    for caller in join_all(callers).await {
        caller.expect("every call was served");
    }
    calling.store(false, Ordering::Relaxed);
    reloading.await.expect("every reload was carried out");
}

#[tokio::test]
async fn what_served_before_lives_until_its_last_call_is_done_and_no_longer() {
    let alive = Arc::new(());
    let gates = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let held = Tool::new("hold", "Ends when it is told to.")
        .scope("read")
        .handler_with(
            (
                Arc::clone(&gates.0),
                Arc::clone(&gates.1),
                Arc::clone(&alive),
            ),
            async |held: (Arc<Semaphore>, Arc<Semaphore>, Arc<()>), _: CallContext, _: Nothing| {
                held.0.add_permits(1);
                let permit = held.1.acquire().await;
                permit.expect("never closed").forget();
                Ok::<_, ToolError>("done".to_owned())
            },
        );
    let server = TestServer::start(|server| server.tool(held)).await;
    let ada = ada(&server);
    let running = tokio::spawn({
        let ada = ada.clone();
        async move { ada.rest("hold", json!({})).await }
    });
    gates.0.acquire().await.expect("never closed").forget();
    server
        .reload(|server| server.tool(tool("a")))
        .await
        .expect("good");
    assert_eq!(status(&ada, "hold").await, 404);
    assert!(Arc::strong_count(&alive) > 1, "a call uses it");
    gates.1.add_permits(1);
    let answer = running.await.expect("no panic");
    assert_eq!(
        (answer.status, &answer.body["result"]),
        (200, &json!("done"))
    );
    // The connection's task lets go of it a moment after the client has read the answer.
    for _ in 0..10_000 {
        if Arc::strong_count(&alive) == 1 {
            return;
        }
        assert_eq!(status(&ada, "a").await, 200);
    }
    panic!("nobody uses it, and it is there");
}

#[tokio::test]
async fn a_call_that_outlives_its_client_outlives_the_reload_as_well() {
    let (begun, go_on) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let done = Arc::new(Semaphore::new(0));
    let gates = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&done));
    type Gates = (Arc<Semaphore>, Arc<Semaphore>, Arc<Semaphore>);
    let hold = Tool::new("hold", "Ends when it is told to.")
        .scope("read")
        .handler_with(gates, async |gates: Gates, _: CallContext, _: Nothing| {
            gates.0.add_permits(1);
            let permit = gates.1.acquire().await;
            permit.expect("never closed").forget();
            gates.2.add_permits(1);
            Ok::<_, ToolError>("done".to_owned())
        });
    let server = TestServer::start(|server| server.tool(hold)).await;
    let ada = ada(&server);
    // Before 2026-07-28 a client that leaves does not cancel.
    let calling = tokio::spawn(async move {
        let params = json!({"name": "hold", "arguments": {}});
        ada.legacy("tools/call", params).await
    });
    begun.acquire().await.expect("never closed").forget();
    calling.abort();
    let _ = calling.await;
    server.reload(|server| server).await.expect("good");
    let stopping = tokio::spawn(server.stop());
    go_on.add_permits(1);
    done.acquire()
        .await
        .expect("it ended as it would have")
        .forget();
    stopping.await.expect("no panic");
}
