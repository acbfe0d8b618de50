//! A token that says nothing by itself is as good as its issuer says it is, for as long as the
//! configuration lets an answer be used; and an issuer that does not answer lets nobody in.

#[path = "support/caller.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/introspection_server.rs"]
mod introspection_server;
#[path = "support/log.rs"]
mod log;
#[path = "introspection/refusals.rs"]
mod refusals;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "introspection/trouble.rs"]
mod trouble;
#[path = "support/whoami.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod whoami;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tollgate::auth::NewApiKey;

use declared::SECRET;
use introspection_server::IntrospectionServer;
use tokens::hs256;
use whoami::Whoami;

const ISSUER: &str = "https://login.example.com/";
const AUDIENCE: &str = "https://tools.example.com/mcp";
/// The turned clock starts here.
const START: u64 = 2_000_000_000;

/// An issuer to be asked, beside one whose tokens are read.
fn auth(url: &str, further: &str) -> String {
    format!(
        r#"
  issuers:
    - {{issuer: https://ci.example.com/, audiences: [https://tools.example.com/mcp], secret: "${{SECRET}}"}}
    - issuer: {ISSUER}
      audiences: [{AUDIENCE}]
{further}
      introspection:
        url: {url}
        clientId: toll:gate
        clientSecret: a b%c-client-secret
"#
    )
}

async fn start(further: &str) -> (IntrospectionServer, Whoami) {
    log::listen();
    let endpoint = IntrospectionServer::start().await;
    let whoami = Whoami::start(&auth(endpoint.url(), further)).await;
    (endpoint, whoami)
}

/// Maximum age of answers other than the default.
async fn start_with_age(max_age: &str) -> (IntrospectionServer, Whoami) {
    let endpoint = IntrospectionServer::start().await;
    let auth = format!("{}        maxAge: {max_age}\n", auth(endpoint.url(), ""));
    let whoami = Whoami::start(&auth).await;
    (endpoint, whoami)
}

/// What an honest issuer says of a good token.
fn active() -> Value {
    json!({
        "active": true, "iss": ISSUER, "aud": AUDIENCE, "exp": START + 3_600, "sub": "ada",
        "tenant": "acme", "scope": "customer:read", "token_type": "Bearer", "client_id": "x",
    })
}

#[tokio::test]
async fn an_opaque_token_is_whom_its_issuer_calls_it() {
    let (endpoint, whoami) = start("").await;
    for token in ["opaque-one", "a.b", "a.b.c.d.e", "x-._~+/9=="] {
        endpoint.knows(token, active());
        Whoami::is(&whoami.ask(token).await, "ada");
    }
    let question = endpoint.questions().swap_remove(3);
    let form: Vec<(&str, &str)> = question
        .form
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(
        form,
        [("token", "x-._~+/9=="), ("token_type_hint", "access_token")]
    );
    // RFC 6749 §2.3.1: encoded before they are joined, so that the colon is not the separator.
    let pair = STANDARD.encode("toll%3Agate:a+b%25c-client-secret");
    assert_eq!(question.authorization, format!("Basic {pair}"));
}

#[tokio::test]
async fn an_answer_is_used_for_as_long_as_configured_and_no_longer() {
    let (endpoint, whoami) = start("").await;
    endpoint.knows("opaque", active());
    for _ in 0..3 {
        Whoami::is(&whoami.ask("opaque").await, "ada");
    }
    endpoint.revoke("opaque");
    whoami.clock.advance(Duration::from_secs(29));
    Whoami::is(&whoami.ask("opaque").await, "ada");
    assert_eq!(endpoint.questions().len(), 1);
    whoami.clock.advance(Duration::from_secs(1));
    Whoami::refused(&whoami.ask("opaque").await, "a revoked token");
    assert_eq!(endpoint.questions().len(), 2);
}

#[tokio::test]
async fn an_answer_is_not_used_beyond_the_end_of_the_token() {
    let (endpoint, whoami) = start_with_age("1h").await;
    let mut short = active();
    short["exp"] = json!(START + 10);
    endpoint.knows("short", short);
    Whoami::is(&whoami.ask("short").await, "ada");
    endpoint.revoke("short");
    whoami.clock.advance(Duration::from_secs(9));
    Whoami::is(&whoami.ask("short").await, "ada");
    whoami.clock.advance(Duration::from_secs(1));
    Whoami::refused(&whoami.ask("short").await, "an expired token");
}

#[tokio::test]
async fn without_an_age_the_issuer_is_asked_each_time() {
    let (endpoint, whoami) = start_with_age("0s").await;
    endpoint.knows("opaque", active());
    Whoami::is(&whoami.ask("opaque").await, "ada");
    endpoint.revoke("opaque");
    Whoami::refused(&whoami.ask("opaque").await, "a revoked token");
}

#[tokio::test]
async fn a_refused_token_is_not_asked_about_again_for_a_moment() {
    let (endpoint, whoami) = start("").await;
    for _ in 0..3 {
        Whoami::refused(&whoami.ask("early").await, "not issued yet");
    }
    assert_eq!(endpoint.questions().len(), 1);
    endpoint.knows("early", active());
    whoami.clock.advance(Duration::from_secs(10));
    Whoami::is(&whoami.ask("early").await, "ada");
}

#[tokio::test]
async fn many_who_come_with_one_token_ask_once() {
    let (endpoint, whoami) = start("").await;
    endpoint.knows("busy", active());
    endpoint.hold_back(true);
    let asking = async {
        let answers = join_all((0..50).map(|_| whoami.ask("busy"))).await;
        for answer in &answers {
            Whoami::is(answer, "ada");
        }
    };
    let releasing = async {
        endpoint.was_asked(1).await;
        endpoint.hold_back(false);
    };
    tokio::join!(asking, releasing);
    assert_eq!(endpoint.questions().len(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_takes_no_answer_from_others() {
    let (endpoint, whoami) = start("").await;
    endpoint.knows("left", active());
    endpoint.hold_back(true);
    tokio::select! {
        answer = whoami.ask("left") => panic!("it is held back: {answer:?}"),
        () = endpoint.was_asked(1) => {}
    }
    let waiting = whoami.ask("left");
    let (answer, ()) = tokio::join!(waiting, async { endpoint.hold_back(false) });
    Whoami::is(&answer, "ada");
    assert_eq!(endpoint.questions().len(), 1);
}

#[tokio::test]
async fn only_tokens_that_may_be_its_own_are_shown_to_the_issuer() {
    let (endpoint, whoami) = start("").await;
    let claims = json!({
        "iss": "https://ci.example.com/", "aud": AUDIENCE, "exp": START + 60, "sub": "ci",
        "tenant": "acme", "scope": "customer:read",
    });
    Whoami::is(&whoami.ask(&hs256(&claims, SECRET)).await, "ci");
    let mut stranger = claims.clone();
    stranger["iss"] = json!("https://stranger.example.com/");
    let key = NewApiKey::random(None).expect("random bytes");
    for (what, token) in [
        ("a wrong signature", hs256(&claims, &SECRET.to_lowercase())),
        ("another issuer", hs256(&stranger, SECRET)),
        ("no JWT, though in its form", "a.b.c".to_owned()),
        ("an API key", key.key.expose_secret().to_owned()),
        ("another parameter", "a&token=good".to_owned()),
        ("a long one", "x".repeat(9_000)),
    ] {
        Whoami::refused(&whoami.ask(&token).await, what);
    }
    assert!(
        endpoint.questions().is_empty(),
        "{:?}",
        endpoint.questions()
    );
}

#[tokio::test]
async fn a_jwt_that_names_the_issuer_is_as_good_as_the_issuer_says() {
    let (endpoint, whoami) = start("").await;
    let claims = json!({"iss": ISSUER, "sub": "mallory", "tenant": "globex", "exp": START + 60});
    let token = hs256(&claims, SECRET);
    Whoami::refused(&whoami.ask(&token).await, "unknown to its issuer");
    whoami.clock.advance(Duration::from_secs(10));
    endpoint.knows(&token, active());
    // Nothing that the token says of itself counts.
    Whoami::is(&whoami.ask(&token).await, "ada");
}
