//! One decision for lists and calls: who sees a tool may call it, who may not is told what is
//! missing, and nothing without a policy is served at all.

#[path = "support/caller.rs"]
mod caller;

use proptest::prelude::*;
use proptest::test_runner::Config;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::server::{Server, ServerBuilder};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Resource, Tool, ToolError};

use caller::Caller;

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn nothing(_: CallContext, _: Nothing) -> Result<(), ToolError> {
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
struct Note {
    id: String,
}

#[derive(Deserialize, JsonSchema)]
struct Foldered {
    folder: String,
    id: String,
}

async fn note(call: CallContext, note: Note) -> Result<String, ToolError> {
    match (call.principal().tenant(), note.id.as_str()) {
        ("acme", "1") => Ok("acme's note".to_owned()),
        _ => Err(ToolError::not_found("not found")),
    }
}

fn tool(name: &str) -> Tool {
    Tool::new(name, "Does nothing.").handler(nothing)
}

fn caller(server: &TestServer, scopes: &[&str]) -> Caller {
    Caller::new(server.url(), server.token_for("acme", "ada", scopes))
}

/// Names in one member of a list, in its order.
fn names<'a>(list: &'a Value, member: &str, name: &str) -> Vec<&'a str> {
    let entries = list["result"][member].as_array().expect("a list");
    entries
        .iter()
        .map(|entry| entry[name].as_str().expect("a name"))
        .collect()
}

/// Any of these, none of them twice.
fn some_scopes() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(vec!["a", "b:read", "b:write", "c"], 0..=4)
}

proptest! {
    #![proptest_config(Config { cases: 24, failure_persistence: None, ..Config::default() })]

    #[test]
    fn a_caller_sees_exactly_what_it_may_call(
        tools in prop::collection::vec(some_scopes(), 1..6),
        resource in some_scopes(),
        held in some_scopes(),
    ) {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            let server = TestServer::start(|mut server| {
                for (index, scopes) in tools.iter().enumerate() {
                    server = server.tool(governed(index, scopes));
                }
                let notes = Resource::new("notes://{id}", "note").handler(note);
                server.resource(match &resource[..] {
                    [] => notes.any_authenticated(),
                    scopes => notes.scopes(scopes.iter().copied()),
                })
            })
            .await;
            let caller = caller(&server, &held);
            let modern = caller.modern("tools/list", json!({})).await.body;
            let legacy = caller.legacy("tools/list", json!({})).await.body;
            let listed = names(&modern, "tools", "name");
            assert_eq!(listed, names(&legacy, "tools", "name"));

            for (index, scopes) in tools.iter().enumerate() {
                let name = format!("tool-{index}");
                let may = scopes.iter().all(|scope| held.contains(scope));
                let called = caller.rest(&name, json!({})).await.status;
                assert_eq!(called, if may { 200 } else { 403 }, "{scopes:?} by {held:?}");
                assert_eq!(listed.contains(&name.as_str()), may, "{scopes:?} by {held:?}");
            }

            let may = resource.iter().all(|scope| held.contains(scope));
            let templates = caller.modern("resources/templates/list", json!({})).await.body;
            let listed = names(&templates, "resourceTemplates", "uriTemplate");
            assert_eq!(listed.is_empty(), !may);
            let read = caller.modern("resources/read", json!({"uri": "notes://1"})).await;
            assert_eq!(read.status, if may { 200 } else { 403 }, "{resource:?} by {held:?}");
        });
    }
}

fn governed(index: usize, scopes: &[&str]) -> Tool {
    let tool = tool(&format!("tool-{index}"));
    match scopes {
        [] => tool.any_authenticated(),
        scopes => tool.scopes(scopes.iter().copied()),
    }
}

#[tokio::test]
async fn all_missing_scopes_are_told_at_once_and_those_held_are_not() {
    let server =
        TestServer::start(|server| server.tool(tool("report").scopes(["a", "b", "c"]))).await;
    let caller = caller(&server, &["b", "B", "A", "a:read"]);

    let answer = caller.rest("report", json!({})).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.body["detail"], "Missing scopes: ['a', 'c']");
    assert_eq!(answer.body["type"], "urn:tollgate:error:insufficient-scope");
    let challenge = format!(
        "Bearer error=\"insufficient_scope\", resource_metadata=\"{}/.well-known/oauth-protected-resource/mcp\", scope=\"a b c\"",
        server.url()
    );
    assert_eq!(answer.header("www-authenticate"), challenge);

    let params = json!({"name": "report", "arguments": {}});
    for answer in [
        caller.modern("tools/call", params.clone()).await,
        caller.legacy("tools/call", params.clone()).await,
    ] {
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("www-authenticate"), challenge);
        let error = &answer.body["error"];
        assert_eq!(error["code"], 40301);
        assert_eq!(error["message"], "Missing scopes: ['a', 'c']");
        assert_eq!(error["data"]["missingScopes"], json!(["a", "c"]));
        assert_eq!(error["data"]["requiredScopes"], json!(["a", "b", "c"]));
    }
}

