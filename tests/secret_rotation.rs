//! Every secret that a running server holds is rotated while calls run, and no call is lost: each gets
//! its own answer, with the credential of before or the one of after. What takes a restart is named,
//! and serving goes on.
#![cfg(unix)]

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "secret_rotation/calls.rs"]
mod calls;
#[path = "secret_rotation/connection.rs"]
mod connection;
#[path = "support/introspection_server.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod introspection_server;
#[path = "secret_rotation/mounted.rs"]
mod mounted;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis;
#[path = "secret_rotation/secrets.rs"]
mod secrets;
#[path = "support/signers.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod signers;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod tls;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/upstream.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod upstream;
#[path = "secret_rotation/world.rs"]
mod world;

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::time::timeout;

use binary::{PATIENCE, run};
use calls::Calls;
use redis::Redis;
use secrets::{listed, published, steady};
use world::World;

async fn start() -> (World, Calls) {
    let world = World::start("memory").await;
    let calls = Calls::begin(&world).await;
    (world, calls)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_shared_with_an_issuer_is_rotated_and_its_old_tokens_end() {
    let (mut world, mut calls) = start().await;
    world.publish(&["jwt"]);
    calls.more().await;
    world.reloaded(2);
    calls.moved("jwt").await;
    assert_eq!(calls.end(&world).await.moved, ["jwt"]);
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_in_an_issuers_file_are_rotated_with_an_overlap() {
    let (mut world, mut calls) = start().await;
    let both = [world.old.jwk(), world.new.jwk()];
    world.put("jwks.json", published(&both));
    // An unknown key makes the file be read at once.
    let mut connection = world.reach().connect().await;
    for secrets in [&world.new, &world.old] {
        let token = secrets.credential("jwks.json");
        assert_eq!(connection.call("echo", &token, json!({})).await.0, 200);
    }
    calls.more().await;
    world.publish(&["jwks.json"]);
    calls.moved("jwks.json").await;
    assert_eq!(calls.end(&world).await.moved, ["jwks.json"]);
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_is_rotated_with_an_overlap_from_call_to_call() {
    let (mut world, mut calls) = start().await;
    let both = [world.old.entry(), world.new.entry()];
    world.put("api-keys.yaml", listed(&both));
    let mut connection = world.reach().connect().await;
    for secrets in [&world.new, &world.old] {
        let key = secrets.credential("api-keys.yaml");
        assert_eq!(connection.call("echo", &key, json!({})).await.0, 200);
    }
    calls.more().await;
    world.publish(&["api-keys.yaml"]);
    // One that is silent for long is closed.
    let mut connection = world.reach().connect().await;
    let key = world.old.credential("api-keys.yaml");
    assert_eq!(connection.call("echo", &key, json!({})).await.0, 401);
    calls.moved("api-keys.yaml").await;
    assert_eq!(calls.end(&world).await.moved, ["api-keys.yaml"]);
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_that_an_introspection_endpoint_asks_for_is_rotated() {
    let (mut world, mut calls) = start().await;
    world.publish(&["client"]);
    calls.more().await;
    world.reloaded(2);
    // Questions that were on their way have been answered.
    calls.more().await;
    let before = world.endpoint.questions().len();
    assert_eq!(calls.end(&world).await.moved, [""; 0]);
    let questions = world.endpoint.questions().into_iter();
    let shown: Vec<String> = questions.map(|question| question.authorization).collect();
    let [old, new] = [&world.old, &world.new].map(|secrets| {
        let pair = format!("tollgate:{}", secrets.text("client"));
        format!("Basic {}", STANDARD.encode(pair))
    });
    rotated(&shown, before, |shown| *shown == old, |shown| *shown == new);
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_an_api_asks_for_is_rotated() {
    let (mut world, mut calls) = start().await;
    world.publish(&["header"]);
    calls.more().await;
    world.reloaded(2);
    calls.more().await;
    let before = world.api.times();
    assert_eq!(calls.end(&world).await.moved, [""; 0]);
    let asked: Vec<String> = world.api.asked().into_iter().map(|it| it.head).collect();
    let [old, new] = [&world.old, &world.new].map(|secrets| {
        let line = format!("x-api-key: {}\r\n", secrets.text("header"));
        move |head: &String| head.matches("x-api-key").count() == 1 && head.contains(&line)
    });
    rotated(&asked, before, old, new);
    world.end();
}

/// Each of `shown` is old or new, the first is old, and those from `since` on are new.
fn rotated(
    shown: &[String],
    since: usize,
    is_old: impl Fn(&String) -> bool,
    is_new: impl Fn(&String) -> bool,
) {
    assert!(is_old(&shown[0]), "{}", shown[0]);
    for one in shown {
        assert!(is_old(one) || is_new(one), "{one}");
    }
    assert!(since < shown.len(), "it was asked afterwards");
    let late = shown[since..].iter().find(|one| !is_new(one));
    assert_eq!(late, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_rotated_for_new_connections_and_open_ones_stay() {
    let (mut world, mut calls) = start().await;
    world.publish(&["tls.crt", "tls.key"]);
    calls.more().await;
    world
        .process
        .stderr
        .line("the TLS certificate was loaded again");
    calls.more().await;
    let ended = calls.end(&world).await;
    assert_eq!(ended.moved, [""; 0]);
    let certificates = [&world.old, &world.new].map(|secrets| secrets.certificate_der());
    assert_eq!(ended.certificates, certificates);
    world.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_the_audit_log_is_rotated_and_the_log_is_whole_with_both() {
    let (mut world, mut calls) = start().await;
    world.publish(&["audit"]);
    calls.more().await;
    world.reloaded(2);
    calls.more().await;
    assert_eq!(calls.end(&world).await.moved, [""; 0]);
    let old = world.old.text("audit");
    let folder = world.end();
    fs::write(folder.path().join("old.key"), old).expect("a file");
    let verify = |further: &[&str]| {
        let verify = ["audit", "verify", "--config", "mounted/tollgate.yaml"];
        run(folder.path(), &[&verify, further].concat())
    };
    let both = verify(&["--key-file", "old.key"]);
    assert_eq!(both.code, Some(0), "{}", both.stdout);
    assert!(both.stdout.contains("\nwhole: "), "{}", both.stdout);
    assert_eq!(verify(&[]).code, Some(1), "the old key is needed");
    let files = audit::files(&folder.path().join("audit.jsonl"));
    let log: String = files
        .iter()
        .map(|file| fs::read_to_string(file).expect("a file"))
        .collect();
    assert_eq!(log.matches(r#""kind":"rekeyed""#).count(), 1);
    // Whoever starts must know the key of the last line.
    let mounted = ["--config", "mounted/tollgate.yaml"];
    fs::copy(
        folder.path().join("old.key"),
        folder.path().join("mounted/audit"),
    )
    .expect("a file");
    let started = run(
        folder.path(),
        &[&["serve", "--port", "0"], &mounted[..]].concat(),
    );
    assert_eq!(started.code, Some(1));
    assert!(
        started
            .stderr
            .contains("name the one before as `audit.previousKey`"),
        "{}",
        started.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_a_restart_is_named_and_all_goes_on_as_before_until_then() {
    let redis = Redis::start(&[]);
    let store = format!("redis+unix://{}", redis.socket().display());
    let used = |name: &str| {
        let said: String = redis.run(&["INFO", "keyspace"]);
        said.contains(name)
    };
    let mut world = World::start(&format!("{store}?db=0")).await;
    let mut calls = Calls::begin(&world).await;
    let mut connection = world.reach().connect().await;
    let [early, late] = [connection.asks().await, connection.asks().await];
    world.put("store", format!("{store}?db=1"));
    // The rest of what changed counts at once.
    world.publish(&["state", "jwt"]);
    calls.more().await;
    world.reloaded(2);
    let warned = world.process.stderr.line("take a restart");
    let keys =
        r#"WARN changes of these keys take a restart keys="server.stateSecret, quotas.store""#;
    assert!(warned.ends_with(keys), "{warned}");
    calls.moved("jwt").await;
    let mut connection = world.reach().connect().await;
    let (status, ready) = connection.get("/readyz").await;
    assert_eq!(status, 200);
    assert_eq!(ready["config"], "the file has changes that need a restart");
    assert_eq!(connection.confirm(&early).await, 200);
    assert_eq!(calls.end(&world).await.moved, ["jwt"]);
    assert!(used("db0:") && !used("db1:"));

    world.restart();
    let mut connection = world.reach().connect().await;
    assert_eq!(connection.confirm(&late).await, 409, "sealed by another");
    // The store may be late for the first call, which is then counted here.
    let counted = async {
        while !used("db1:") {
            assert_eq!(connection.call("echo", &steady(), json!({})).await.0, 200);
        }
    };
    timeout(PATIENCE, counted).await.expect("it counts there");
    world.end();
}
