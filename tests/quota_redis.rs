//! Replicas that share a Redis server count as one: exactly, by the server's clock, in keys that go away
//! by themselves and that nobody shares by accident.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "quota_redis/layouts.rs"]
mod layouts;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis_server;
#[path = "support/replica.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod replica;
#[path = "quota_redis/script.rs"]
mod script;

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tollgate::access::authorize;
use tollgate::auth::Principal;
use tollgate::quota::{DecidedBy, StoreSettings};
use tollgate::server::Server;
use tollgate::tool::TargetRef;
use tollgate::trace::Trace;
use tollgate::{Limit, Per, Quota};

use caller::Caller;
use redis_server::Redis;
use replica::{FIVE, PATIENCE, call, caller, decided, eventually, good, replica_with, tool};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_under_four_hundred_calls_at_once_let_a_limit_of_five_through() {
    let redis = Redis::start(&[]);
    let replicas = [
        replica::replica(&redis.settings()).await,
        replica::replica(&redis.settings()).await,
    ];
    let mut calls = JoinSet::new();
    for n in 0..400 {
        let caller = caller(&replicas[n % 2], "acme");
        calls.spawn(async move {
            if n % 4 < 2 {
                return caller.rest("lookup", good()).await.status == 200;
            }
            let call = json!({"name": "lookup", "arguments": good()});
            let answer = caller.modern("tools/call", call).await;
            assert_eq!(answer.status, 200);
            let exceeded = answer.body["error"]["code"] == 42901;
            assert!(exceeded || answer.body["result"]["isError"] != true);
            !exceeded
        });
    }
    let served = calls.join_all().await.into_iter().filter(|served| *served);
    assert_eq!(served.count(), 5);
    let by_store = replicas
        .iter()
        .map(|server| decided(server, DecidedBy::Store));
    assert_eq!(by_store.sum::<u64>(), 400, "every one was counted there");
    let other = caller(&replicas[1], "globex").rest("lookup", good()).await;
    assert_eq!(other.status, 200, "another tenant has its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_calls_take_nothing_however_long_they_are_on_their_way() {
    let redis = Redis::start(&[]);
    let settings = StoreSettings {
        timeout: Duration::from_secs(1),
        ..redis.settings()
    };
    // On the clock that goes on: how far a bucket has filled on the way is what this is about.
    let server = || {
        let tool = tool("lookup", &[Limit::new(FIVE)]);
        let server = Server::builder().quota_store(settings.clone()).tool(tool);
        Arc::new(server.build().expect("a server"))
    };
    let replicas = [server(), server()];
    let ada = Arc::new(Principal::configured("acme", "ada", ["read"]).expect("a caller"));
    for n in 0..5 {
        assert!(is_admitted(&replicas[n % 2], &ada).await);
    }
    let full_again = || {
        let keys = redis.keys();
        let bucket = keys.iter().find(|key| key.ends_with(":lookup"));
        redis.run::<String>(&["GET", bucket.expect("a bucket")])
    };
    let before = full_again();
    // No two take the same time, least of all beside each other.
    let mut calls = JoinSet::new();
    for n in 0..400 {
        let (replica, ada) = (Arc::clone(&replicas[n % 2]), Arc::clone(&ada));
        calls.spawn(async move { is_admitted(&replica, &ada).await });
    }
    assert!(
        calls
            .join_all()
            .await
            .iter()
            .all(|is_admitted| !is_admitted)
    );
    for replica in &replicas {
        let state = replica.pipeline().quotas.store_state().expect("a store");
        let by_others = state
            .decisions
            .iter()
            .filter(|(by, _)| *by != DecidedBy::Store);
        assert_eq!(by_others.map(|(_, count)| count).sum::<u64>(), 0);
    }
    assert_eq!(full_again(), before);
}

async fn is_admitted(server: &Server, principal: &Arc<Principal>) -> bool {
    let pipeline = server.pipeline();
    let found = pipeline
        .catalog
        .find(&TargetRef::Tool("lookup"), principal.tenant_key());
    let permit = authorize(principal, found.expect("the tool").target).expect("a permit");
    let admission = pipeline.quotas.admit(permit, &Trace::default()).await;
    admission.is_ok()
}

#[tokio::test]
async fn a_caller_is_told_what_is_left_wherever_it_was_taken() {
    let redis = Redis::start(&[]);
    let one = replica::replica(&redis.settings()).await;
    let other = replica::replica(&redis.settings()).await;
    for left in [4, 3, 2, 1, 0] {
        let server = if left % 2 == 0 { &one } else { &other };
        let answer = call(server).await;
        let limit = answer.header("ratelimit");
        assert!(
            limit.starts_with(&format!("\"default\";r={left};")),
            "{limit}"
        );
    }
    let refused = call(&other).await;
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (429, "200")
    );
}

#[tokio::test]
async fn a_bucket_is_a_readable_key_that_goes_away_when_it_is_full_again() {
    let redis = Redis::start(&[]);
    let tools = vec![
        tool("lookup", &[Limit::new(FIVE)]),
        tool(
            "quick",
            &[Limit::new(Quota::per(1, Duration::from_millis(20)))],
        ),
    ];
    let server = replica_with(&redis.settings(), tools).await;
    let acme = caller(&server, "acme");
    assert_eq!(acme.rest("lookup", good()).await.status, 200);
    let keys: Vec<String> = redis.keys();
    let keys: Vec<&String> = keys.iter().filter(|key| !key.ends_with(":probe")).collect();
    let [key] = &keys[..] else {
        panic!("one key: {keys:?}")
    };
    // SHA-256 of "acme" and a NUL.
    let tenant: String = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"acme\0").as_ref()
        [..12]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        **key,
        format!("tollgate:{{{tenant}}}:tenant-target:1000000:lookup")
    );
    let ttl: u64 = redis.run(&["PTTL", key]);
    assert!(
        (100_000..=200_002).contains(&ttl),
        "{ttl} ms: until it is full again"
    );

    assert_eq!(acme.rest("quick", good()).await.status, 200);
    let is_gone = || !redis.keys().iter().any(|key| key.ends_with("quick"));
    eventually(PATIENCE, is_gone).await;
}

