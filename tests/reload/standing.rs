//! How what is served stands to what was asked for is told by the result, by `/readyz` on both
//! listeners and by the metrics; listeners hear that the lists may have changed.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tollgate::Tool;
use tollgate::auth::Principal;
use tollgate::config::{Config, ProcessEnvironment};
use tollgate::quota::{OnStoreFailure, StoreAddress, StoreSettings};
use tollgate::server::{Server, ServerBuilder, StartError};
use tollgate::testing::TestServer;

use crate::caller::Caller;
use crate::scrape::Scrape;
use crate::{ada, status, tool};

fn free_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

fn good(server: ServerBuilder) -> ServerBuilder {
    server.admin_listen(free_port()).tool(tool("a"))
}

/// What `/readyz` says on both listeners, and the metrics: current, generation, ok, failed.
async fn told(server: &TestServer) -> (Value, [f64; 4]) {
    let admin = server.admin_url().expect("one");
    let mut said = Vec::new();
    for url in [server.url(), admin] {
        let answer = reqwest::get(format!("{url}/readyz")).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        said.push(answer.json::<Value>().await.expect("JSON"));
    }
    assert_eq!(said[0], said[1]);
    let numbers = Scrape::of(admin).await;
    let reloads = |result| numbers.value("tollgate_config_reloads_total", &[("result", result)]);
    let numbers = [
        numbers.value("tollgate_config_current", &[]),
        numbers.value("tollgate_config_generation", &[]),
        reloads("ok"),
        reloads("failed"),
    ];
    (said.remove(0), numbers)
}

#[tokio::test]
async fn a_configuration_that_is_none_changes_nothing_and_shows_until_one_is_good() {
    let server = TestServer::start(good).await;
    let ada = ada(&server);
    let ready = json!({"status": "ready"});
    assert_eq!(told(&server).await, (ready.clone(), [1.0, 1.0, 0.0, 0.0]));
    let bad = server.reload(|server| good(server).tool(Tool::new("b", "Has nothing to run.")));
    let faults = bad.await.expect_err("it cannot be served").to_string();
    assert!(faults.contains("b: "), "{faults}");
    let refused = json!({
        "status": "ready",
        "config": "the file could not be loaded: still serving the one before",
    });
    assert_eq!(told(&server).await, (refused, [0.0, 1.0, 0.0, 1.0]));
    assert_eq!(status(&ada, "a").await, 200);
    assert_eq!(status(&ada, "b").await, 404);
    let again = server.reload(|server| good(server).tool(tool("b")));
    assert_eq!(again.await.expect("good").generation, 2);
    assert_eq!(told(&server).await, (ready, [1.0, 2.0, 1.0, 1.0]));
    assert_eq!(status(&ada, "b").await, 200);
}

#[tokio::test]
async fn what_only_a_restart_changes_is_named_and_the_rest_is_applied() {
    let server = TestServer::start(good).await;
    let ada = ada(&server);
    let other = server.reload(|server| {
        let other_port = "127.0.0.1:1".parse().expect("an address");
        let server = good(server).service_name("other").admin_listen(other_port);
        server.state_secret([7; 32]).tool(tool("b"))
    });
    let reloaded = other.await.expect("good");
    assert_eq!(
        reloaded.needs_restart,
        [
            "server.adminListen",
            "server.stateSecret",
            "telemetry.service"
        ]
    );
    let restart = json!({
        "status": "ready",
        "config": "the file has changes that need a restart",
    });
    assert_eq!(told(&server).await, (restart, [0.0, 2.0, 1.0, 0.0]));
    assert_eq!(status(&ada, "b").await, 200);
    // As it was at the start: nothing is left to wait for.
    let back = server.reload(good).await.expect("good");
    assert_eq!(back.needs_restart, [""; 0]);
    assert_eq!(told(&server).await.0, json!({"status": "ready"}));
}

#[tokio::test]
async fn of_the_quota_store_what_changed_is_named_and_no_more() {
    // Nobody listens there; a reload asks nobody.
    let store = |database: u8| {
        let url = format!("redis://127.0.0.1:1/{database}");
        StoreSettings::new(StoreAddress::parse(&url.into()).expect("an address"))
    };
    let server = TestServer::start(|server| good(server).quota_store(store(0))).await;
    let mut other = store(0);
    other.on_failure = OnStoreFailure::Deny;
    for (store, changed) in [
        (store(0), &[][..]),
        (other, &["quotas.onStoreFailure"]),
        (store(1), &["quotas.store"]),
    ] {
        let reloaded = server.reload(|server| good(server).quota_store(store));
        assert_eq!(reloaded.await.expect("good").needs_restart, changed);
    }
    let without = server.reload(good).await.expect("good");
    assert_eq!(without.needs_restart, ["quotas.store"]);
}

#[tokio::test]
async fn what_must_not_be_exposed_is_not_exposed_by_a_reload_either() {
    let server = TestServer::start(good).await;
    let open = |server: ServerBuilder| {
        let anybody = Principal::configured("acme", "anybody", ["read"]);
        server.anonymous(anybody.expect("good")).tool(tool("a"))
    };
    let behind_a_proxy = Config::parse(
        "server: {behindProxy: true}",
        Path::new("tollgate.yaml"),
        &ProcessEnvironment,
    );
    let proxied = ServerBuilder::from_config(behind_a_proxy.expect("good")).expect("good");
    let refused = server.reload(|_| open(proxied)).await;
    assert!(
        matches!(refused, Err(StartError::Proxied(_))),
        "{refused:?}"
    );
    let nobody = Caller::new(server.url(), "");
    assert_eq!(status(&nobody, "a").await, 401);
}

#[tokio::test]
async fn listeners_hear_of_every_reload_and_of_no_refusal() {
    let bound = Server::builder().tool(tool("a")).build().expect("good");
    let bound = bound.bind(free_port()).await.expect("a free port");
    let reloader = bound.reloader();
    let mut changes = reloader.pipeline().changes.subscribe();
    let (_stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(bound.serve(async { drop(stopped.await) }));
    let bad = reloader.reload(Server::builder().tool(Tool::new("a", "Nothing to run.")));
    assert!(bad.await.is_err());
    assert!(!changes.has_changed().expect("it lives"));
    let good = reloader.reload(Server::builder().tool(tool("b")));
    good.await.expect("good");
    assert!(changes.has_changed().expect("it lives"));
    changes.mark_unchanged();
    let good = reloader.reload(Server::builder().tool(tool("c")));
    good.await.expect("good");
    assert!(changes.has_changed().expect("the same for all generations"));
    serving.abort();
}
