//! Keys come and go: new ones are found, removed ones end the tokens they signed, and nobody can
//! make the server fetch more than it wants to.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tollgate::auth::{KeySource, KeyTimes};
use tollgate::testing::AUDIENCE;

use crate::key_server::{KEYS, KeyServer};
use crate::realm::{MINUTE, Realm, issuer};
use crate::signers::Signer;

#[tokio::test]
async fn a_new_key_is_found_when_its_first_token_comes_and_once_for_all_who_wait() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let keys = KeyServer::start(&[old.jwk()]).await;
    let realm = Arc::new(Realm::discovers(&keys).await);
    assert_eq!(realm.status(&realm.token(&old, "ES256")).await, 200);
    assert_eq!(keys.visits(KEYS), 1);

    keys.publishes(&[old.jwk(), new.jwk()]);
    // Tokens that differ, so that no cache answers for the keys.
    let callers = (0..50).map(|n| {
        let realm = Arc::clone(&realm);
        let mut claims = realm.claims();
        claims["jti"] = json!(n);
        let token = new.token("ES256", &claims);
        async move { realm.status(&token).await }
    });
    assert_eq!(join_all(callers).await, [200; 50]);
    assert_eq!(keys.visits(KEYS), 2);
    assert_eq!(realm.status(&realm.token(&old, "ES256")).await, 200);
}

