//! Tasks in a store that replicas share: run by one, served by all, and lost by none without a word.

#[path = "support/held.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod held;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis_server;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/tasks.rs"]
mod tasks;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::json;
use tollgate::testing::TestServer;

use held::Holder;
use redis_server::Redis;
use tasks::{Client, TTL, asks, policy};
use wire::Wire;

/// A replica, and a client of the one caller, whose tokens are good on all.
async fn replica(redis: &Redis, holder: &Holder) -> TestServer {
    let store = redis.settings();
    // Longer than the test may take: what ends it is not its time.
    let hold = holder.tool("hold").timeout(10 * TTL);
    let hold = hold.task(policy().ttl(10 * TTL));
    let hold = hold.max_concurrent(NonZeroU32::MIN);
    TestServer::start(|server| {
        let server = server.tool(asks()).tool(hold).quota_store(store);
        server.shutdown_grace(Duration::from_millis(10))
    })
    .await
}

fn ada(server: &TestServer) -> Client {
    Client::of(server, "ada", &[])
}

#[tokio::test]
async fn any_replica_serves_a_task_that_another_one_runs() {
    let (redis, holder) = (Redis::start(&[]), Holder::default());
    let (one, other) = (
        replica(&redis, &holder).await,
        replica(&redis, &holder).await,
    );
    let task = ada(&one).make("ask").await;
    let asking = ada(&other).until(&task, "input_required").await;
    assert!(asking["inputRequests"]["name.1"].is_object());
    let bob = Client::of(&other, "bob", &[]);
    let denied = bob.ask("tasks/get", &task, json!({})).await;
    assert_eq!(denied.code(), Some(-32602));
    ada(&other).answer(&task, json!({"name": "Ada"})).await;
    let open = ada(&other).get(&task).await;
    assert!(open.get("inputRequests").is_none(), "it was answered");
    for server in [&one, &other] {
        let done = ada(server).until(&task, "completed").await;
        assert_eq!(done["result"]["content"][0]["text"], "Hello, Ada!");
    }
    let key = format!("tollgate:{{task:{task}}}");
    let left: u64 = redis.run(&["PTTL", &key]);
    assert!(left > 0 && left <= 60_000, "it goes by itself: {left}");
}

#[tokio::test]
async fn a_replica_cancels_what_another_one_runs() {
    let (redis, holder) = (Redis::start(&[]), Holder::default());
    let (one, other) = (
        replica(&redis, &holder).await,
        replica(&redis, &holder).await,
    );
    let task = ada(&one).make("hold").await;
    holder.has_begun(1).await;
    ada(&other).cancel(&task).await;
    assert_eq!(ada(&one).get(&task).await["status"], "cancelled");
    // Its place at the tool comes back.
    for _ in 0..20_000 {
        if ada(&one).call("hold").await.body["result"]["resultType"] == "task" {
            return;
        }
    }
    panic!("the run goes on");
}

#[tokio::test]
async fn a_replica_that_goes_says_so_and_one_that_died_is_found_out() {
    let (redis, holder) = (Redis::start(&[]), Holder::default());
    let (one, other) = (
        replica(&redis, &holder).await,
        replica(&redis, &holder).await,
    );
    let task = ada(&one).make("hold").await;
    holder.has_begun(1).await;
    // A copy has all but somebody who runs it.
    let key = |task: &str| format!("tollgate:{{task:{task}}}");
    let _: u64 = redis.run(&["COPY", &key(&task), &key("orphan")]);
    let lost = ada(&other).get("orphan").await;
    assert_eq!(
        (&lost["status"], &lost["error"]["code"]),
        (&json!("failed"), &json!(-32603))
    );
    assert_eq!(lost["statusMessage"], "the server that ran it is gone");
    one.stop().await;
    let cut = ada(&other).until(&task, "failed").await;
    assert_eq!(cut["error"]["code"], 50303, "{cut}");
}

#[tokio::test]
async fn without_its_store_no_task_is_made_and_none_is_called_unknown() {
    let (mut redis, holder) = (Redis::start(&[]), Holder::default());
    let server = replica(&redis, &holder).await;
    let client = ada(&server);
    let task = client.make("ask").await;
    redis.kill();
    let asked = client.ask("tasks/get", &task, json!({})).await;
    assert_eq!(
        (asked.status, asked.code()),
        (503, Some(50305)),
        "{}",
        asked.text
    );
    let made = client.call("hold").await;
    assert_eq!(
        (made.status, made.code()),
        (503, Some(50305)),
        "{}",
        made.text
    );
    assert_eq!(
        holder.begun().len(),
        0,
        "what could not be kept did not run"
    );
    let plain = Wire::of(&server, &[])
        .modern("server/discover", json!({}))
        .send()
        .await;
    assert_eq!(plain.status, 200);
}
