//! Rules refuse what scopes let through: on the caller before anything else, on the arguments once
//! they are valid and counted. A rule that cannot be asked refuses.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/spans.rs"]
mod spans;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::server::Server;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Quota, Resource, Rule, Tool, ToolError};

use caller::Caller;
use spans::{attribute, watched};

#[derive(Deserialize, JsonSchema)]
struct Transfer {
    /// To whom.
    to: String,
    #[serde(default)]
    amount: Option<i64>,
}

async fn transfer(_: CallContext, transfer: Transfer) -> Result<String, ToolError> {
    Ok(format!("{} {:?}", transfer.to, transfer.amount))
}

fn tool(name: &str) -> Tool {
    Tool::new(name, "Sends money.")
        .any_authenticated()
        .handler(transfer)
}

async fn serving(tool: Tool) -> TestServer {
    TestServer::start(|server| server.tool(tool)).await
}

fn caller(server: &TestServer, tenant: &str, subject: &str, scopes: &[&str]) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, subject, scopes))
}

fn ada(server: &TestServer) -> Caller {
    caller(server, "acme", "ada", &[])
}

#[tokio::test]
async fn a_rule_on_arguments_refuses_with_its_reason_on_every_surface() {
    let server = serving(
        tool("transfer").rule(
            Rule::deny(r#"args.amount > 1000 && !("large" in caller.scopes)"#)
                .because("Transfers above 1000 need large"),
        ),
    )
    .await;
    let (ada, rich) = (ada(&server), caller(&server, "acme", "ada", &["large"]));
    let (much, little) = (
        json!({"to": "bob", "amount": 1001}),
        json!({"to": "bob", "amount": 1000}),
    );

    assert_eq!(ada.rest("transfer", little).await.status, 200);
    assert_eq!(rich.rest("transfer", much.clone()).await.status, 200);
    let refused = ada.rest("transfer", much.clone()).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.body["detail"], "Transfers above 1000 need large");
    assert_eq!(refused.body["type"], "urn:tollgate:error:refused-by-rule");
    assert_eq!(
        refused.header("www-authenticate"),
        "",
        "no token would help"
    );

    let params = json!({"name": "transfer", "arguments": much});
    for refused in [
        ada.modern("tools/call", params.clone()).await,
        ada.legacy("tools/call", params.clone()).await,
    ] {
        assert_eq!(refused.status, 200);
        assert_eq!(refused.header("www-authenticate"), "");
        let error = &refused.body["error"];
        assert_eq!(error["code"], 40302);
        assert_eq!(error["message"], "Transfers above 1000 need large");
        assert!(error["data"]["requiredScopes"].is_null());
    }
    // It is no secret that the tool is there.
    let listed = ada.modern("tools/list", json!({})).await;
    assert_eq!(listed.body["result"]["tools"][0]["name"], "transfer");
}

#[tokio::test]
async fn allow_only_if_refuses_whatever_is_not_true() {
    let server = serving(tool("transfer").rule(Rule::allow_only_if("args.amount < 10"))).await;
    let ada = ada(&server);
    let call = async |amount: Value| {
        let answer = ada
            .rest("transfer", json!({"to": "bob", "amount": amount}))
            .await;
        (answer.status, answer.body["detail"].clone())
    };
    assert_eq!(call(json!(9)).await.0, 200);
    let refused = (403, json!("Not allowed by policy"));
    assert_eq!(call(json!(10)).await, refused);
    // `null < 10` is neither true nor false.
    assert_eq!(call(json!(null)).await, refused);
}

#[tokio::test]
async fn a_condition_that_cannot_be_evaluated_refuses_and_the_record_says_which() {
    let (tracing, mut spans) = watched();
    let server = TestServer::start(|server| {
        server.tracing(tracing).tool(
            tool("transfer")
                .rule(Rule::deny("args.to == 'eve'"))
                .rule(Rule::deny("args.amount > 1000")),
        )
    })
    .await;
    let ada = ada(&server);
    // The amount may be left out, and the rule did not ask whether it is there.
    let refused = ada.rest("transfer", json!({"to": "s3cret"})).await;
    assert_eq!(refused.status, 403);
    assert_eq!(refused.body["detail"], "Not allowed by policy");
    let span = spans.next_request().await;
    assert_eq!(
        attribute(&span, "tollgate.cause"),
        "rules[1] cannot be evaluated: an argument that it names is not there"
    );
    assert_eq!(attribute(&span, "tollgate.outcome"), "denied");
    assert!(!format!("{span:?}").contains("s3cret"));

    assert_eq!(ada.rest("transfer", json!({"to": "eve"})).await.status, 403);
    let span = spans.next_request().await;
    assert_eq!(attribute(&span, "tollgate.cause"), "rules[0]");
    assert_eq!(attribute(&span, "tollgate.error"), "refused-by-rule");
}

