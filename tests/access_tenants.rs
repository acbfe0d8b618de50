//! What one tenant has otherwise than the others, and what is not there at all: to a caller it
//! looks like what never was.

#[path = "support/caller.rs"]
mod caller;

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::server::Server;
use tollgate::testing::TestServer;
use tollgate::tool::{Access, ScopeSet, TenantPolicy};
use tollgate::{CallContext, Limit, Quota, Resource, Rule, Tool, ToolError};

use caller::{Answer, Caller};

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn nothing(_: CallContext, _: Nothing) -> Result<(), ToolError> {
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    id: String,
}

async fn note(_: CallContext, note: Note) -> Result<String, ToolError> {
    Ok(note.id)
}

fn tool(name: &str) -> Tool {
    Tool::new(name, "Does nothing.").scope("a").handler(nothing)
}

fn notes() -> Resource {
    Resource::new("notes://{id}", "note")
        .scope("a")
        .handler(note)
}

fn enabled(enabled: bool) -> TenantPolicy {
    TenantPolicy {
        enabled: Some(enabled),
        ..TenantPolicy::default()
    }
}

fn caller(server: &TestServer, tenant: &str) -> Caller {
    Caller::new(server.url(), server.token_for(tenant, "ada", &["a"]))
}

/// All of an answer but what names this one call or what was asked for.
fn shape(answer: &Answer, asked: &[&str]) -> String {
    let mut names: Vec<_> = answer
        .headers
        .keys()
        .map(|name| name.as_str().to_owned())
        .collect();
    names.sort();
    let mut body = answer.body.clone();
    for pointer in ["/callId", "/error/data/callId"] {
        if let Some(id) = body.pointer_mut(pointer) {
            *id = Value::Null;
        }
    }
    let mut text = format!("{} {names:?} {body}", answer.status);
    for asked in asked {
        text = text.replace(asked, "…");
    }
    text
}

#[tokio::test]
async fn what_is_not_enabled_looks_like_what_never_was() {
    let server = TestServer::start(|server| {
        server
            .tool(tool("retired").enabled(false))
            .tool(tool("not_here").for_tenant("acme", enabled(false)))
            .tool(
                tool("beta")
                    .enabled(false)
                    .for_tenant("globex", enabled(true)),
            )
            .tool(tool("unmet").scope("z").enabled(false))
            .tool(tool("ruled").rule(Rule::deny("true")).enabled(false))
            .resource(notes().enabled(false))
    })
    .await;
    let acme = caller(&server, "acme");
    let never = acme.rest("no_such", json!({})).await;
    assert_eq!(never.status, 404);
    let uri = json!({"uri": "never://1"});
    let params = |name: &str| json!({"name": name, "arguments": {"x": 1}});
    for name in ["retired", "not_here", "beta", "unmet", "ruled"] {
        let asked = [name, "no_such"];
        for arguments in [json!({}), json!({"bad": 1})] {
            let hidden = acme.rest(name, arguments).await;
            assert_eq!(shape(&hidden, &asked), shape(&never, &asked), "{name}");
        }
        let hidden = acme.modern("tools/call", params(name)).await;
        let never = acme.modern("tools/call", params("no_such")).await;
        assert_eq!(shape(&hidden, &asked), shape(&never, &asked), "{name}");
        let hidden = acme.legacy("tools/call", params(name)).await;
        let never = acme.legacy("tools/call", params("no_such")).await;
        assert_eq!(shape(&hidden, &asked), shape(&never, &asked), "{name}");
    }
    let asked = ["notes://1", "never://1"];
    let hidden = acme
        .modern("resources/read", json!({"uri": "notes://1"}))
        .await;
    let never = acme.modern("resources/read", uri).await;
    assert_eq!(shape(&hidden, &asked), shape(&never, &asked));

    let globex = caller(&server, "globex");
    for (caller, listed) in [(&acme, json!([])), (&globex, json!(["not_here", "beta"]))] {
        let list = caller.modern("tools/list", json!({})).await.body;
        let tools = list["result"]["tools"].as_array().expect("a list");
        let names: Value = tools.iter().map(|tool| tool["name"].clone()).collect();
        assert_eq!(names, listed);
        let templates = caller
            .modern("resources/templates/list", json!({}))
            .await
            .body;
        assert_eq!(templates["result"]["resourceTemplates"], json!([]));
    }
    assert_eq!(globex.rest("beta", json!({})).await.status, 200);
    assert_eq!(globex.rest("not_here", json!({})).await.status, 200);
}

