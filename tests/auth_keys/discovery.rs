//! Metadata is believed only where it is the issuer's own, and followed only where it is safe.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::auth::{Issuer, IssuerError, KeySource, KeySourceError, KeyTimes};
use tollgate::testing::AUDIENCE;

use crate::key_server::{KEYS, KeyServer, METADATA, OAUTH_METADATA};
use crate::realm::{Realm, issuer};
use crate::signers::Signer;

#[tokio::test]
async fn metadata_of_oauth_serves_where_there_is_none_of_openid() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    keys.answers(METADATA, "404 Not Found", "");
    keys.says(OAUTH_METADATA, &keys.metadata());
    let realm = Realm::discovers(&keys).await;
    assert_eq!(realm.status(&realm.token(&signer, "ES256")).await, 200);
}

#[tokio::test]
async fn an_issuer_with_a_path_has_its_metadata_where_the_standards_say() {
    let signer = Signer::p256("1");
    for (place, slash) in [
        ("/realms/a/.well-known/openid-configuration", ""),
        ("/realms/a/.well-known/openid-configuration", "/"),
        ("/.well-known/oauth-authorization-server/realms/a", ""),
        ("/.well-known/openid-configuration/realms/a", ""),
    ] {
        let keys = KeyServer::start(&[signer.jwk()]).await;
        let name = format!("{}/realms/a{slash}", keys.url());
        let mut metadata = keys.metadata();
        metadata["issuer"] = json!(name);
        keys.says(place, &metadata);
        let realm = Realm::trusts(&name, issuer(&name, &KeySource::Discovery)).await;
        assert_eq!(
            realm.status(&realm.token(&signer, "ES256")).await,
            200,
            "{place}"
        );
    }
}

#[tokio::test]
async fn metadata_that_does_not_name_the_issuer_exactly_is_not_believed() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let url = keys.url().to_owned();
    for other in [
        json!(format!("{url}/")),
        json!(format!("{url}/realms/b")),
        json!(url.to_uppercase()),
        json!(url.replace("127.0.0.1", "localhost")),
        json!("https://elsewhere.test"),
        json!([url]),
        json!(null),
    ] {
        let mut metadata = keys.metadata();
        metadata["issuer"] = other.clone();
        keys.says(METADATA, &metadata);
        keys.says(OAUTH_METADATA, &metadata);
        let realm = Realm::discovers(&keys).await;
        assert_eq!(
            realm.status(&realm.token(&signer, "ES256")).await,
            503,
            "{other}"
        );
    }
    assert_eq!(keys.visits(KEYS), 0);
}

#[tokio::test]
async fn keys_are_not_fetched_from_where_metadata_must_not_lead() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let port = keys.url().rsplit_once(':').expect("a port").1.to_owned();
    for uri in [
        json!("file:///etc/passwd"),
        json!("http://169.254.169.254/latest/meta-data/"),
        json!("https://169.254.169.254/keys"),
        json!("https://10.0.0.1/keys"),
        json!("https://[fd00:ec2::254]/keys"),
        json!(format!("http://user:password@127.0.0.1:{port}/keys")),
        json!(format!("http://elsewhere.test:{port}/keys")),
        json!("//127.0.0.1/keys"),
        json!("/keys"),
        json!(null),
        json!([keys.url()]),
    ] {
        let mut metadata = keys.metadata();
        metadata["jwks_uri"] = uri.clone();
        keys.says(METADATA, &metadata);
        let realm = Realm::discovers(&keys).await;
        assert_eq!(
            realm.status(&realm.token(&signer, "ES256")).await,
            503,
            "{uri}"
        );
    }
    assert_eq!(keys.visits(KEYS), 0);
}

#[tokio::test]
async fn redirects_are_not_followed_not_even_to_the_same_server() {
    let signer = Signer::p256("1");
    for (path, target) in [(KEYS, "/moved"), (METADATA, "/moved-metadata")] {
        let keys = KeyServer::start(&[signer.jwk()]).await;
        keys.says("/moved", &json!({"keys": [signer.jwk()]}));
        keys.says("/moved-metadata", &keys.metadata());
        for status in [
            "301 Moved Permanently",
            "302 Found",
            "307 Temporary Redirect",
        ] {
            let head = format!("{status}\r\nLocation: {}{target}", keys.url());
            // The body would do, too.
            let body = json!({"issuer": keys.url(), "keys": [signer.jwk()]}).to_string();
            keys.answers(path, &head, &body);
            let realm = Realm::discovers(&keys).await;
            let token = realm.token(&signer, "ES256");
            assert_eq!(realm.status(&token).await, 503, "{path} {status}");
        }
        assert_eq!(keys.visits(target), 0, "{path}");
    }
}

