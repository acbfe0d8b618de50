//! `/readyz` says no while calls would be refused for reasons of the server's own, and whose keys are
//! missing; the metrics say the same; and the process lives all the while.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tollgate::auth::{Issuer, KeySource, KeyTimes};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool, ToolError};

use caller::Caller;
use scrape::Scrape;

const ISSUER: &str = "https://keys.test/";

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

fn free_port() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// A server with a second issuer, whose keys are there as long as `up`.
async fn start(up: Arc<AtomicBool>) -> TestServer {
    let pair = Ed25519KeyPair::generate().expect("random bytes");
    let x = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x}]}).to_string();
    let answer = move || async move {
        let status = match up.load(Ordering::SeqCst) {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, [("content-type", "application/json")], keys)
    };
    let listener = TcpListener::bind(free_port()).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/keys", get(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let source = KeySource::Url(format!("http://{address}/keys"));
    TestServer::start(|server| {
        let issuer = Issuer::with_keys(ISSUER, ["tools"], &source, KeyTimes::default());
        server
            .issuer(issuer.expect("a good issuer"))
            .tool(
                Tool::new("hello", "Says hello.")
                    .any_authenticated()
                    .handler(async |_: CallContext, _: Nothing| {
                        Ok::<_, ToolError>("hello".to_owned())
                    }),
            )
            .admin_listen(free_port())
    })
    .await
}

async fn probe(url: &str, path: &str) -> (u16, Value) {
    let response = reqwest::get(format!("{url}{path}")).await;
    let response = response.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).expect("JSON"))
}

/// Asks both listeners until they answer so; the clock goes on by a second each time.
async fn becomes(server: &TestServer, status: u16, body: Value) {
    let mut last = None;
    for _ in 0..10_000 {
        let admin = probe(server.admin_url().expect("one"), "/readyz").await;
        let calls = probe(server.url(), "/readyz").await;
        if admin == (status, body.clone()) && calls == admin {
            return;
        }
        last = Some((admin, calls));
        server.clock().advance(Duration::from_secs(1));
    }
    panic!("never {status} {body}: {last:?}");
}

async fn keys_of(server: &TestServer) -> (f64, f64) {
    let numbers = Scrape::of(server.admin_url().expect("one")).await;
    let of = |name| numbers.value(name, &[("tollgate_issuer", ISSUER)]);
    (
        of("tollgate_issuer_keys_usable"),
        of("tollgate_issuer_keys_failures_total"),
    )
}

#[tokio::test]
async fn an_issuer_without_keys_makes_the_server_not_ready_and_takes_no_other_down() {
    let up = Arc::new(AtomicBool::new(false));
    let server = start(Arc::clone(&up)).await;
    let missing = json!({"status": "keys unavailable", "issuers": [ISSUER]});
    becomes(&server, 503, missing.clone()).await;
    // It is so before the first load, too.
    let mut tries = 0;
    while keys_of(&server).await.1 < 1.0 {
        server.clock().advance(Duration::from_secs(1));
        tries += 1;
        assert!(tries < 10_000, "the first load never failed");
    }
    assert_eq!(keys_of(&server).await.0, 0.0);
    let alive = (200, json!({"status": "alive"}));
    assert_eq!(probe(server.url(), "/healthz").await, alive);
    let ada = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
    assert_eq!(ada.rest("hello", json!({})).await.status, 200);

    up.store(true, Ordering::SeqCst);
    becomes(&server, 200, json!({"status": "ready"})).await;
    assert_eq!(keys_of(&server).await.0, 1.0);

    up.store(false, Ordering::SeqCst);
    server.clock().advance(Duration::from_secs(23 * 3_600));
    let ready = (200, json!({"status": "ready"}));
    assert_eq!(
        probe(server.url(), "/readyz").await,
        ready,
        "the last good keys serve"
    );
    server.clock().advance(Duration::from_secs(2 * 3_600));
    becomes(&server, 503, missing).await;
    let numbers = Scrape::of(server.admin_url().expect("one")).await;
    let age = numbers.value(
        "tollgate_issuer_keys_age_seconds",
        &[("tollgate_issuer", ISSUER)],
    );
    assert!(age > 24.0 * 3_600.0, "{age}");
}

#[tokio::test]
async fn a_draining_server_says_so_on_both_listeners_until_the_last_call_is_done() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let held = (Arc::clone(&begun), Arc::clone(&go_on));
    let server = TestServer::start(|server| {
        server.admin_listen(free_port()).tool(
            Tool::new("hold", "Ends when it is told to.")
                .any_authenticated()
                .handler_with(
                    held,
                    async |held: (Arc<Notify>, Arc<Notify>), _: CallContext, _: Nothing| {
                        held.0.notify_one();
                        held.1.notified().await;
                        Ok::<_, ToolError>("done".to_owned())
                    },
                ),
        )
    })
    .await;
    let urls = [server.url(), server.admin_url().expect("one")].map(str::to_owned);
    let ada = Caller::new(server.url(), server.token_for("acme", "ada", &[]));
    let running = tokio::spawn(async move { ada.rest("hold", json!({})).await });
    begun.notified().await;
    let stopping = tokio::spawn(server.stop());
    for url in &urls {
        let mut answer = probe(url, "/readyz").await;
        for _ in 0..10_000 {
            if answer.0 == 503 {
                break;
            }
            answer = probe(url, "/readyz").await;
        }
        assert_eq!(answer, (503, json!({"status": "draining"})), "{url}");
        assert_eq!(probe(url, "/healthz").await.0, 200, "{url}");
    }
    go_on.notify_one();
    assert_eq!(running.await.expect("no panic").status, 200);
    stopping.await.expect("no panic");
    for url in &urls {
        assert!(
            reqwest::get(format!("{url}/healthz")).await.is_err(),
            "{url}"
        );
    }
}
