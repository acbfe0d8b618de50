//! An issuer that cannot be asked is neither yes nor no: the call is refused for now, others are
//! served, and the operator is told once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::caller::Answer;
use crate::declared::token;
use crate::introspection_server::{IntrospectionServer, Manner};
use crate::whoami::Whoami;
use crate::{active, auth, log, start};

/// The call was refused for now, without a word about why.
#[track_caller]
fn unavailable(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 503, "{what}: {answer:?}");
    assert_eq!(answer.header("retry-after"), "1", "{what}: {answer:?}");
    assert_eq!(answer.header("www-authenticate"), "", "{what}: {answer:?}");
    let detail = &answer.body["detail"];
    assert_eq!(
        detail,
        "The token cannot be verified right now; retry shortly"
    );
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_properly_lets_nobody_in() {
    let (endpoint, whoami) = start("").await;
    endpoint.knows("known-before", active());
    Whoami::is(&whoami.ask("known-before").await, "ada");
    let yes = active().to_string();
    let doubled = yes.replacen("{", "{\"active\":false,", 1);
    let huge = format!("{{\"padding\":\"{}\",{}", "x".repeat(300_000), &yes[1..]);
    let cases = [
        ("an error", Manner::Says(500, yes.clone())),
        ("busy", Manner::Says(503, yes.clone())),
        (
            "our credentials are refused",
            Manner::Says(401, yes.clone()),
        ),
        (
            "our credentials are refused",
            Manner::Says(403, yes.clone()),
        ),
        ("a bad request", Manner::Says(400, yes.clone())),
        ("nothing", Manner::Says(200, String::new())),
        ("no JSON", Manner::Says(200, "active".to_owned())),
        ("a list", Manner::Says(200, format!("[{yes}]"))),
        (
            "half of it",
            Manner::Says(200, yes[..yes.len() - 1].to_owned()),
        ),
        ("active twice", Manner::Says(200, doubled)),
        ("far too much", Manner::Says(200, huge)),
        ("too deep", Manner::Says(200, "[".repeat(100_000))),
    ];
    for (index, (what, manner)) in cases.into_iter().enumerate() {
        endpoint.behave(manner);
        unavailable(&whoami.ask(&format!("opaque-{index}")).await, what);
        // What was answered before is good until its time is up.
        Whoami::is(&whoami.ask("known-before").await, "ada");
    }
    whoami.clock.advance(Duration::from_secs(30));
    unavailable(&whoami.ask("known-before").await, "an old answer");
    endpoint.behave(Manner::Honest);
    Whoami::is(&whoami.ask("known-before").await, "ada");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (endpoint, whoami) = start("").await;
    endpoint.knows("redirected", active());
    endpoint.behave(Manner::Redirects);
    unavailable(&whoami.ask("redirected").await, "a redirect");
    assert_eq!(endpoint.questions().len(), 1);
    Whoami::is(&whoami.ask("redirected").await, "ada");
}

#[tokio::test]
async fn an_issuer_that_stalls_or_is_gone_holds_up_nobody_else() {
    let (endpoint, whoami) = start("").await;
    endpoint.knows("before", active());
    Whoami::is(&whoami.ask("before").await, "ada");
    endpoint.behave(Manner::Stalls);
    let stalled = whoami.ask("stalled");
    let others = async {
        endpoint.was_asked(2).await;
        Whoami::is(&whoami.ask("before").await, "ada");
        let jwt = token(json!({"sub": "ci", "tenant": "acme", "scope": "customer:read"}));
        Whoami::is(&whoami.ask(&jwt).await, "ci");
    };
    let (stalled, ()) = tokio::join!(stalled, others);
    unavailable(&stalled, "no answer in time");
    endpoint.die();
    unavailable(&whoami.ask("gone").await, "nobody there");
    Whoami::is(&whoami.ask("before").await, "ada");
}

#[tokio::test]
async fn the_operator_is_told_once_and_never_the_token() {
    let (endpoint, whoami) = start("").await;
    endpoint.behave(Manner::Says(401, String::new()));
    // Other tests of this process have issuers of their own; only here are credentials refused twice.
    let refused = || log::lines_with("check the URL, the client id and the client secret").len();
    let before = refused();
    for index in 0..5 {
        let token = format!("canary-token-{index}");
        unavailable(&whoami.ask(&token).await, "refused credentials");
    }
    assert_eq!(refused(), before + 1);
    assert_eq!(log::lines_with("canary-token"), [""; 0]);
    assert_eq!(log::lines_with("client-secret"), [""; 0]);
}

#[tokio::test]
async fn a_token_its_issuer_called_good_passes_from_an_address_that_floods() {
    let endpoint = IntrospectionServer::start().await;
    let auth = auth(endpoint.url(), "");
    let whoami = Whoami::start(&format!("  failureLimit: 2/m\n{auth}        maxAge: 10s\n")).await;
    endpoint.knows("good", active());
    endpoint.knows("fresh", active());
    Whoami::is(&whoami.ask("good").await, "ada");
    for token in ["bad-1", "bad-2"] {
        Whoami::refused(&whoami.ask(token).await, token);
    }
    assert_eq!(whoami.ask("fresh").await.status, 429);
    Whoami::is(&whoami.ask("good").await, "ada");
    whoami.clock.advance(Duration::from_secs(10));
    assert_eq!(whoami.ask("fresh").await.status, 429);
    // To be asked about again, which is worth it for a token that was good.
    Whoami::is(&whoami.ask("good").await, "ada");
}

#[tokio::test]
async fn made_up_tokens_do_not_keep_a_session_from_being_asked_about() {
    let (endpoint, whoami) = start("").await;
    endpoint.knows("session", active());
    Whoami::is(&whoami.ask("session").await, "ada");
    whoami.clock.advance(Duration::from_secs(30));
    endpoint.hold_back(true);
    let made_up: Vec<String> = (0..100).map(|n| format!("made-up-{n}")).collect();
    let flood = join_all(made_up.iter().map(|token| whoami.ask(token)));
    let session = async {
        // Once for the session before, and for as many made-up tokens as may be asked about.
        endpoint.was_asked(49).await;
        let asked = async {
            endpoint.was_asked_about("session", 2).await;
            endpoint.hold_back(false);
        };
        let mut asked = std::pin::pin!(asked);
        let mut answer = std::pin::pin!(whoami.ask("session"));
        tokio::select! {
            early = &mut answer => {
                endpoint.hold_back(false);
                return early;
            }
            () = &mut asked => {}
        }
        answer.await
    };
    let (flood, session) = tokio::join!(flood, session);
    Whoami::is(&session, "ada");
    assert!(flood.iter().all(|answer| answer.status != 200));
}
