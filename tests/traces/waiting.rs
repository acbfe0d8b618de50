//! What a call waits for before it runs.

use opentelemetry::trace::Status;
use serde_json::json;
use tollgate::Clock;
use tollgate::testing::TestServer;

use crate::binary::PATIENCE;
use crate::caller::Caller;
use crate::declared::{configure, token};
use crate::introspection_server::IntrospectionServer;
use crate::key_server::{KEYS, KeyServer};
use crate::redis_server::Redis;
use crate::signers::Signer;
use crate::tree::{Kept, attribute};
use crate::{Shop, ticket};

/// When the turned clock starts.
const START: u64 = 2_000_000_000;

#[tokio::test]
async fn a_wait_for_the_keys_of_an_issuer_is_a_span_of_the_trace_that_the_message_names() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let keys = KeyServer::start(&[old.jwk()]).await;
    let issuer = format!(
        "    - {{issuer: {url}, audiences: [https://tools.example.com/mcp], jwks: {{url: {url}{KEYS}}}}}",
        url = keys.url()
    );
    let shop = Shop::open(1.0, [&issuer, "", ""]).await;
    keys.visited(KEYS, 1).await;
    keys.publishes(&[new.jwk()]);
    keys.stalls();
    let claims = json!({
        "iss": keys.url(), "aud": "https://tools.example.com/mcp", "exp": START + 3_600,
        "sub": "ada", "tenant": "acme",
    });
    let caller = Caller::new(shop.server.url(), new.token("ES256", &claims));
    let mut params = ticket();
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    params["_meta"] = json!({ "traceparent": parent });
    let calling = tokio::spawn(async move { caller.modern("tools/call", params).await });
    keys.visited(KEYS, 2).await;
    keys.goes_on();
    assert_eq!(calling.await.expect("an answer").status, 200);
    assert_eq!(
        shop.kept.tree(),
        "tools/call get_ticket (server)\n  fetch keys\n  execute_tool get_ticket\n    GET /tickets/{ticket_id} (client)\n"
    );
    let fetch = shop.kept.named("fetch keys");
    assert_eq!(attribute(&fetch, "tollgate.issuer"), keys.url());
    let trace = fetch.span_context.trace_id().to_string();
    assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn a_question_to_an_issuer_is_a_span_also_where_it_is_in_vain() {
    let endpoint = IntrospectionServer::start().await;
    let url = endpoint.url();
    let issuer = format!(
        "    - {{issuer: https://login.example.com/, audiences: [x], introspection: {{url: {url}, clientId: a, clientSecret: b}}}}"
    );
    let shop = Shop::open(1.0, [&issuer, "", ""]).await;
    let active = json!({
        "active": true, "iss": "https://login.example.com/", "aud": "x", "exp": START + 3_600,
        "sub": "ada", "tenant": "acme",
    });
    endpoint.knows("opaque", active);
    let caller = Caller::new(shop.server.url(), "opaque");
    let arguments = json!({"ticket_id": "t-7"});
    for _ in 0..2 {
        assert_eq!(
            caller.rest("get_ticket", arguments.clone()).await.status,
            200
        );
    }
    let tree = shop.kept.tree();
    assert_eq!(tree.matches("introspect token").count(), 1, "{tree}");
    let asked = shop.kept.named("introspect token");
    assert_eq!(
        attribute(&asked, "tollgate.issuer"),
        "https://login.example.com/"
    );

    let shop = Shop::open(1.0, [&issuer, "", ""]).await;
    endpoint.die();
    let stranger = Caller::new(shop.server.url(), "unheard");
    assert_eq!(stranger.modern("ping", json!({})).await.status, 503);
    assert_eq!(
        shop.kept.tree(),
        "POST /mcp (server) !50301\n  introspect token !unavailable\n"
    );
}

#[tokio::test]
async fn a_question_to_the_quota_store_is_a_span_and_none_where_nobody_is_asked() {
    let (mut redis, port) = Redis::start_on_port(&["--port", "PORT"]);
    let quotas = format!("quotas: {{store: 'redis://127.0.0.1:{port}', storeTimeout: 1s}}");
    let shop = Shop::open(1.0, ["", &quotas, ""]).await;
    let arguments = json!({"customer_id": "c-42"});
    let call = async || {
        shop.caller()
            .rest("get_customer", arguments.clone())
            .await
            .status
    };
    // Until it is connected, nobody is asked.
    let connected = async {
        while !shop.kept.tree().contains("EVALSHA") {
            assert_eq!(call().await, 200);
        }
    };
    tokio::time::timeout(PATIENCE, connected)
        .await
        .expect("it connects");
    let asked = shop.kept.named("EVALSHA");
    assert_eq!(attribute(&asked, "db.system.name"), "redis");
    assert_eq!(attribute(&asked, "server.address"), "127.0.0.1");
    assert_eq!(attribute(&asked, "server.port"), port.to_string());
    redis.kill();
    // The first call finds out, or the keeper did; the ones after it ask nobody.
    call().await;
    let before = shop.kept.tree().matches("EVALSHA").count();
    call().await;
    assert_eq!(shop.kept.tree().matches("EVALSHA").count(), before);
}

#[tokio::test]
async fn a_wait_for_a_place_is_a_span_and_no_wait_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let api = crate::Upstream::start().await;
    let yaml = crate::written(&folder, &api, ["", "", ""]);
    let one = "    maxConcurrent: {calls: 1, wait: 10s}\n    parameters: {ticket_id: {}}";
    let yaml = yaml.replace("    parameters: {ticket_id: {}}", one);
    let builder = configure(&yaml, folder.path()).expect("a good configuration");
    let (tracing, kept) = Kept::share(1.0);
    let builder = builder.clock(Clock::turned()).tracing(tracing);
    let admin = ([127, 0, 0, 1], 0).into();
    let server = TestServer::start(|_| builder.admin_listen(admin)).await;
    let caller = Caller::new(server.url(), token(json!({"sub": "ada", "tenant": "acme"})));
    api.stalls();
    let call = || {
        let caller = caller.clone();
        tokio::spawn(async move { caller.rest("get_ticket", json!({"ticket_id": "t"})).await })
    };
    let first = call();
    api.was_asked(1).await;
    let second = call();
    // It waits when it is seen to.
    let waits = async {
        let url = format!("{}/metrics", server.admin_url().expect("a listener"));
        let is_one = |line: &str| {
            let line = line.strip_prefix("tollgate_target_calls_waiting");
            line.is_some_and(|line| line.contains("get_ticket") && line.ends_with(" 1"))
        };
        loop {
            let numbers = reqwest::get(&url).await.expect("an answer");
            if numbers.text().await.expect("numbers").lines().any(is_one) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waits)
        .await
        .expect("it waits");
    api.goes_on();
    for call in [first, second] {
        assert_eq!(call.await.expect("an answer").status, 200);
    }
    let call = "tools/call get_ticket (server)\n";
    let run = "  execute_tool get_ticket\n    GET /tickets/{ticket_id} (client)\n";
    assert_eq!(
        kept.tree(),
        format!("{call}{run}{call}  wait for a place\n{run}")
    );
}

#[tokio::test]
async fn an_api_that_does_not_answer_in_time_is_a_span_of_that_error() {
    let shop = Shop::open(1.0, ["", "", ""]).await;
    shop.api.stalls();
    let answer = shop.caller().rest("hasty", json!({})).await;
    assert_eq!(answer.status, 504);
    let asked = shop.kept.named("GET /hasty");
    assert_eq!(attribute(&asked, "error.type"), "deadline-exceeded");
    assert!(matches!(asked.status, Status::Error { .. }));
}
