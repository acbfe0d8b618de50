//! Whatever happens to the quota store, every call is decided: by the store, or as `onStoreFailure` says;
//! the first ones wait no longer than `storeTimeout`, the next ones for nothing; and nothing that a
//! replica knows to be spent is given back.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "resilience_quota_store/disasters.rs"]
mod disasters;
#[path = "support/log.rs"]
mod log;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis_server;
#[path = "support/replica.rs"]
mod replica;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/store_proxy.rs"]
mod store_proxy;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tollgate::quota::{DecidedBy, OnStoreFailure, StoreSettings};

use redis_server::{Redis, settings};
use replica::{call, caller, decided, eventually, finds_the_store, good, replica, served, state};
use scrape::Scrape;

/// What the issue promises, with room for a busy machine.
const RECOVERY: Duration = Duration::from_secs(5);

fn with_mode(store: StoreSettings, on_failure: OnStoreFailure) -> StoreSettings {
    StoreSettings {
        on_failure,
        ..store
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_store_stalls_calls_never_reach_it_and_local_buckets_decide() {
    let redis = Redis::start(&[]);
    let (url, dials) = store_proxy::start(redis.socket()).await;
    let server = replica(&settings(&url)).await;
    assert_eq!(served(&server, 2).await, 2);
    dials.stalls.store(true, Ordering::SeqCst);
    // All that wait are set free by the first whose time is up.
    let mut waiting = JoinSet::new();
    for _ in 0..50 {
        let caller = caller(&server, "acme");
        waiting.spawn(async move { caller.rest("lookup", good()).await.status });
    }
    let statuses = waiting.join_all().await;
    let through = statuses.iter().filter(|status| **status == 200).count();
    assert_eq!(through, 3, "two were spent: {statuses:?}");
    finds_the_store(&server, false).await;
    let asked = dials.calls.load(Ordering::SeqCst);
    assert_eq!(served(&server, 200).await, 0);
    assert_eq!(
        dials.calls.load(Ordering::SeqCst),
        asked,
        "nobody waited again"
    );
    assert!(decided(&server, DecidedBy::Local) >= 200);

    dials.stalls.store(false, Ordering::SeqCst);
    eventually(RECOVERY, || state(&server).is_up).await;
    assert_eq!(
        served(&server, 5).await,
        0,
        "what was spent meanwhile stays spent"
    );
    let by_store = decided(&server, DecidedBy::Store);
    assert!(by_store >= 7, "{by_store}");
}

#[tokio::test]
async fn a_store_that_answers_every_other_request_is_left_alone() {
    let redis = Redis::start(&[]);
    let (url, dials) = store_proxy::start(redis.socket()).await;
    let mut store = settings(&url);
    store.timeout = Duration::from_millis(200);
    let server = replica(&store).await;
    assert_eq!(served(&server, 1).await, 1);
    dials.flaps.store(true, Ordering::SeqCst);
    // Until it is found out for the second time: one proof was enough after the first.
    let flapping = async {
        while state(&server).transitions < 4 && dials.calls.load(Ordering::SeqCst) < 20 {
            call(&server).await;
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(10), flapping).await;
    finds_the_store(&server, false).await;
    let asked = dials.calls.load(Ordering::SeqCst);
    served(&server, 300).await;
    let more = dials.calls.load(Ordering::SeqCst) - asked;
    assert!(more <= 2, "{more} calls of 300 went to a store that fails");
}

#[tokio::test]
async fn deny_refuses_with_503_and_takes_the_server_out_of_service() {
    let mut redis = Redis::start(&[]);
    let server = replica(&with_mode(redis.settings(), OnStoreFailure::Deny)).await;
    assert_eq!(call(&server).await.status, 200);
    redis.kill();
    let refused = call(&server).await;
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.body["type"], "urn:tollgate:error:quota-unavailable");
    let message = json!({"name": "lookup", "arguments": good()});
    let refused = caller(&server, "acme").modern("tools/call", message).await;
    assert_eq!(
        (refused.status, &refused.body["error"]["code"]),
        (503, &json!(50301))
    );
    assert_eq!(
        readiness(&server).await,
        (
            503,
            json!({"status": "quota store unavailable", "quotas": "deny"})
        )
    );
    assert_eq!(decided(&server, DecidedBy::Denied), 2);
    redis.restart();
    eventually(RECOVERY, || state(&server).is_up).await;
    assert_eq!(
        readiness(&server).await,
        (200, json!({"status": "ready", "quotas": "store"}))
    );
    assert_eq!(
        served(&server, 6).await,
        4,
        "the store had forgotten the first, the server had not"
    );
}

#[tokio::test]
async fn allow_lets_calls_through_uncounted_and_the_numbers_say_so() {
    log::listen();
    let mut redis = Redis::start(&[]);
    let server = replica(&with_mode(redis.settings(), OnStoreFailure::Allow)).await;
    assert_eq!(served(&server, 6).await, 5);
    redis.kill();
    let through = call(&server).await;
    assert_eq!((through.status, through.header("ratelimit")), (200, ""));
    assert_eq!(served(&server, 20).await, 20);
    assert_eq!(
        readiness(&server).await,
        (200, json!({"status": "ready", "quotas": "allow"}))
    );
    let numbers = Scrape::of(server.admin_url().expect("one")).await;
    let decisions = |by| {
        numbers.value(
            "tollgate_quota_decisions_total",
            &[("tollgate_quota_decided_by", by)],
        )
    };
    assert_eq!((decisions("store"), decisions("allowed")), (6.0, 21.0));
    assert_eq!((decisions("local"), decisions("denied")), (0.0, 0.0));
    assert_eq!(numbers.value("tollgate_quota_store_up", &[]), 0.0);
    assert_eq!(
        numbers.value("tollgate_quota_store_transitions_total", &[]),
        2.0
    );
    assert_eq!(
        numbers.value("tollgate_quota_store_duration_seconds_count", &[]),
        6.0
    );
    let socket = redis.socket().display().to_string();
    let said = log::lines_with(&socket);
    let fails = said
        .iter()
        .filter(|line| line.contains("the quota store fails"))
        .count();
    assert_eq!(fails, 1, "one line for one failure: {said:#?}");

    redis.restart();
    eventually(RECOVERY, || state(&server).is_up).await;
    assert_eq!(
        served(&server, 5).await,
        0,
        "what was known to be spent stays spent"
    );
}

#[tokio::test]
async fn a_server_starts_without_its_store_and_finds_it_later() {
    let mut redis = Redis::start(&[]);
    redis.kill();
    let server = replica(&redis.settings()).await;
    assert_eq!(served(&server, 6).await, 5);
    assert_eq!(decided(&server, DecidedBy::Local), 6);
    redis.restart();
    eventually(RECOVERY, || state(&server).is_up).await;
    assert_eq!(
        served(&server, 5).await,
        0,
        "the store learns what was spent before it came"
    );
    let other = replica(&redis.settings()).await;
    assert_eq!(served(&other, 5).await, 0, "and tells the others");
}

#[tokio::test]
async fn an_answer_that_is_none_counts_as_a_failure() {
    let redis = Redis::start(&[]);
    let (url, dials) = store_proxy::start(redis.socket()).await;
    let server = replica(&settings(&url)).await;
    assert_eq!(served(&server, 1).await, 1);
    dials.babbles.store(true, Ordering::SeqCst);
    assert_eq!(served(&server, 5).await, 4);
    finds_the_store(&server, false).await;
    dials.babbles.store(false, Ordering::SeqCst);
    eventually(RECOVERY, || state(&server).is_up).await;
}

#[tokio::test]
async fn no_password_of_the_store_is_told_to_anybody() {
    log::listen();
    let (redis, port) =
        Redis::start_on_port(&["--port", "PORT", "--requirepass", "opensesame-4711"]);
    let url = format!("redis://:wrong-secret-0815@127.0.0.1:{port}");
    let server = replica(&settings(&url)).await;
    assert_eq!(served(&server, 6).await, 5, "each replica for itself");
    assert!(!state(&server).is_up);
    let said = log::lines_with(&format!("127.0.0.1:{port}"));
    assert!(
        said.iter()
            .any(|line| line.contains("refuses the user name or the password")),
        "{said:#?}"
    );
    for secret in ["wrong-secret-0815", "opensesame-4711"] {
        let told = log::lines_with(secret);
        let ours: Vec<_> = told
            .iter()
            .filter(|line| line.contains("tollgate"))
            .collect();
        assert!(ours.is_empty(), "{ours:#?}");
    }
    drop(redis);
}

async fn readiness(server: &tollgate::testing::TestServer) -> (u16, serde_json::Value) {
    let response = reqwest::get(format!("{}/readyz", server.url())).await;
    let response = response.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).expect("JSON"))
}
