//! A key verifies what it was made for and nothing else (RFC 8725 §2.1, §3.1).

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::open_minded;
use crate::signers::{Signer, text};

fn hmac_token(alg: &str, algorithm: hmac::Algorithm, secret: &[u8], claims: &Value) -> String {
    let header = json!({"alg": alg, "typ": "JWT", "kid": "rsa"});
    let message = [&header, claims]
        .map(|part| text(part.to_string().as_bytes()))
        .join(".");
    let tag = hmac::sign(&hmac::Key::new(algorithm, secret), message.as_bytes());
    format!("{message}.{}", text(tag.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

#[tokio::test]
async fn a_public_key_is_never_a_shared_secret() {
    let rsa = Signer::rsa("rsa");
    let (realm, _keys) = open_minded(&[rsa.jwk()]).await;
    let (der, jwk) = (rsa.public_der(), rsa.jwk());
    let secrets = [
        der.clone(),
        pem("RSA PUBLIC KEY", &der).into_bytes(),
        pem("PUBLIC KEY", &der).into_bytes(),
        pem("PUBLIC KEY", &der).trim_end().as_bytes().to_vec(),
        jwk.to_string().into_bytes(),
        jwk["n"].as_str().expect("a text").as_bytes().to_vec(),
        Vec::new(),
    ];
    for secret in &secrets {
        for (alg, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ] {
            let token = hmac_token(alg, algorithm, secret, &realm.claims());
            assert_eq!(realm.status(&token).await, 401, "{alg}");
        }
        // The header names the right algorithm, the signature is an HMAC.
        let token = hmac_token("RS256", hmac::HMAC_SHA256, secret, &realm.claims());
        assert_eq!(realm.status(&token).await, 401);
    }
    assert_eq!(realm.status(&realm.token(&rsa, "RS256")).await, 200);
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    let rsa = Signer::rsa("rsa");
    let (realm, _keys) = open_minded(&[rsa.jwk()]).await;
    for alg in ["none", "None", "NONE", "", "RS256"] {
        let header = json!({"alg": alg, "kid": "rsa"});
        let signed = rsa.sign("RS256", &header, &realm.claims());
        let (message, signature) = signed.rsplit_once('.').expect("three parts");
        assert_eq!(realm.status(&format!("{message}.")).await, 401, "{alg}");
        if alg != "RS256" {
            let token = format!("{message}.{signature}");
            assert_eq!(realm.status(&token).await, 401, "{alg}, signed");
        }
    }
}

#[tokio::test]
async fn a_key_with_an_algorithm_verifies_that_one_alone() {
    let (rsa, pss) = (Signer::rsa("rsa"), Signer::rsa("pss"));
    let (realm, _keys) = open_minded(&[rsa.jwk_for("RS256"), pss.jwk_for("PS512")]).await;
    for (signer, alg, status) in [
        (&rsa, "RS256", 200),
        (&rsa, "RS384", 401),
        (&rsa, "PS256", 401),
        (&pss, "PS512", 200),
        (&pss, "RS512", 401),
        (&pss, "PS256", 401),
    ] {
        assert_eq!(
            realm.status(&realm.token(signer, alg)).await,
            status,
            "{alg}"
        );
    }
}

#[tokio::test]
async fn a_signature_of_another_algorithm_than_the_header_says_is_refused() {
    let rsa = Signer::rsa("rsa");
    let (p256, p384) = (Signer::p256("p256"), Signer::p384("p384"));
    let ed = Signer::ed25519("ed");
    let all = [&rsa, &p256, &p384, &ed].map(Signer::jwk);
    let (realm, _keys) = open_minded(&all).await;
    for (signer, signed, said) in [
        (&rsa, "RS256", "PS256"),
        (&rsa, "RS256", "RS512"),
        (&rsa, "RS256", "ES256"),
        (&p256, "ES256", "ES384"),
        (&p256, "ES256", "EdDSA"),
        (&p384, "ES384", "ES256"),
        (&ed, "EdDSA", "ES256"),
        (&ed, "EdDSA", "RS256"),
    ] {
        for kid in ["rsa", "p256", "p384", "ed"] {
            let header = json!({"alg": said, "kid": kid});
            let token = signer.sign(signed, &header, &realm.claims());
            assert_eq!(
                realm.status(&token).await,
                401,
                "{signed} as {said} by {kid}"
            );
        }
    }
}

#[tokio::test]
async fn an_issuer_cannot_sign_with_the_keys_of_another() {
    let (mine, theirs) = (Signer::p256("same"), Signer::p256("same"));
    let (realm, _keys) = open_minded(&[mine.jwk()]).await;
    let (other, _other_keys) = open_minded(&[theirs.jwk()]).await;
    let mut claims = realm.claims();
    assert_eq!(realm.status(&mine.token("ES256", &claims)).await, 200);
    assert_eq!(realm.status(&theirs.token("ES256", &claims)).await, 401);
    claims["iss"] = json!(other.issuer);
    assert_eq!(realm.status(&theirs.token("ES256", &claims)).await, 401);
    assert_eq!(other.status(&theirs.token("ES256", &claims)).await, 200);
}

#[tokio::test]
async fn an_ecdsa_signature_of_zeros_or_in_der_is_refused() {
    let p256 = Signer::p256("p256");
    let (realm, _keys) = open_minded(&[p256.jwk()]).await;
    let token = realm.token(&p256, "ES256");
    let (message, _) = token.rsplit_once('.').expect("three parts");
    for signature in [
        vec![0; 64],
        vec![0; 96],
        vec![0xff; 64],
        vec![0x30, 6, 2, 1, 0, 2, 1, 0],
    ] {
        let forged = format!("{message}.{}", text(&signature));
        assert_eq!(realm.status(&forged).await, 401, "{signature:?}");
    }
}