#[tokio::test]
async fn keys_that_move_are_found_at_their_new_place() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let keys = KeyServer::start(&[old.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    assert_eq!(realm.status(&realm.token(&old, "ES256")).await, 200);
    keys.says("/new-keys", &json!({"keys": [new.jwk()]}));
    let mut metadata = keys.metadata();
    metadata["jwks_uri"] = json!(format!("{}/new-keys", keys.url()));
    keys.says(METADATA, &metadata);
    assert_eq!(realm.status(&realm.token(&new, "ES256")).await, 200);
    assert_eq!(realm.status(&realm.token(&old, "ES256")).await, 401);
}

#[tokio::test]
async fn a_url_of_keys_needs_no_metadata() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let source = KeySource::Url(format!("{}{KEYS}", keys.url()));
    let name = "urn:example:any-name";
    let realm = Realm::trusts(name, issuer(name, &source)).await;
    assert_eq!(realm.status(&realm.token(&signer, "ES256")).await, 200);
    assert_eq!(keys.visits(METADATA), 0);
}

#[test]
fn places_that_cannot_be_trusted_are_refused_at_start() {
    let start = |name: &str, source: KeySource| {
        Issuer::with_keys(name, [AUDIENCE], &source, KeyTimes::default()).err()
    };
    for name in [
        "http://login.example.com/",
        "http://10.0.0.1/",
        "http://localhost.example.com/",
        "https://user@login.example.com/",
        "https://login.example.com/?realm=a",
        "https://login.example.com/#a",
        "ftp://login.example.com/",
        "login.example.com",
        "urn:example:a",
    ] {
        let refused = Some(IssuerError::KeySource(KeySourceError::IssuerUrl));
        assert_eq!(start(name, KeySource::Discovery), refused, "{name}");
        if !name.contains('?') {
            let refused = Some(IssuerError::KeySource(KeySourceError::JwksUrl));
            assert_eq!(
                start("a", KeySource::Url(name.to_owned())),
                refused,
                "{name}"
            );
        }
    }
    for name in [
        "http://127.0.0.1:1/",
        "http://[::1]:1/",
        "http://localhost:1/",
        "https://h.example",
    ] {
        assert_eq!(start(name, KeySource::Discovery), None, "{name}");
    }
    let times = KeyTimes {
        refresh: Duration::from_secs(60),
        max_age: Duration::from_secs(60),
        ..KeyTimes::default()
    };
    let times = Issuer::with_keys(
        "https://h.example",
        [AUDIENCE],
        &KeySource::Discovery,
        times,
    );
    assert_eq!(
        times.err(),
        Some(IssuerError::KeySource(KeySourceError::Times))
    );
}

#[tokio::test]
async fn an_answer_that_is_not_the_document_changes_nothing() {
    let signer = Signer::p256("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let realm = Realm::discovers(&keys).await;
    let token = realm.token(&signer, "ES256");
    assert_eq!(realm.status(&token).await, 200);
    let huge = json!({"keys": [], "padding": "x".repeat(256 * 1024)}).to_string();
    let depth = "[".repeat(10_000);
    let crowd: Vec<Value> = (0..101).map(|_| signer.jwk()).collect();
    let crowd = json!({"keys": crowd}).to_string();
    for (status, body) in [
        ("200 OK", ""),
        ("200 OK", "<html>Sign in</html>"),
        ("200 OK", "[]"),
        ("200 OK", "{}"),
        ("200 OK", r#"{"keys":{}}"#),
        ("200 OK", r#"{"keys":[],"keys":[]}"#),
        ("200 OK", huge.as_str()),
        ("200 OK", depth.as_str()),
        ("200 OK", crowd.as_str()),
        ("204 No Content", ""),
        ("500 Internal Server Error", r#"{"keys":[]}"#),
        ("404 Not Found", r#"{"keys":[]}"#),
        ("304 Not Modified", ""),
    ] {
        keys.answers(KEYS, status, body);
        realm.fails_after(Duration::from_secs(300)).await;
        assert_eq!(realm.status(&token).await, 200, "{status}");
    }
}