#[tokio::test]
async fn a_call_takes_from_all_of_its_buckets_or_from_none() {
    let redis = Redis::start(&[]);
    let limits = [
        Limit::new(Quota::per(2, Duration::from_secs(2_000))),
        Limit::new(Quota::per(30, Duration::from_secs(86_400))).cost(10),
        Limit::new(FIVE).per(Per::SubjectTarget),
    ];
    let server = replica_with(&redis.settings(), vec![tool("lookup", &limits)]).await;
    assert_eq!(replica::served(&server, 2).await, 2);
    let values = || -> Vec<i64> {
        let keys = redis.keys();
        let keys = keys.iter().filter(|key| !key.ends_with(":probe"));
        keys.map(|key| redis.run::<i64>(&["GET", key])).collect()
    };
    let before = values();
    assert_eq!(before.len(), 3);
    assert_eq!(replica::served(&server, 3).await, 0);
    // The server's clock stands still here, so it tells the store of some milliseconds more; one call
    // takes 200 s at least.
    let taken = values()
        .into_iter()
        .zip(before)
        .map(|(after, before)| after - before);
    let most = taken.max().expect("three buckets");
    assert!(most < 100_000_000_000, "a refused call took {most} ns");
}

#[tokio::test]
async fn nobody_shares_a_bucket_by_accident() {
    let redis = Redis::start(&[]);
    let second = Duration::from_secs(1_000);
    let limits = |names: &[Per]| -> Vec<Limit> {
        let limit = |per: &Per| Limit::new(Quota::per(1, second)).per(*per);
        names.iter().map(limit).collect()
    };
    let tools = vec![
        tool("one", &limits(&[Per::TenantTarget])),
        tool("other", &limits(&[Per::TenantTarget])),
        tool("subject", &limits(&[Per::SubjectTarget])),
        tool("all", &limits(&[Per::Target])),
    ];
    let mut elsewhere = redis.settings();
    elsewhere.key_prefix = "staging".to_owned();
    let server = replica_with(&redis.settings(), tools).await;
    let staging = replica_with(&elsewhere, vec![tool("one", &limits(&[Per::TenantTarget]))]).await;
    let status = async |server: &tollgate::testing::TestServer, tenant, subject, tool| {
        let token = server.token_for(tenant, subject, &["read"]);
        Caller::new(server.url(), token)
            .rest(tool, good())
            .await
            .status
    };
    for (tenant, subject, tool, wanted) in [
        ("acme", "ada", "one", 200),
        ("acme", "ada", "one", 429),
        ("acme", "bob", "one", 429),
        ("acme", "ada", "other", 200),
        ("globex", "ada", "one", 200),
        ("acme", "ada", "subject", 200),
        ("acme", "bob", "subject", 200),
        ("acme", "bob", "subject", 429),
        ("acme", "ada", "all", 200),
        ("globex", "ada", "all", 429),
    ] {
        let got = status(&server, tenant, subject, tool).await;
        assert_eq!(got, wanted, "{subject} of {tenant} calls {tool}");
    }
    assert_eq!(status(&staging, "acme", "ada", "one").await, 200);
    let taken = redis.keys();
    let taken = taken.iter().filter(|key| !key.ends_with(":probe"));
    assert_eq!(taken.count(), 7);
}

#[tokio::test]
async fn a_value_of_somebody_elses_is_written_over() {
    let redis = Redis::start(&[]);
    let server = replica::replica(&redis.settings()).await;
    assert_eq!(call(&server).await.status, 200);
    let key = redis.keys().into_iter().find(|key| key.ends_with("lookup"));
    let key = key.expect("the bucket");
    for words in [
        &["SET", "junk"][..],
        &["SET", "0x7fffffff"],
        &["LPUSH", "a"],
    ] {
        redis.run::<()>(&["DEL", &key]);
        redis.run::<()>(&[words[0], &key, words[1]]);
        assert_eq!(call(&server).await.status, 200);
        let ttl: i64 = redis.run(&["PTTL", &key]);
        assert!(ttl > 0, "it is a bucket again");
    }
    assert_eq!(decided(&server, DecidedBy::Store), 4);
}

#[tokio::test]
async fn a_limit_that_was_lowered_is_empty_and_no_emptier() {
    let redis = Redis::start(&[]);
    let lookup = |burst| {
        let quota = Quota::per(1_000, Duration::from_secs(1_000)).burst(burst);
        tool("lookup", &[Limit::new(quota)])
    };
    let server = replica_with(&redis.settings(), vec![lookup(100)]).await;
    let served = replica::served(&server, 60).await;
    assert_eq!(served, 60, "the bucket is a minute from full");
    let reloaded = server.reload(|server| server.tool(lookup(1)));
    reloaded.await.expect("good");
    assert_eq!(call(&server).await.status, 429);
    // What the process knows of the bucket, by a clock of its own, does not empty it again.
    let again = async {
        while call(&server).await.status != 200 {
            server.clock().advance(Duration::from_millis(20));
        }
    };
    let waited = tokio::time::timeout(PATIENCE, again).await;
    waited.expect("a unit comes back in a second");
    assert_eq!(decided(&server, DecidedBy::Local), 0);
}
