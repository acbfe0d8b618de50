//! Tokens are proved with public keys: of every common kind, each key for its own algorithm alone,
//! fresh ones only, and whatever the key server does, the server goes on as it should.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "auth_keys/confusion.rs"]
mod confusion;
#[path = "auth_keys/discovery.rs"]
mod discovery;
#[path = "auth_keys/documents.rs"]
mod documents;
#[path = "support/key_server.rs"]
mod key_server;
#[path = "auth_keys/outage.rs"]
mod outage;
#[path = "auth_keys/realm.rs"]
mod realm;
#[path = "auth_keys/rotation.rs"]
mod rotation;
#[path = "support/signers.rs"]
mod signers;

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::auth::{Algorithm, KeySource};

use key_server::{KEYS, KeyServer};
use realm::{Realm, issuer};
use signers::Signer;

const ALL: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// A realm whose key server publishes these keys, and which allows every algorithm.
async fn open_minded(keys: &[Value]) -> (Realm, KeyServer) {
    let keys = KeyServer::start(keys).await;
    let issuer = issuer(keys.url(), &KeySource::Discovery)
        .with_algorithms(ALL)
        .expect("good algorithms");
    (Realm::trusts(keys.url(), issuer).await, keys)
}

#[tokio::test]
async fn every_common_algorithm_is_understood() {
    let (rsa, p256) = (Signer::rsa("rsa"), Signer::p256("p256"));
    let (p384, ed) = (Signer::p384("p384"), Signer::ed25519("ed"));
    let all = [&rsa, &p256, &p384, &ed].map(Signer::jwk);
    let (realm, _keys) = open_minded(&all).await;
    for (signer, stranger, algorithms) in [
        (
            &rsa,
            Signer::rsa("rsa"),
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..],
        ),
        (&p256, Signer::p256("p256"), &["ES256"]),
        (&p384, Signer::p384("p384"), &["ES384"]),
        (&ed, Signer::ed25519("ed"), &["EdDSA"]),
    ] {
        for algorithm in algorithms {
            let token = realm.token(signer, algorithm);
            assert_eq!(realm.status(&token).await, 200, "{algorithm}");
            let forged = realm.token(&stranger, algorithm);
            assert_eq!(realm.status(&forged).await, 401, "{algorithm}, forged");
        }
    }
}

#[tokio::test]
async fn by_default_an_issuer_uses_what_identity_providers_use() {
    let (rsa, p256) = (Signer::rsa("rsa"), Signer::p256("p256"));
    let keys = KeyServer::start(&[rsa.jwk(), p256.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    for (signer, algorithm, status) in [
        (&rsa, "RS256", 200),
        (&p256, "ES256", 200),
        (&rsa, "RS512", 401),
        (&rsa, "PS256", 401),
    ] {
        let token = realm.token(signer, algorithm);
        assert_eq!(realm.status(&token).await, status, "{algorithm}");
    }
}

#[tokio::test]
async fn a_token_without_a_key_id_needs_exactly_one_key_that_fits() {
    let (one, two, other) = (Signer::p256("1"), Signer::p256("2"), Signer::ed25519("3"));
    let keys = KeyServer::start(&[one.jwk(), other.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let nameless = json!({"alg": "ES256", "typ": "JWT"});
    let token = one.sign("ES256", &nameless, &realm.claims());
    assert_eq!(realm.status(&token).await, 200);
    keys.publishes(&[one.jwk(), other.jwk(), two.jwk()]);
    realm.advance(Duration::from_secs(300));
    realm.comes_to(200, &realm.token(&two, "ES256")).await;
    assert_eq!(realm.status(&token).await, 401, "two would fit");
    for kid in [json!(null), json!(1), json!(["1"])] {
        let header = json!({"alg": "ES256", "kid": kid});
        let token = one.sign("ES256", &header, &realm.claims());
        assert_eq!(realm.status(&token).await, 401, "{kid}");
    }
}

#[tokio::test]
async fn a_token_without_an_audience_is_good_only_where_the_issuer_is_allowed_to_leave_it_out() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let lenient = issuer(keys.url(), &KeySource::Discovery).allow_missing_audience();
    for (realm, status) in [
        (Realm::discovers(&keys).await, 401),
        (Realm::trusts(keys.url(), lenient).await, 200),
    ] {
        let mut claims = realm.claims();
        claims.as_object_mut().expect("an object").remove("aud");
        let without = signer.token("ES256", &claims);
        assert_eq!(realm.status(&without).await, status);
        for other in [json!("https://elsewhere.test/"), json!(null), json!([])] {
            claims["aud"] = other.clone();
            let token = signer.token("ES256", &claims);
            assert_eq!(realm.status(&token).await, 401, "{other}");
        }
    }
}

#[tokio::test]
async fn no_url_but_the_issuers_own_is_ever_fetched() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let bait = KeyServer::start(&[]).await;
    let url = format!("{}{KEYS}", bait.url());
    for (name, value) in [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("kid", json!(url)),
    ] {
        let header = json!({"alg": "ES256", name: value});
        let token = signer.sign("ES256", &header, &realm.claims());
        assert_eq!(realm.status(&token).await, 401, "{name}");
    }
    let mut claims = realm.claims();
    claims["iss"] = json!(bait.url());
    assert_eq!(realm.status(&signer.token("ES256", &claims)).await, 401);
    assert_eq!(bait.visits(KEYS), 0);
}
