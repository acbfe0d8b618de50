//! `active` is not enough: whose the token is, whom it is for and until when must be right as well.

use serde_json::{Value, json};

use crate::introspection_server::Manner;
use crate::whoami::{self, Whoami};
use crate::{START, active, auth, declared, log, start};

#[tokio::test]
async fn an_answer_that_does_not_make_the_token_good_here_refuses_it() {
    let (endpoint, whoami) = start("").await;
    let with = |name: &str, value: Value| {
        let mut answer = active();
        answer[name] = value;
        answer
    };
    let without = |name: &str| {
        let mut answer = active();
        answer.as_object_mut().unwrap().remove(name);
        answer
    };
    let cases = [
        with("active", json!(false)),
        with("active", json!("true")),
        with("active", json!(1)),
        with("active", json!(null)),
        with("active", json!([true])),
        without("active"),
        with("iss", json!("https://login.example.com")),
        with("iss", json!(null)),
        with("aud", json!("https://other.example.com/")),
        with("aud", json!([])),
        with("aud", json!(null)),
        without("aud"),
        with("exp", json!(START - 60)),
        with("exp", json!((START + 60).to_string())),
        with("exp", json!(null)),
        with("nbf", json!(START + 60)),
        with("nbf", json!("0")),
        with("iat", json!(START + 60)),
        without("sub"),
        with("sub", json!(7)),
        without("tenant"),
        with("tenant", json!(null)),
        with("tenant", json!("a\nb")),
        with("tenant", json!("x".repeat(300))),
        with("scope", json!(null)),
        with("scope", json!({"customer:read": true})),
        with("token_type", json!("DPoP")),
        with("token_type", json!(null)),
        with("token_type", json!(["Bearer"])),
    ];
    for (index, answer) in cases.iter().enumerate() {
        let token = format!("bad-{index}");
        endpoint.knows(&token, answer.clone());
        Whoami::refused(&whoami.ask(&token).await, &answer.to_string());
    }
    for (index, answer) in [
        with("token_type", json!("bearer")),
        without("token_type"),
        without("iss"),
        without("exp"),
        with("aud", json!(["x", "https://tools.example.com/mcp"])),
        with("scope", json!("other customer:read")),
    ]
    .into_iter()
    .enumerate()
    {
        let token = format!("good-{index}");
        endpoint.knows(&token, answer.clone());
        Whoami::is(&whoami.ask(&token).await, "ada");
    }
    assert_eq!(log::lines_with("client-secret"), [""; 0]);
    assert_eq!(log::lines_with("bad-7"), [""; 0]);
}

#[tokio::test]
async fn scopes_that_the_answer_does_not_name_are_not_held() {
    let (endpoint, whoami) = start("").await;
    for (token, scope) in [("none", json!("")), ("other", json!("orders:search"))] {
        let mut answer = active();
        answer["scope"] = scope;
        endpoint.knows(token, answer);
        assert_eq!(whoami.ask(token).await.status, 403, "{token}");
    }
}

#[tokio::test]
async fn an_audience_may_be_missing_only_where_the_configuration_says_so() {
    let (endpoint, whoami) = start("      allowMissingAudience: true").await;
    let mut unaddressed = active();
    unaddressed.as_object_mut().unwrap().remove("aud");
    endpoint.knows("unaddressed", unaddressed.clone());
    Whoami::is(&whoami.ask("unaddressed").await, "ada");
    for (token, aud) in [
        ("elsewhere", json!("https://other.example.com/")),
        ("null", json!(null)),
    ] {
        let mut answer = unaddressed.clone();
        answer["aud"] = aud;
        endpoint.knows(token, answer);
        Whoami::refused(&whoami.ask(token).await, token);
    }
}

#[test]
fn an_endpoint_in_the_clear_is_refused_at_load() {
    let folder = whoami::folder();
    for url in [
        "http://login.example.com/introspect",
        "http://10.0.0.7/introspect",
        "https://user:pass@login.example.com/introspect",
        "ftp://login.example.com/introspect",
        "no-url",
    ] {
        let yaml = whoami::yaml(&auth(url, ""));
        let faults = declared::configure(&yaml, folder.path()).err();
        let faults = faults.expect("faults");
        assert!(
            faults.contains("tollgate.yaml:10: auth.issuers[1].introspection.url: the URL must start with https://"),
            "{url}: {faults}"
        );
        assert!(!faults.contains(url), "{faults}");
    }
}

#[tokio::test]
async fn a_kind_of_token_that_the_issuer_does_not_look_up_is_refused_and_no_outage() {
    let (endpoint, whoami) = start("").await;
    let error = json!({"error": "unsupported_token_type", "error_description": "no JWTs here"});
    endpoint.behave(Manner::Says(400, error.to_string()));
    assert_eq!(whoami.ask("of-another-kind").await.status, 401);
    assert_eq!(log::lines_with("cannot be looked up"), [""; 0]);
}
