//! Public keys through a reload: known ones are kept, new ones are there before they are asked for,
//! and those that are served are kept fresh.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::auth::{Issuer, KeySource, KeyTimes};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;

use crate::caller::Caller;
use crate::key_server::{KEYS, KeyServer};
use crate::signers::Signer;
use crate::{status, tool};

fn issuer(name: &str, keys: &KeyServer) -> Issuer {
    let source = KeySource::Url(format!("{}{KEYS}", keys.url()));
    let issuer = Issuer::with_keys(name, ["tools"], &source, KeyTimes::default());
    issuer.expect("a good issuer")
}

fn claims(server: &TestServer, issuer: &str, id: u32) -> Value {
    let now = server.clock().unix().as_secs();
    json!({
        "iss": issuer, "aud": "tools", "sub": "bob", "tenant": "acme",
        "scope": "read", "iat": now, "exp": now + 3_600, "jti": id,
    })
}

#[tokio::test]
async fn keys_that_were_loaded_are_kept_although_their_source_is_down() {
    let signer = Signer::ed25519("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let server = TestServer::start(|server| {
        server
            .issuer(issuer("https://a.test/", &keys))
            .tool(tool("a"))
    })
    .await;
    let token = |id| signer.token("EdDSA", &claims(&server, "https://a.test/", id));
    let call = async |id| status(&Caller::new(server.url(), token(id)), "a").await;
    assert_eq!(call(1).await, 200);
    keys.dies();
    for id in 2..5 {
        let reloaded = server.reload(|server| {
            server
                .issuer(issuer("https://a.test/", &keys))
                .tool(tool("a"))
        });
        reloaded.await.expect("good");
        assert_eq!(call(id).await, 200);
    }
    assert_eq!(keys.visits(KEYS), 1, "no reload asked for them again");
    // The keys that are served now are those that are kept fresh.
    keys.comes_back();
    let new = Signer::ed25519("2");
    keys.publishes(&[new.jwk()]);
    server.clock().advance(Duration::from_secs(5 * 60));
    keys.visited(KEYS, 2).await;
    let token = new.token("EdDSA", &claims(&server, "https://a.test/", 9));
    assert_eq!(status(&Caller::new(server.url(), token), "a").await, 200);
}

#[tokio::test]
async fn keys_of_a_new_issuer_are_there_before_it_is_trusted() {
    let signer = Signer::ed25519("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let server = TestServer::start(|server| server.tool(tool("a"))).await;
    let token = signer.token("EdDSA", &claims(&server, "https://a.test/", 1));
    let bob = Caller::new(server.url(), token);
    assert_eq!(status(&bob, "a").await, 401);
    let with = server.reload(|server| {
        server
            .issuer(issuer("https://a.test/", &keys))
            .tool(tool("a"))
    });
    with.await.expect("good");
    let states = server.key_states();
    assert!(states[0].usable && states[0].keys == 1, "{states:?}");
    assert_eq!(keys.visits(KEYS), 1);
    assert_eq!(status(&bob, "a").await, 200);
    assert_eq!(keys.visits(KEYS), 1);
}

#[tokio::test]
async fn keys_of_one_issuer_are_no_keys_of_another_at_the_same_source() {
    let signer = Signer::ed25519("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let server = TestServer::start(|server| {
        server
            .issuer(issuer("https://a.test/", &keys))
            .tool(tool("a"))
    })
    .await;
    let bob = |name: &str| {
        let token = signer.token("EdDSA", &claims(&server, name, 1));
        Caller::new(server.url(), token)
    };
    assert_eq!(status(&bob("https://a.test/"), "a").await, 200);
    let other = server.reload(|server| {
        server
            .issuer(issuer("https://b.test/", &keys))
            .tool(tool("a"))
    });
    other.await.expect("good");
    assert_eq!(status(&bob("https://a.test/"), "a").await, 401);
    assert_eq!(status(&bob("https://b.test/"), "a").await, 200);
    assert_eq!(keys.visits(KEYS), 2);
}

#[tokio::test]
async fn failures_stay_counted_where_an_issuer_has_its_keys_from_elsewhere() {
    let signer = Signer::ed25519("1");
    let (gone, there) = (
        KeyServer::start(&[]).await,
        KeyServer::start(&[signer.jwk()]).await,
    );
    gone.dies();
    let from = |keys| {
        move |server: ServerBuilder| {
            server
                .issuer(issuer("https://a.test/", keys))
                .tool(tool("a"))
        }
    };
    let server = TestServer::start(from(&gone)).await;
    let failures = || server.key_states()[0].failures;
    assert_eq!(failures(), 0, "served before they are loaded");
    server.reload(from(&gone)).await.expect("good");
    let before = failures();
    assert!(before > 0);
    server.reload(from(&there)).await.expect("good");
    assert!(server.key_states()[0].usable);
    assert_eq!(failures(), before);
}
