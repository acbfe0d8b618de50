//! Who is let in is decided by the new configuration from the first request on, whatever was known
//! of a token before.

use serde_json::{Value, json};
use tollgate::auth::{Issuer, SecretString};
use tollgate::testing::TestServer;

use crate::caller::Caller;
use crate::tokens::hs256;
use crate::{ada, status, tool};

const ISSUER: &str = "https://other.test/";
const OLD: &str = "an-old-secret-of-more-than-32-bytes!";
const NEW: &str = "another-secret-of-more-than-32-bytes";

fn issuer(secret: &str) -> Issuer {
    Issuer::hs256(ISSUER, ["tools"], &SecretString::from(secret)).expect("a good issuer")
}

fn claims(server: &TestServer) -> Value {
    let now = server.clock().unix().as_secs();
    json!({
        "iss": ISSUER, "aud": "tools", "sub": "bob", "tenant": "acme",
        "scope": "read", "iat": now, "exp": now + 3_600,
    })
}

#[tokio::test]
async fn a_secret_that_is_gone_ends_the_tokens_it_signed_although_they_are_remembered() {
    let server = TestServer::start(|server| server.issuer(issuer(OLD)).tool(tool("a"))).await;
    let [old, new] = [OLD, NEW].map(|secret| {
        let token = hs256(&claims(&server), secret);
        Caller::new(server.url(), token)
    });
    assert_eq!(status(&old, "a").await, 200);
    assert_eq!(status(&new, "a").await, 401);
    let rotated = server.reload(|server| server.issuer(issuer(NEW)).tool(tool("a")));
    rotated.await.expect("good");
    assert_eq!(status(&old, "a").await, 401);
    assert_eq!(status(&new, "a").await, 200);
    assert_eq!(status(&ada(&server), "a").await, 200, "others go on");
    let without = server.reload(|server| server.tool(tool("a")));
    without.await.expect("good");
    assert_eq!(status(&new, "a").await, 401, "nobody trusts its issuer");
}

#[tokio::test]
async fn an_issuer_in_the_place_of_another_does_not_answer_for_its_tokens() {
    let server = TestServer::start(|server| server.tool(tool("a")).issuer(issuer(OLD))).await;
    let bob = Caller::new(server.url(), hs256(&claims(&server), OLD));
    assert_eq!(status(&bob, "a").await, 200);
    let third = Issuer::hs256("https://third.test/", ["tools"], &SecretString::from(OLD));
    let third = third.expect("a good issuer");
    let replaced = server.reload(|server| server.issuer(third).tool(tool("a")));
    replaced.await.expect("good");
    assert_eq!(status(&bob, "a").await, 401);
}
