//! Where the store can be: behind a password, in a cluster, behind sentinels, over TLS.

use std::time::Duration;

use tollgate::server::Server;
use tollgate::{Limit, Per, Quota};

use crate::redis_server::{Redis, settings};
use crate::replica::{FIVE, replica, replica_with, served, state, tool};

#[tokio::test]
async fn a_store_may_want_a_user_and_a_password_and_grant_no_more_than_is_documented() {
    let granted = "--port PORT --user default off --user tollgate on >p@ss/word ~tollgate:* \
                   -@all +evalsha +eval +time +get +set +select";
    let words: Vec<&str> = granted.split_whitespace().collect();
    let (redis, port) = Redis::start_on_port(&words);
    let url = format!("redis://tollgate:p%40ss%2Fword@127.0.0.1:{port}/3");
    let server = replica(&settings(&url)).await;
    assert_eq!(served(&server, 7).await, 5);
    assert!(state(&server).is_up);
    drop(redis);
}

#[tokio::test]
async fn replicas_share_the_buckets_of_a_cluster() {
    let (redis, port) = Redis::start_on_port(&["--port", "PORT", "--cluster-enabled", "yes"]);
    redis.run::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    let is_ready = || {
        redis
            .run::<String>(&["CLUSTER", "INFO"])
            .contains("cluster_state:ok")
    };
    crate::replica::eventually(crate::replica::PATIENCE, is_ready).await;
    let store = settings(&format!("redis+cluster://127.0.0.1:{port}"));
    // Several buckets a call, which must lie in one slot.
    let limits = [
        Limit::new(FIVE),
        Limit::new(Quota::per(100, Duration::from_secs(60))).per(Per::Tenant),
        Limit::new(Quota::per(50, Duration::from_secs(60))).per(Per::SubjectTarget),
    ];
    let one = replica_with(&store, vec![tool("lookup", &limits)]).await;
    let other = replica_with(&store, vec![tool("lookup", &limits)]).await;
    assert_eq!(served(&one, 3).await + served(&other, 5).await, 5);
    assert!(state(&one).is_up && state(&other).is_up);
    redis.run::<()>(&["SCRIPT", "FLUSH"]);
    assert_eq!(served(&one, 1).await, 0, "the script is told again");
    assert!(state(&one).is_up);
}

#[test]
fn a_limit_over_all_tenants_beside_others_is_refused_in_a_cluster() {
    let build = |store: &str, limits: &[Limit]| {
        let server = Server::builder().quota_store(settings(store));
        server.tool(tool("lookup", limits)).build().map(drop)
    };
    let [tenant, all] = [Limit::new(FIVE), Limit::new(FIVE).per(Per::Target)];
    let error = build("redis+cluster://h", &[tenant, all]).expect_err("two slots");
    assert!(
        error
            .to_string()
            .starts_with("lookup: it has a limit over all tenants"),
        "{error}"
    );
    assert!(build("redis+cluster://h", &[tenant]).is_ok());
    assert!(build("redis+cluster://h", &[all]).is_ok());
    assert!(build("redis://h", &[tenant, all]).is_ok());
}

#[tokio::test]
async fn sentinels_tell_which_server_counts() {
    let (primary, port) = Redis::start_on_port(&["--port", "PORT"]);
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("sentinel.conf");
    let text = format!("sentinel monitor main 127.0.0.1 {port} 1\n");
    std::fs::write(&config, text).expect("a file");
    let (sentinel, at) = Redis::start_sentinel(config.to_str().expect("UTF-8"));
    let store = settings(&format!("redis+sentinel://127.0.0.1:{at}/main"));
    let server = replica(&store).await;
    assert_eq!(served(&server, 7).await, 5);
    assert!(primary.keys().iter().any(|key| key.ends_with("lookup")));
    drop(sentinel);
}