#[tokio::test]
async fn one_of_some_scopes_is_enough_and_all_of_others_are_needed() {
    let server = TestServer::start(|server| {
        server
            .tool(tool("both").scope("a").any_scope(["b", "c"]))
            .tool(tool("any").any_scope(["b", "c"]))
    })
    .await;
    let scope = |answer: &caller::Answer| {
        let challenge = answer.header("www-authenticate");
        let scope = challenge
            .split_once("scope=")
            .map(|(_, scope)| scope.to_owned());
        scope.unwrap_or_default()
    };
    for (held, tool, detail, needed) in [
        (&["a", "c"][..], "both", "", ""),
        (&["b"], "any", "", ""),
        (&["c"], "both", "Missing scopes: ['a']", "\"a c\""),
        (
            &["a"],
            "both",
            "Missing one of the scopes: ['b', 'c']",
            "\"a b\"",
        ),
        (
            &[],
            "both",
            "Missing scopes: ['a'] and one of: ['b', 'c']",
            "\"a b\"",
        ),
        (
            &["a"],
            "any",
            "Missing one of the scopes: ['b', 'c']",
            "\"b\"",
        ),
    ] {
        let caller = caller(&server, held);
        let answer = caller.rest(tool, json!({})).await;
        let wanted = if detail.is_empty() { 200 } else { 403 };
        assert_eq!(answer.status, wanted, "{held:?} on {tool}");
        assert_eq!(answer.body["detail"].as_str().unwrap_or_default(), detail);
        assert_eq!(scope(&answer), needed, "{held:?} on {tool}");
        let list = caller.modern("tools/list", json!({})).await.body;
        let listed = names(&list, "tools", "name").contains(&tool);
        assert_eq!(listed, detail.is_empty(), "{held:?} on {tool}");
    }
    let params = json!({"name": "both", "arguments": {}});
    let refused = caller(&server, &[]).modern("tools/call", params).await;
    let data = &refused.body["error"]["data"];
    assert_eq!(data["requiredScopes"], json!(["a", "b"]));
    assert_eq!(data["missingScopes"], json!(["a"]));
    assert_eq!(data["missingAnyOf"], json!(["b", "c"]));
}

#[tokio::test]
async fn any_authenticated_lets_in_everybody_with_a_token_and_nobody_without() {
    let server = TestServer::start(|server| server.tool(tool("open").any_authenticated())).await;
    assert_eq!(
        caller(&server, &[]).rest("open", json!({})).await.status,
        200
    );
    let nobody = reqwest::Client::new()
        .post(format!("{}/mcp/tool/open", server.url()))
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(nobody.status(), 401);
}

#[tokio::test]
async fn scopes_that_arguments_or_meta_claim_to_have_change_nothing() {
    let server = TestServer::start(|server| server.tool(tool("report").scope("a"))).await;
    let caller = caller(&server, &[]);
    let claimed = json!({
        "granted_scopes": ["a"], "scopes": ["a"], "scope": "a", "tenant_id": "globex", "sub": "root",
    });
    assert_eq!(caller.rest("report", claimed.clone()).await.status, 403);
    let params = json!({"name": "report", "arguments": claimed, "_meta": claimed});
    assert_eq!(
        caller.modern("tools/call", params.clone()).await.status,
        403
    );
    assert_eq!(caller.legacy("tools/call", params).await.status, 403);
}

#[tokio::test]
async fn a_name_is_known_exactly_or_not_at_all() {
    let server = TestServer::start(|server| server.tool(tool("get_note").scope("a"))).await;
    let (friend, stranger) = (caller(&server, &["a"]), caller(&server, &[]));
    assert_eq!(stranger.rest("get_note", json!({})).await.status, 403);
    for unknown in ["Get_note", "get_note%20", "get_note.", "get%5Fnote", "note"] {
        for caller in [&friend, &stranger] {
            let answer = caller.rest(unknown, json!({})).await;
            assert_eq!(answer.status, 404, "{unknown}");
            assert_eq!(answer.body["detail"], "Unknown tool", "{unknown}");
        }
    }
}

#[tokio::test]
async fn what_another_tenant_has_and_what_nobody_has_look_the_same() {
    let server = TestServer::start(|server| {
        server.resource(
            Resource::new("notes://{id}", "note")
                .any_authenticated()
                .handler(note),
        )
    })
    .await;
    let read = async |tenant: &str, uri: &str| {
        let caller = Caller::new(server.url(), server.token_for(tenant, "ada", &[]));
        let mut body = caller
            .modern("resources/read", json!({ "uri": uri }))
            .await
            .body;
        if body["error"].is_object() {
            assert_eq!(body["error"]["data"]["uri"], uri, "what was asked for");
            body["error"]["data"] = json!("…");
        }
        body
    };
    let own = read("acme", "notes://1").await;
    assert_eq!(own["result"]["contents"][0]["text"], "acme's note");
    let (theirs, nobodys) = (
        read("globex", "notes://1").await,
        read("globex", "notes://9").await,
    );
    assert_eq!(theirs, nobodys);
    assert_eq!(theirs["error"]["code"], -32602);
    assert_eq!(theirs, read("globex", "other://1").await);
}