#[tokio::test]
async fn a_rule_on_the_caller_hides_the_tool_and_refuses_the_call() {
    let server = TestServer::start(|server| {
        server
            .tool(tool("partners").rule(Rule::allow_only_if(r#"caller.tenant == "acme""#)))
            .tool(tool("not_eve").rule(Rule::deny(r#"caller.subject == "eve""#)))
            .tool(tool("open"))
    })
    .await;
    let all: &[&str] = &["partners", "not_eve", "open"];
    for (tenant, subject, may) in [
        ("acme", "ada", all),
        ("acme", "eve", &["partners", "open"]),
        ("globex", "ada", &["not_eve", "open"]),
        ("acme", "ada", all),
    ] {
        let caller = caller(&server, tenant, subject, &[]);
        for listed in [
            caller.modern("tools/list", json!({})).await,
            caller.legacy("tools/list", json!({})).await,
        ] {
            let tools = listed.body["result"]["tools"].as_array().expect("a list");
            let names: Vec<_> = tools.iter().map(|tool| tool["name"].clone()).collect();
            assert_eq!(names, may, "{subject} of {tenant}");
        }
        for name in all {
            let status = caller.rest(name, json!({"to": "bob"})).await.status;
            let wanted = if may.contains(name) { 200 } else { 403 };
            assert_eq!(status, wanted, "{name} for {subject} of {tenant}");
        }
    }
}

#[tokio::test]
async fn rules_on_arguments_are_asked_after_validation_and_cost_quota() {
    let server = serving(
        tool("transfer")
            .quota(Quota::per(3, Duration::from_secs(60)))
            .rule(Rule::deny("args.amount > 0")),
    )
    .await;
    let ada = ada(&server);
    let invalid = ada.rest("transfer", json!({"to": 7, "amount": 5})).await;
    assert_eq!(invalid.status, 400);
    for remaining in [1, 0] {
        let refused = ada
            .rest("transfer", json!({"to": "bob", "amount": 5}))
            .await;
        assert_eq!(refused.status, 403);
        let limit = format!("\"default\";r={remaining};");
        assert!(refused.header("ratelimit").starts_with(&limit));
    }
    // Whoever tries out what the rule lets through is slowed down.
    let guess = ada
        .rest("transfer", json!({"to": "bob", "amount": 0}))
        .await;
    assert_eq!(guess.status, 429);
}

#[tokio::test]
async fn arguments_cannot_pass_for_the_caller() {
    let server = serving(tool("transfer").rule(Rule::allow_only_if(
        r#"caller.tenant == "acme" && args.to != """#,
    )))
    .await;
    let globex = caller(&server, "globex", "ada", &[]);
    let claimed = json!({"to": "bob", "caller": {"tenant": "acme"}});
    assert_eq!(globex.rest("transfer", claimed).await.status, 400);
    assert_eq!(
        globex.rest("transfer", json!({"to": "bob"})).await.status,
        403
    );
    assert_eq!(
        ada(&server)
            .rest("transfer", json!({"to": "bob"}))
            .await
            .status,
        200
    );
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    id: String,
}

#[tokio::test]
async fn a_resource_has_rules_on_the_variables_of_its_uri() {
    let server = TestServer::start(|server| {
        let notes = Resource::new("notes://{id}", "note").any_authenticated();
        let notes = notes.rule(Rule::deny(r#"args.id.startsWith("secret-")"#).because("Secret"));
        server
            .resource(notes.handler(async |_: CallContext, note: Note| Ok::<_, ToolError>(note.id)))
    })
    .await;
    let ada = ada(&server);
    let read = async |uri: &str| {
        ada.modern("resources/read", json!({ "uri": uri }))
            .await
            .body
    };
    assert_eq!(
        read("notes://1").await["result"]["contents"][0]["text"],
        "1"
    );
    // Percent-encoding does not get around it.
    for uri in ["notes://secret-1", "notes://%73ecret-1"] {
        let refused = read(uri).await;
        assert_eq!(refused["error"]["code"], 40302, "{uri}");
        assert_eq!(refused["error"]["message"], "Secret");
    }
}

#[test]
fn a_rule_that_means_nothing_does_not_start() {
    let tools = [
        tool("a")
            .rule(Rule::deny("args.amount > 5"))
            .rule(Rule::deny("args.amuont > 5")),
        tool("b").rule(Rule::deny("args.amount >")),
    ];
    let server = tools
        .into_iter()
        .fold(Server::builder(), |server, tool| server.tool(tool));
    let Err(error) = server.build() else {
        panic!("it was built");
    };
    assert_eq!(
        error.to_string(),
        "a: rules[1]: column 5 names an argument that there is not; there are: to, amount\n\
         b: rules[0]: not a valid CEL expression at line 1, column 14"
    );
}