#[tokio::test]
async fn what_is_not_enabled_does_not_stand_in_the_way_of_another() {
    let fixed = Resource::new("notes://1", "first").scope("a");
    let server = TestServer::start(|server| {
        server
            .resource(fixed.handler(nothing).for_tenant("acme", enabled(false)))
            .resource(notes())
    })
    .await;
    let read = async |tenant| {
        let uri = json!({"uri": "notes://1"});
        let answer = caller(&server, tenant).modern("resources/read", uri).await;
        answer.body["result"]["contents"][0]["text"].clone()
    };
    assert_eq!(
        (read("acme").await, read("globex").await),
        (json!("1"), json!("null"))
    );
}

#[tokio::test]
async fn a_tenant_with_a_quota_of_its_own_is_told_its_own() {
    let own = TenantPolicy {
        limits: Some(vec![Limit::new(Quota::per(7, Duration::from_secs(70)))]),
        ..TenantPolicy::default()
    };
    let common = Quota::per(2, Duration::from_secs(10));
    let server =
        TestServer::start(|server| server.tool(tool("t").quota(common).for_tenant("acme", own)))
            .await;
    for (tenant, policy, calls) in [
        ("globex", "\"default\";q=2;w=10", 2),
        ("acme", "\"default\";q=7;w=70", 7),
    ] {
        let caller = caller(&server, tenant);
        for _ in 0..calls {
            let answer = caller.rest("t", json!({})).await;
            assert_eq!(
                (answer.status, answer.header("ratelimit-policy")),
                (200, policy)
            );
        }
        let over = caller.rest("t", json!({})).await;
        assert_eq!(
            (over.status, over.header("ratelimit-policy")),
            (429, policy)
        );
    }
}

#[tokio::test]
async fn only_the_parts_that_are_named_are_replaced() {
    let scopes = TenantPolicy {
        access: Some((Access::Scopes(ScopeSet::all_of(["b"])), ScopeSet::default())),
        ..TenantPolicy::default()
    };
    let open = TenantPolicy {
        access: Some((Access::AnyAuthenticated, ScopeSet::default())),
        rules: Some(Vec::new()),
        ..TenantPolicy::default()
    };
    let server = TestServer::start(|server| {
        let tool = tool("t").rule(Rule::deny(r#"caller.subject == "eve""#).because("No"));
        server.tool(
            tool.for_tenant("stricter", scopes)
                .for_tenant("freer", open),
        )
    })
    .await;
    for (tenant, subject, scopes, status, detail) in [
        ("acme", "ada", &["a"][..], 200, ""),
        ("acme", "eve", &["a"], 403, "No"),
        ("acme", "ada", &["b"], 403, "Missing scopes: ['a']"),
        ("stricter", "ada", &["b"], 200, ""),
        ("stricter", "eve", &["b"], 403, "No"),
        ("stricter", "ada", &["a"], 403, "Missing scopes: ['b']"),
        ("freer", "eve", &[], 200, ""),
        // A tenant's name is exact.
        ("Freer", "eve", &["a"], 403, "No"),
    ] {
        let caller = Caller::new(server.url(), server.token_for(tenant, subject, scopes));
        let answer = caller.rest("t", json!({})).await;
        assert_eq!(
            answer.status, status,
            "{subject} of {tenant} with {scopes:?}"
        );
        assert_eq!(answer.body["detail"].as_str().unwrap_or_default(), detail);
        let list = caller.modern("tools/list", json!({})).await.body;
        let listed = list["result"]["tools"].as_array().expect("a list").len();
        assert_eq!(listed, usize::from(status == 200), "{subject} of {tenant}");
    }
}

#[test]
fn a_tenants_policy_is_checked_at_load() {
    let rules = TenantPolicy {
        rules: Some(vec![Rule::deny("nonsense")]),
        ..TenantPolicy::default()
    };
    let none = TenantPolicy {
        access: Some((Access::Scopes(ScopeSet::default()), ScopeSet::default())),
        ..TenantPolicy::default()
    };
    let twice = tool("c")
        .for_tenant("acme", enabled(true))
        .for_tenant("acme", enabled(false));
    let server = Server::builder()
        .tool(tool("a").for_tenant("acme", rules))
        .tool(tool("b").for_tenant("acme", none))
        .tool(twice);
    let Err(error) = server.build() else {
        panic!("it was built");
    };
    let found = error.to_string();
    let lines: Vec<&str> = found.lines().collect();
    assert!(lines[0].starts_with("a: for tenant `acme`: rules[0]: unknown name at column 1"));
    assert!(lines[1].starts_with("b: for tenant `acme`: has no policy"));
    assert_eq!(lines[2], "c: has two policies for tenant `acme`");
}
