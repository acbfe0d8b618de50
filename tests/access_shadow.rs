//! Shadow mode: what is not enforced yet refuses nobody, and the record tells whom it would refuse.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/spans.rs"]
mod spans;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tollgate::testing::TestServer;
use tollgate::tool::{Mode, ScopeSet};
use tollgate::{CallContext, Quota, Rule, Tool, ToolError};

use caller::Caller;
use spans::{Spans, attribute, watched};

#[derive(Deserialize, JsonSchema)]
struct Transfer {
    amount: i64,
}

async fn transfer(_: CallContext, transfer: Transfer) -> Result<i64, ToolError> {
    Ok(transfer.amount)
}

fn tool() -> Tool {
    Tool::new("t", "Sends money.")
        .any_authenticated()
        .handler(transfer)
}

async fn serving(tool: Tool, scopes: &[&str]) -> (TestServer, Caller, Spans) {
    let (tracing, spans) = watched();
    let server = TestServer::start(|server| server.tracing(tracing).tool(tool)).await;
    let caller = Caller::new(server.url(), server.token_for("acme", "ada", scopes));
    (server, caller, spans)
}

/// Calls, and gives the status and what would have refused the call.
async fn call(caller: &Caller, spans: &mut Spans, amount: i64) -> (u16, String) {
    let status = caller.rest("t", json!({ "amount": amount })).await.status;
    let span = spans.next_request().await;
    (status, attribute(&span, "tollgate.would_deny"))
}

#[tokio::test]
async fn everything_in_shadow_mode_lets_the_call_go_on_and_is_recorded() {
    let tool = tool()
        .shadow_scopes(ScopeSet::all_of(["a"]).or_any_of(["b", "c"]))
        .shadow_quota(Quota::per(2, Duration::from_secs(60)))
        .rule(Rule::deny("args.amount > 1000").mode(Mode::Shadow))
        .rule(Rule::allow_only_if(r#"caller.tenant == "globex""#).mode(Mode::Shadow))
        .rule(Rule::deny("args.amount < 0"));
    let (_server, ada, mut spans) = serving(tool, &["a"]).await;
    assert_eq!(
        call(&ada, &mut spans, 1).await,
        (200, "scopes,rules[1]".to_owned())
    );
    assert_eq!(
        call(&ada, &mut spans, 1001).await,
        (200, "scopes,rules[1],rules[0]".to_owned())
    );
    // The third in a minute.
    assert_eq!(
        call(&ada, &mut spans, 1001).await,
        (200, "scopes,rules[1],rateLimit,rules[0]".to_owned())
    );
    // What is enforced still is.
    assert_eq!(call(&ada, &mut spans, -1).await.0, 403);
}

#[tokio::test]
async fn who_meets_everything_leaves_no_mark() {
    let tool = tool()
        .shadow_scopes(ScopeSet::all_of(["a"]).or_any_of(["b", "c"]))
        .shadow_quota(Quota::per(1, Duration::from_secs(60)))
        .rule(Rule::deny("args.amount > 1000").mode(Mode::Shadow));
    let (server, ada, mut spans) = serving(tool, &["a", "c"]).await;
    assert_eq!(call(&ada, &mut spans, 1).await, (200, String::new()));
    // A bucket in shadow mode refills as any other.
    assert_eq!(
        call(&ada, &mut spans, 1).await,
        (200, "rateLimit".to_owned())
    );
    server.clock().advance(Duration::from_secs(60));
    assert_eq!(call(&ada, &mut spans, 1).await, (200, String::new()));
}

#[tokio::test]
async fn a_quota_in_shadow_mode_promises_callers_nothing() {
    let tool = tool().shadow_quota(Quota::per(1, Duration::from_secs(60)));
    let (_server, ada, _spans) = serving(tool, &[]).await;
    for _ in 0..3 {
        let answer = ada.rest("t", json!({"amount": 1})).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            (
                answer.header("ratelimit"),
                answer.header("ratelimit-policy")
            ),
            ("", "")
        );
    }
}

#[tokio::test]
async fn a_shadow_rule_that_cannot_be_evaluated_would_deny_too() {
    let tool = tool().rule(Rule::deny("args.amount / 0 > 1").mode(Mode::Shadow));
    let (_server, ada, mut spans) = serving(tool, &[]).await;
    assert_eq!(
        call(&ada, &mut spans, 1).await,
        (200, "rules[0]".to_owned())
    );
}

#[tokio::test]
async fn scopes_in_shadow_mode_hide_nothing() {
    let tool = tool().shadow_scopes(ScopeSet::all_of(["a"]));
    let (_server, ada, _spans) = serving(tool, &[]).await;
    for list in [
        ada.modern("tools/list", json!({})).await,
        ada.legacy("tools/list", json!({})).await,
    ] {
        assert_eq!(list.body["result"]["tools"][0]["name"], "t");
    }
}
