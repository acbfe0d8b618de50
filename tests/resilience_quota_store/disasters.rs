//! Each thing that happens to real stores, one after the other, with two replicas in `local` mode: calls
//! go on, five in all are let through as long as either replica knows of them, and the store counts
//! again once it is good.

use std::time::Duration;

use tollgate::quota::DecidedBy;
use tollgate::testing::TestServer;

use crate::RECOVERY;
use crate::redis_server::Redis;
use crate::replica::{call, decided, eventually, finds_the_store, replica, served, state};

/// A store, a server that has counted three of five calls there.
async fn three_spent(arguments: &[&str]) -> (Redis, TestServer) {
    let redis = Redis::start(arguments);
    let server = replica(&redis.settings()).await;
    assert_eq!(served(&server, 3).await, 3);
    assert_eq!(decided(&server, DecidedBy::Store), 3);
    (redis, server)
}

/// The store fails and calls go on; what is left is counted here.
async fn two_left_here(server: &TestServer) {
    assert_eq!(served(server, 4).await, 2);
    finds_the_store(server, false).await;
    assert!(decided(server, DecidedBy::Local) > 0);
}

/// The store is good again and knows all that was spent; so does a replica that comes new.
async fn nothing_left_there(redis: &Redis, server: &TestServer) {
    eventually(RECOVERY, || state(server).is_up).await;
    let before = decided(server, DecidedBy::Store);
    assert_eq!(served(server, 3).await, 0);
    assert_eq!(decided(server, DecidedBy::Store), before + 3);
    let other = replica(&redis.settings()).await;
    assert_eq!(served(&other, 3).await, 0);
}

#[tokio::test]
async fn a_store_that_is_stopped_and_started() {
    let (mut redis, server) = three_spent(&[]).await;
    redis.stop();
    two_left_here(&server).await;
    redis.restart();
    nothing_left_there(&redis, &server).await;
}

#[tokio::test]
async fn a_store_that_is_killed_and_started() {
    let (mut redis, server) = three_spent(&[]).await;
    redis.kill();
    two_left_here(&server).await;
    redis.restart();
    nothing_left_there(&redis, &server).await;
}

#[tokio::test]
async fn a_store_that_stands_still_and_goes_on() {
    let (redis, server) = three_spent(&[]).await;
    redis.stall();
    two_left_here(&server).await;
    redis.resume();
    nothing_left_there(&redis, &server).await;
}

#[tokio::test]
async fn a_store_that_becomes_a_replica_and_a_primary_again() {
    let (redis, server) = three_spent(&[]).await;
    redis.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    two_left_here(&server).await;
    redis.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    nothing_left_there(&redis, &server).await;
}

#[tokio::test]
async fn a_store_that_is_out_of_memory() {
    let (redis, server) = three_spent(&["--maxmemory-policy", "noeviction"]).await;
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    two_left_here(&server).await;
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    nothing_left_there(&redis, &server).await;
}

#[tokio::test]
async fn a_store_whose_user_may_do_less_than_before() {
    let (redis, server) = three_spent(&[]).await;
    redis.run::<()>(&["ACL", "SETUSER", "default", "-get"]);
    two_left_here(&server).await;
    redis.run::<()>(&["ACL", "SETUSER", "default", "+get"]);
    nothing_left_there(&redis, &server).await;
}

#[tokio::test]
async fn a_store_that_forgets_everything_learns_it_from_who_knows() {
    let (redis, server) = three_spent(&[]).await;
    let other = replica(&redis.settings()).await;
    redis.run::<()>(&["FLUSHALL"]);
    assert_eq!(served(&server, 4).await, 2);
    redis.run::<()>(&["FLUSHALL"]);
    assert_eq!(call(&server).await.status, 429, "it knows");
    assert_eq!(call(&other).await.status, 429, "and has told the store");
    assert_eq!(decided(&server, DecidedBy::Local), 0);
}

#[tokio::test]
async fn a_store_that_forgets_the_script_is_told_again() {
    let (redis, server) = three_spent(&[]).await;
    redis.run::<()>(&["SCRIPT", "FLUSH"]);
    assert_eq!(served(&server, 4).await, 2);
    assert_eq!(decided(&server, DecidedBy::Store), 7);
    assert_eq!(state(&server).transitions, 1, "it was good all the while");
}

#[tokio::test]
async fn an_idle_server_notices_that_its_store_is_gone_and_back() {
    let (mut redis, server) = three_spent(&[]).await;
    redis.kill();
    eventually(Duration::from_secs(10), || !state(&server).is_up).await;
    redis.restart();
    eventually(RECOVERY, || state(&server).is_up).await;
    assert_eq!(state(&server).transitions, 3);
}
