//! A set of keys comes from outside: what in it is not plainly a key for signatures is left out, and
//! the rest still counts.

use serde_json::{Value, json};

use crate::key_server::KeyServer;
use crate::open_minded;
use crate::realm::Realm;
use crate::signers::{Signer, text};

/// The key, changed.
fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

/// Nobody gets in with `bad` in the set, and the good key beside it works.
async fn is_left_out(bad: Value, signer: &Signer, alg: &str) {
    let good = Signer::ed25519("good");
    let what = bad.to_string();
    let (realm, _keys) = open_minded(&[bad, good.jwk()]).await;
    assert_eq!(
        realm.status(&realm.token(&good, "EdDSA")).await,
        200,
        "{what}"
    );
    assert_eq!(realm.status(&realm.token(signer, alg)).await, 401, "{what}");
}

#[tokio::test]
async fn a_key_that_is_not_for_signatures_is_left_out() {
    let signer = Signer::p256("1");
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!(null)),
        ("use", json!(["sig"])),
        ("key_ops", json!([])),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!("verify")),
        ("key_ops", json!({"verify": true})),
        ("alg", json!("ES384")),
        ("alg", json!("ECDH-ES")),
        ("alg", json!("HS256")),
        ("alg", json!("none")),
        ("alg", json!(null)),
        ("kid", json!(1)),
        ("kty", json!("RSA")),
        ("kty", json!("ec")),
        ("kty", json!(null)),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("x", json!("AAAA")),
        ("y", json!(null)),
        ("x", json!(text(&[0; 32]))),
        ("d", json!(text(&[1; 32]))),
    ] {
        is_left_out(with(signer.jwk(), name, value), &signer, "ES256").await;
    }
    let marked = with(signer.jwk(), "use", json!("sig"));
    let marked = with(marked, "key_ops", json!(["verify"]));
    let (realm, _keys) = open_minded(&[with(marked, "alg", json!("ES256"))]).await;
    assert_eq!(realm.status(&realm.token(&signer, "ES256")).await, 200);
}

#[tokio::test]
async fn a_weak_or_odd_rsa_key_is_left_out() {
    let signer = Signer::rsa("1");
    let small = {
        let mut modulus = vec![0xff; 128];
        modulus.insert(0, 0);
        text(&modulus)
    };
    for (name, value) in [
        ("n", json!(small)),
        ("n", json!(text(&[0x7f; 256]))),
        ("n", json!(text(&[0xff; 1_025]))),
        ("n", json!("")),
        ("n", json!("not base64url!")),
        ("e", json!("AQ")),
        ("e", json!("Ag")),
        ("e", json!("AQABAAAB")),
        ("e", json!("")),
        ("e", json!(65_537)),
        ("p", json!("AQAB")),
        ("alg", json!("RSA-OAEP")),
    ] {
        is_left_out(with(signer.jwk(), name, value), &signer, "RS256").await;
    }
}

#[tokio::test]
async fn a_shared_secret_in_a_public_set_opens_nothing() {
    let secret = [7; 32];
    let oct = json!({"kty": "oct", "kid": "1", "alg": "HS256", "k": text(&secret)});
    let good = Signer::ed25519("good");
    let (realm, _keys) = open_minded(&[oct, good.jwk()]).await;
    let header = text(json!({"alg": "HS256", "kid": "1"}).to_string().as_bytes());
    let message = format!("{header}.{}", text(realm.claims().to_string().as_bytes()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
    let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    let token = format!("{message}.{}", text(tag.as_ref()));
    assert_eq!(realm.status(&token).await, 401);
    assert_eq!(realm.status(&realm.token(&good, "EdDSA")).await, 200);
}

#[tokio::test]
async fn of_two_keys_with_one_name_neither_is_used() {
    let (one, two) = (Signer::p256("same"), Signer::p256("same"));
    let (realm, _keys) = open_minded(&[one.jwk(), two.jwk()]).await;
    for signer in [&one, &two] {
        assert_eq!(realm.status(&realm.token(signer, "ES256")).await, 401);
    }
    // The same key twice is one key, and keys for different algorithms cannot be mistaken.
    let other = Signer::ed25519("same");
    let keys = KeyServer::start(&[one.jwk(), one.jwk(), other.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    assert_eq!(realm.status(&realm.token(&one, "ES256")).await, 200);
    assert_eq!(realm.status(&realm.token(&other, "EdDSA")).await, 200);
}

#[tokio::test]
async fn what_is_no_key_at_all_is_left_out() {
    let good = Signer::ed25519("good");
    let odd = [
        json!(null),
        json!(1),
        json!("key"),
        json!([]),
        json!({}),
        json!({"kty": 1}),
    ];
    let (realm, _keys) = open_minded(&[&odd[..], &[good.jwk()]].concat()).await;
    assert_eq!(realm.status(&realm.token(&good, "EdDSA")).await, 200);
    let state = &realm.server.key_states()[0];
    assert_eq!((state.keys, state.usable, state.refreshes), (1, true, 1));
}