fn faults(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Vec<String> {
    let Err(error) = set_up(Server::builder()).build() else {
        panic!("it was built");
    };
    error.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn a_tool_or_resource_without_a_policy_does_not_start() {
    let none: [&str; 0] = [];
    let found = faults(|server| {
        server
            .tool(tool("free"))
            .tool(tool("scopeless").scopes(none))
            .tool(tool("governed").scope("a"))
            .resource(Resource::new("notes://{id}", "note").handler(note))
    });
    let no_policy = "has no policy: name the scopes it demands, or let any authenticated caller in";
    assert_eq!(
        found,
        ["free", "scopeless", "notes://{id}"].map(|target| format!("{target}: {no_policy}"))
    );
}

#[test]
fn every_fault_of_every_tool_and_resource_is_told_at_once() {
    let long = "x".repeat(129);
    let resource = |template: &str| {
        Resource::new(template, "note")
            .any_authenticated()
            .handler(nothing)
    };
    let found = faults(|server| {
        server
            .tool(tool("twice").scope("a"))
            .tool(tool("twice").scope("b"))
            .tool(tool("").scope("a"))
            .tool(tool("with space").scope("a"))
            .tool(tool("naïve").scope("a"))
            .tool(tool(&long).scope("a"))
            .tool(tool(&long[..128]).scope("a"))
            .tool(Tool::new("idle", "Has no code.").scope("a"))
            .resource(resource("notes"))
            .resource(resource("notes://{id"))
            .resource(resource("notes://{+id}"))
            .resource(resource("notes://{a}{b}"))
            .resource(resource("notes://{a}/{a}"))
            .resource(resource("notes:// x"))
            .resource(resource("notes://good"))
            .resource(resource("notes://good"))
            .resource(
                Resource::new("notes://fixed", "note")
                    .any_authenticated()
                    .handler(note),
            )
    });
    let bad_name = "a tool's name is 1 to 128 of A-Z a-z 0-9 _ - .";
    assert_eq!(
        found,
        [
            "twice: another tool has the same name".to_owned(),
            format!(": {bad_name}"),
            format!("with space: {bad_name}"),
            format!("naïve: {bad_name}"),
            format!("{long}: {bad_name}"),
            "idle: has nothing to run".to_owned(),
            "notes: must start with a scheme, such as `customers://`".to_owned(),
            "notes://{id: an opening or closing brace has no partner".to_owned(),
            "notes://{+id}: `{+id}` is not a simple variable: letters, digits and `_`, no operators (RFC 6570 level 1)".to_owned(),
            "notes://{a}{b}: `{b}` follows another variable without text between them".to_owned(),
            "notes://{a}/{a}: `{a}` stands twice".to_owned(),
            "notes:// x: holds a character that a URI cannot hold".to_owned(),
            "notes://good: another resource has the same URI template".to_owned(),
            "notes://fixed: \"id\" is required but is no variable of the template".to_owned(),
        ]
    );
}

/// RFC 3986 §6.2.2.2: both name the same, so both are under the same policy.
#[tokio::test]
async fn an_encoded_uri_does_not_lead_round_the_policy_of_a_resource() {
    let server = TestServer::start(|server| {
        let resource = |template| Resource::new(template, "note").handler(note);
        let fixed = Resource::new("notes://team/board", "board").handler(nothing);
        server
            .resource(fixed.scope("board"))
            .resource(resource("notes://own/{id}").scope("own"))
            .resource(
                Resource::new("notes://{folder}/{id}", "note")
                    .any_authenticated()
                    .handler(async |_: CallContext, note: Foldered| {
                        Ok::<_, ToolError>(format!("{}, {}", note.folder, note.id))
                    }),
            )
    })
    .await;
    let read = async |uri: &str| {
        let caller = caller(&server, &[]);
        let answer = caller.modern("resources/read", json!({"uri": uri})).await;
        answer.body
    };
    for uri in [
        "notes://team/board",
        "notes://te%61m/board",
        "notes://team/%62oar%64",
        "notes://own/1",
        "notes://%6fwn/1",
        "notes://%6Fw%6e/%31",
    ] {
        let body = read(uri).await;
        assert_eq!(body["error"]["code"], 40301, "{uri}: {body}");
    }
    for uri in ["notes://%2574eam/board", "notes://others/%31"] {
        assert!(read(uri).await["result"].is_object(), "{uri}");
    }
    for uri in ["notes://%%374eam/board", "notes://team/%6"] {
        assert!(read(uri).await["error"].is_object(), "{uri}");
    }
}
