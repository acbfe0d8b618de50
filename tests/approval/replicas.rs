//! Replicas with one secret and one store: what one of them asked for, another takes, and all of them
//! together once.

use serde_json::json;
use tollgate::quota::OnStoreFailure;

use crate::redis::Redis;
use crate::world::{World, answered, asked, call, served};

const SECRET: &[u8] = b"n6Gq3Wc8TzV1yKf5RbX0sJdLh7Pm2UaE";

async fn replica(redis: &Redis) -> World {
    let mut settings = redis.settings();
    settings.on_failure = OnStoreFailure::Allow;
    World::with(|server| server.quota_store(settings).state_secret(SECRET)).await
}

#[tokio::test]
async fn an_approval_is_used_once_among_replicas() {
    let redis = Redis::start(&[]);
    let (one, other) = (replica(&redis).await, replica(&redis).await);
    // Each trusts its own issuer; the caller is the same.
    let state = asked(&call(&one.ada(), "refund", 250, json!({})).await);
    let yes = answered(&state, "accept");
    served(
        &call(&other.ada(), "refund", 250, yes.clone()).await,
        "paid 250",
    );
    asked(&call(&one.ada(), "refund", 250, yes.clone()).await);
    asked(&call(&other.ada(), "refund", 250, yes.clone()).await);
    assert_eq!(one.runs() + other.runs(), 1);
    let keys = redis.keys();
    let [key] = &keys[..] else { panic!("{keys:?}") };
    assert!(
        key.starts_with("tollgate:{") && key.ends_with("}:once"),
        "{key}"
    );
    let left: i64 = redis.run(&["PTTL", key]);
    assert!((1..=900_000).contains(&left), "{left}");
    // A store that forgets gives nothing back to who used it.
    let _: String = redis.run(&["FLUSHALL"]);
    asked(&call(&other.ada(), "refund", 250, yes).await);
    assert_eq!(one.runs() + other.runs(), 1);
}

#[tokio::test]
async fn while_the_store_fails_no_approval_is_used() {
    let mut redis = Redis::start(&[]);
    let world = replica(&redis).await;
    let state = asked(&call(&world.ada(), "refund", 250, json!({})).await);
    redis.kill();
    let answer = call(&world.ada(), "refund", 250, answered(&state, "accept")).await;
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (503, &json!(50301))
    );
    assert_eq!(world.runs(), 0);
    // What needs none goes on.
    served(
        &call(&world.ada(), "refund", 50, json!({})).await,
        "paid 50",
    );
}

#[tokio::test]
async fn a_replica_with_another_secret_takes_nothing() {
    let (one, other) = (World::start().await, World::start().await);
    let state = asked(&call(&one.ada(), "refund", 250, json!({})).await);
    let answer = call(&other.ada(), "refund", 250, answered(&state, "accept")).await;
    assert_eq!(answer.body["error"]["code"], -32602, "{answer:?}");
    assert_eq!(other.runs(), 0);
}