#[tokio::test]
async fn unknown_keys_cost_one_fetch_a_cooldown() {
    let (known, unknown) = (Signer::p256("known"), Signer::p256("unknown"));
    let keys = KeyServer::start(&[known.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    assert_eq!(realm.status(&realm.token(&known, "ES256")).await, 200);
    for round in 1..=3 {
        for n in 0..30 {
            let header = json!({"alg": "ES256", "kid": format!("unknown-{n}")});
            let token = unknown.sign("ES256", &header, &realm.claims());
            assert_eq!(realm.status(&token).await, 401);
        }
        assert_eq!(keys.visits(KEYS), 1 + round, "round {round}");
        realm.advance(Duration::from_secs(29));
        assert_eq!(realm.status(&realm.token(&unknown, "ES256")).await, 401);
        assert_eq!(
            keys.visits(KEYS),
            1 + round,
            "round {round}, a second early"
        );
        realm.advance(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn a_token_that_is_stale_or_for_somebody_else_causes_no_fetch() {
    let (known, unknown) = (Signer::p256("known"), Signer::p256("unknown"));
    let keys = KeyServer::start(&[known.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    assert_eq!(realm.status(&realm.token(&known, "ES256")).await, 200);
    for (name, value) in [("exp", json!(1)), ("aud", json!("https://elsewhere.test/"))] {
        let mut claims = realm.claims();
        claims[name] = value;
        assert_eq!(
            realm.status(&unknown.token("ES256", &claims)).await,
            401,
            "{name}"
        );
    }
    assert_eq!(realm.status(&realm.token(&unknown, "RS256x")).await, 401);
    assert_eq!(keys.visits(KEYS), 1);
}

#[tokio::test]
async fn callers_with_known_keys_do_not_wait_for_a_fetch() {
    let (known, new) = (Signer::p256("known"), Signer::p256("new"));
    let keys = KeyServer::start(&[known.jwk()]).await;
    let realm = Arc::new(Realm::discovers(&keys).await);
    assert_eq!(realm.status(&realm.token(&known, "ES256")).await, 200);

    keys.publishes(&[known.jwk(), new.jwk()]);
    keys.stalls();
    let waiting = tokio::spawn({
        let (realm, token) = (Arc::clone(&realm), realm.token(&new, "ES256"));
        async move { realm.status(&token).await }
    });
    keys.visited(crate::key_server::METADATA, 2).await;
    for n in 0..20 {
        let mut claims = realm.claims();
        claims["jti"] = json!(n);
        assert_eq!(realm.status(&known.token("ES256", &claims)).await, 200);
    }
    assert!(!waiting.is_finished());
    keys.goes_on();
    assert_eq!(waiting.await.expect("an answer"), 200);
}

#[tokio::test]
async fn removing_a_key_ends_the_tokens_it_signed_though_they_are_cached() {
    let (kept, removed) = (Signer::p256("kept"), Signer::p256("removed"));
    let keys = KeyServer::start(&[kept.jwk(), removed.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let (good, doomed) = (realm.token(&kept, "ES256"), realm.token(&removed, "ES256"));
    for _ in 0..100 {
        assert_eq!(realm.status(&good).await, 200);
        assert_eq!(realm.status(&doomed).await, 200);
    }
    keys.publishes(&[kept.jwk()]);
    realm.advance(5 * MINUTE);
    realm.comes_to(401, &doomed).await;
    assert_eq!(realm.status(&good).await, 200);
}

#[tokio::test]
async fn a_key_that_is_replaced_under_its_name_is_another_key() {
    let (before, after) = (Signer::p256("same"), Signer::p256("same"));
    let keys = KeyServer::start(&[before.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let (old, new) = (realm.token(&before, "ES256"), realm.token(&after, "ES256"));
    assert_eq!(realm.status(&old).await, 200);
    assert_eq!(realm.status(&new).await, 401);
    keys.publishes(&[after.jwk()]);
    realm.advance(5 * MINUTE);
    realm.comes_to(401, &old).await;
    assert_eq!(realm.status(&new).await, 200);
}

#[tokio::test]
async fn an_emptied_set_ends_every_token() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let token = realm.token(&signer, "ES256");
    assert_eq!(realm.status(&token).await, 200);
    keys.publishes(&[]);
    realm.advance(5 * MINUTE);
    realm.comes_to(401, &token).await;
}

#[tokio::test]
async fn a_cached_token_ends_when_it_expires() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let mut claims = realm.claims();
    claims["exp"] = json!(realm.server.clock().unix().as_secs() + 60);
    let token = signer.token("ES256", &claims);
    assert_eq!(realm.status(&token).await, 200);
    realm.advance(Duration::from_secs(89));
    assert_eq!(realm.status(&token).await, 200);
    realm.advance(Duration::from_secs(1));
    assert_eq!(realm.status(&token).await, 401);
}

#[tokio::test]
async fn a_source_may_ask_for_earlier_refreshes_but_not_for_later_ones() {
    let signer = Signer::p256("1");
    for (header, early) in [
        ("max-age=120", Duration::from_secs(120)),
        ("public, MAX-AGE=120", Duration::from_secs(120)),
        ("max-age=0", Duration::from_secs(60)),
        ("max-age=999999999", Duration::from_secs(300)),
        ("max-age=-1", Duration::from_secs(300)),
        ("no-store", Duration::from_secs(300)),
    ] {
        let keys = KeyServer::start(&[]).await;
        let status = format!("200 OK\r\nCache-Control: {header}");
        keys.answers(KEYS, &status, &json!({"keys": [signer.jwk()]}).to_string());
        let realm = Realm::discovers(&keys).await;
        let token = realm.token(&signer, "ES256");
        assert_eq!(realm.status(&token).await, 200, "{header}");
        keys.publishes(&[]);
        realm.advance(early - Duration::from_secs(1));
        // The keeper has had its chance to notice when this call is answered.
        assert_eq!(realm.status(&token).await, 200, "{header}");
        assert_eq!(keys.visits(KEYS), 1, "{header}");
        realm.advance(Duration::from_secs(1));
        realm.comes_to(401, &token).await;
    }
}

#[tokio::test]
async fn a_file_of_keys_is_read_again_and_a_bad_one_changes_nothing() {
    let (first, second) = (Signer::p256("1"), Signer::p256("2"));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    let write = |text: String| std::fs::write(&path, text).expect("written");
    write(json!({"keys": [first.jwk()]}).to_string());
    let source = KeySource::File(path.clone());
    let name = "urn:example:offline";
    let realm = Realm::trusts(name, issuer(name, &source)).await;
    let (old, new) = (realm.token(&first, "ES256"), realm.token(&second, "ES256"));
    assert_eq!(realm.status(&old).await, 200);

    for bad in ["", "{", "[]", r#"{"keys": 1}"#, r#"{"keys":[],"keys":[]}"#] {
        write(bad.to_owned());
        realm.fails_after(Duration::from_secs(30)).await;
        assert_eq!(realm.status(&old).await, 200, "{bad}");
    }
    write(json!({"keys": [second.jwk()]}).to_string());
    realm.advance(Duration::from_secs(30));
    realm.comes_to(200, &new).await;
    assert_eq!(realm.status(&old).await, 401);
}

#[tokio::test]
async fn a_file_that_is_no_key_set_is_refused_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.json");
    let start = || {
        let source = KeySource::File(path.clone());
        tollgate::auth::Issuer::with_keys("urn:x", [AUDIENCE], &source, KeyTimes::default())
    };
    assert!(start().is_err(), "there is none");
    for bad in [String::new(), "null".into(), " ".repeat(256 * 1024 + 1)] {
        std::fs::write(&path, bad).expect("written");
        assert!(start().is_err());
    }
    std::fs::write(&path, r#"{"keys":[]}"#).expect("written");
    assert!(start().is_ok());
}
