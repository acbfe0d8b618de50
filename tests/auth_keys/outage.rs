//! When keys cannot be had: the last good ones go on for a while, then nobody is let in on trust,
//! and other issuers do not notice.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tollgate::auth::KeySource;
use tollgate::testing::TestServer;

use crate::caller::Caller;
use crate::key_server::{KEYS, KeyServer, METADATA};
use crate::realm::{HOUR, MINUTE, Realm, issuer, tool};
use crate::signers::Signer;

#[tokio::test]
async fn the_last_good_keys_serve_for_a_day_and_no_longer() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let cached = realm.token(&signer, "ES256");
    assert_eq!(realm.status(&cached).await, 200);

    keys.dies();
    for _ in 0..24 {
        realm.fails_after(HOUR).await;
    }
    assert_eq!(realm.status(&cached).await, 200, "a day old");
    let mut claims = realm.claims();
    claims["jti"] = json!("fresh");
    let fresh = signer.token("ES256", &claims);
    assert_eq!(realm.status(&fresh).await, 200, "a day old");

    realm.advance(Duration::from_secs(1));
    claims["jti"] = json!("never seen");
    let unseen = signer.token("ES256", &claims);
    for token in [&cached, &fresh, &unseen] {
        let answer = realm.call(token).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.header("www-authenticate"), "");
        assert_eq!(answer.body["type"], "urn:tollgate:error:keys-unavailable");
    }
    let state = &realm.server.key_states()[0];
    assert_eq!((state.usable, state.keys, state.refreshes), (false, 1, 1));
    assert!(state.failures >= 24, "{state:?}");

    keys.comes_back();
    realm.advance(MINUTE);
    realm.comes_to(200, &cached).await;
    assert_eq!(realm.status(&fresh).await, 200);
    assert!(realm.server.key_states()[0].usable);
}

#[tokio::test]
async fn an_issuer_whose_keys_were_never_had_is_unavailable_and_no_other_is() {
    let (lost, found) = (Signer::p256("1"), Signer::p256("1"));
    let dead = KeyServer::start(&[lost.jwk()]).await;
    dead.dies();
    let alive = KeyServer::start(&[found.jwk()]).await;
    let server = TestServer::start(|server| {
        server
            .issuer(issuer(dead.url(), &KeySource::Discovery))
            .issuer(issuer(alive.url(), &KeySource::Discovery))
            .tool(tool())
    })
    .await;
    let call = async |token: String| {
        let caller = Caller::new(server.url(), token);
        caller.rest("whoami", json!({})).await.status
    };
    let claims = |issuer: &str| {
        let exp = server.clock().unix().as_secs() + 600;
        json!({
            "iss": issuer, "aud": tollgate::testing::AUDIENCE, "exp": exp,
            "sub": "ada", "tenant": "acme", "scopes": ["echo"],
        })
    };
    assert_eq!(call(lost.token("ES256", &claims(dead.url()))).await, 503);
    assert_eq!(call(found.token("ES256", &claims(alive.url()))).await, 200);
    let shared = server.token_for("acme", "ada", &["echo"]);
    assert_eq!(call(shared).await, 200);

    dead.comes_back();
    server.clock().advance(Duration::from_secs(30));
    let recovers = async {
        while call(lost.token("ES256", &claims(dead.url()))).await != 200 {
            tokio::task::yield_now().await;
        }
    };
    let recovered = tokio::time::timeout(Duration::from_secs(10), recovers).await;
    assert!(recovered.is_ok(), "it does not recover");
}

#[tokio::test]
async fn a_source_that_stalls_holds_callers_up_for_five_seconds_at_most() {
    let (known, new) = (Signer::p256("known"), Signer::p256("new"));
    let keys = KeyServer::start(&[known.jwk()]).await;
    let realm = Arc::new(Realm::discovers(&keys).await);
    assert_eq!(realm.status(&realm.token(&known, "ES256")).await, 200);
    keys.stalls();
    let waiting = tokio::spawn({
        let (realm, token) = (Arc::clone(&realm), realm.token(&new, "ES256"));
        async move { realm.status(&token).await }
    });
    keys.visited(METADATA, 2).await;
    assert!(!waiting.is_finished());
    realm.advance(Duration::from_secs(5));
    assert_eq!(waiting.await.expect("an answer"), 401);
    assert_eq!(realm.status(&realm.token(&known, "ES256")).await, 200);
    assert_eq!(keys.visits(KEYS), 1);
}

#[tokio::test]
async fn mcp_tells_of_missing_keys_with_503_and_its_own_code() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    keys.dies();
    let realm = Realm::discovers(&keys).await;
    let caller = Caller::new(realm.server.url(), realm.token(&signer, "ES256"));
    let call = json!({"name": "whoami", "arguments": {}});
    let answer = caller.modern("tools/call", call).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    assert_eq!(answer.body["error"]["code"], 50301);
    let text = answer.body.to_string();
    assert!(!text.contains("127.0.0.1"), "{text}");
}
