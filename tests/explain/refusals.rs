//! Every refusal carries its id, on every surface, and every id can be explained.

use serde_json::{Value, json};

use super::caller::{Answer, Caller};
use super::recorded::{Recorded, call_id};
use super::stage;

/// The id stands in the header, and the same one in the body, wherever that surface has it.
fn id_of(answer: &Answer) -> String {
    let id = call_id(answer);
    let places = [
        "/callId",
        "/error/data/callId",
        "/result/_meta/tollgate~1callId",
    ];
    let told: Vec<&Value> = places
        .iter()
        .filter_map(|place| answer.body.pointer(place))
        .collect();
    assert_eq!(told, [&Value::from(&*id)], "{answer:?}");
    id
}

async fn refusals(ada: &Caller, stranger: &Caller) -> Vec<(&'static str, &'static str, Answer)> {
    let call = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    let good = json!({"id": "c-42"});
    let mut found = Vec::new();
    for (error, stop, tool, arguments) in [
        ("insufficient-scope", "authorize", "admin", json!({})),
        ("unknown-tool", "authorize", "none", json!({})),
        ("invalid-arguments", "validate", "lookup", json!({"id": 7})),
        (
            "refused-by-rule",
            "allow",
            "lookup",
            json!({"id": "secret"}),
        ),
        ("quota-exceeded", "admit", "lookup", good.clone()),
        ("not-found", "run", "nothing", json!({})),
    ] {
        for answer in [
            ada.rest(tool, arguments.clone()).await,
            ada.modern("tools/call", call(tool, arguments.clone()))
                .await,
            ada.legacy("tools/call", call(tool, arguments)).await,
        ] {
            found.push((error, stop, answer));
        }
    }
    found.push((
        "unknown-resource",
        "authorize",
        ada.legacy("resources/read", json!({"uri": "none://x"}))
            .await,
    ));
    found.push((
        "method-not-found",
        "authorize",
        ada.legacy("none", json!({})).await,
    ));
    found.push((
        "invalid-params",
        "authorize",
        ada.legacy("tools/call", json!({})).await,
    ));
    for answer in [
        stranger.rest("lookup", good.clone()).await,
        stranger
            .modern("tools/call", call("lookup", good.clone()))
            .await,
        stranger.legacy("tools/list", json!({})).await,
    ] {
        found.push(("unauthenticated", "authenticate", answer));
    }
    found
}

#[tokio::test]
async fn each_one_tells_its_id_and_each_id_where_it_stopped() {
    for mode in ["mode: strict", "mode: bestEffort"] {
        let recorded = Recorded::start(mode).await;
        // The quota of two is used up by the calls that break the schema and the rule.
        let stranger = Caller::new(recorded.server.url(), "no.good.token");
        let mut kinds = 0;
        for (error, stop, answer) in refusals(&recorded.reader("ada"), &stranger).await {
            let id = id_of(&answer);
            let (status, told) = recorded.ask(&id).await;
            assert_eq!(
                (status, &told["callId"]),
                (200, &Value::from(&*id)),
                "{answer:?}"
            );
            let found = told["error"].as_str().expect("an error");
            // What is charged before it is looked at may be refused for that.
            if found != "quota-exceeded" {
                assert_eq!((found, stage(&told, stop)), (error, "stopped"), "{told}");
                kinds += 1;
            }
            assert!(
                !told["advice"].as_array().expect("advice").is_empty(),
                "{told}"
            );
        }
        assert!(kinds >= 12, "{kinds}");
    }
}

#[tokio::test]
async fn missing_scopes_are_told_beside_those_that_were_held() {
    let recorded = Recorded::start("mode: strict").await;
    let refused = recorded.reader("ada").rest("admin", json!({})).await;
    let id = id_of(&refused);
    let told = recorded.explained(&id);
    assert_eq!(told["missing"], json!(["admin:write"]));
    assert_eq!(told["caller"]["scopes"], json!(["read"]));
    let text = recorded.explain(&id, &[]).stdout;
    assert!(
        text.contains("missing     admin:write") && text.contains("holds       read"),
        "{text}"
    );
}

#[tokio::test]
async fn a_spent_quota_is_told_with_what_is_left_and_when_to_try_again() {
    let recorded = Recorded::start("mode: strict").await;
    let ada = recorded.reader("ada");
    for _ in 0..2 {
        assert_eq!(ada.rest("lookup", json!({"id": "c-1"})).await.status, 200);
    }
    let refused = ada.rest("lookup", json!({"id": "c-1"})).await;
    let id = id_of(&refused);
    let told = recorded.explained(&id);
    assert_eq!(
        told["quota"],
        json!([{"limit": "2/10s", "remaining": 0, "resetMs": 10_000}])
    );
    assert_eq!(told["retryAfterMs"], 5000);
    let text = recorded.explain(&id, &[]).stdout;
    assert!(
        text.contains("2/10s: 0 left, full again after 10.0 s"),
        "{text}"
    );
    assert!(
        text.contains("try again   5.0 s after the answer"),
        "{text}"
    );
}

#[tokio::test]
async fn a_caller_that_nobody_knows_is_told_to_be_one_with_the_cause() {
    let recorded = Recorded::start("mode: strict").await;
    let stranger = Caller::new(recorded.server.url(), "no.good.token");
    let id = id_of(&stranger.rest("lookup", json!({"id": "c-1"})).await);
    let told = recorded.explained(&id);
    assert_eq!(told["caller"]["tenant"], Value::Null);
    assert!(
        told["cause"]
            .as_str()
            .is_some_and(|cause| !cause.is_empty()),
        "{told}"
    );
    let text = recorded.explain(&id, &[]).stdout;
    assert!(
        text.contains("(not known: it was not authenticated)"),
        "{text}"
    );
    assert!(!text.contains("no.good.token"), "{text}");
}
