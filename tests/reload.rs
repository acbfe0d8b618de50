//! A running server takes up another configuration: all of it at once, for requests that come from
//! then on, without losing one, and without giving back what was spent.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/key_server.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod key_server;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/signers.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod signers;
#[path = "support/tokens.rs"]
mod tokens;

#[path = "reload/counts.rs"]
mod counts;
#[path = "reload/credentials.rs"]
mod credentials;
#[path = "reload/keys.rs"]
mod keys;
#[path = "reload/listeners.rs"]
mod listeners;
#[path = "reload/requests.rs"]
mod requests;
#[path = "reload/standing.rs"]
mod standing;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Quota, Rule, Tool, ToolError};

use caller::Caller;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

/// A tool that answers with its name, for callers with scope `read`.
pub(crate) fn tool(name: &'static str) -> Tool {
    Tool::new(name, "Says its name.")
        .scope("read")
        .handler(async move |_: CallContext, _: Nothing| Ok::<_, ToolError>(name.to_owned()))
}

pub(crate) fn ada(server: &TestServer) -> Caller {
    Caller::new(server.url(), server.token_for("acme", "ada", &["read"]))
}

pub(crate) async fn status(caller: &Caller, tool: &str) -> u16 {
    caller.rest(tool, json!({})).await.status
}

async fn names(caller: &Caller) -> Vec<String> {
    let answer = caller.modern("tools/list", json!({})).await;
    let tools = answer.body["result"]["tools"].as_array().cloned();
    let name = |tool: Value| tool["name"].as_str().map(str::to_owned);
    tools.into_iter().flatten().filter_map(name).collect()
}

#[tokio::test]
async fn a_tool_that_is_gone_is_gone_from_list_and_call_and_a_new_one_is_in_both() {
    let server = TestServer::start(|server| server.tool(tool("a")).tool(tool("b"))).await;
    let ada = ada(&server);
    assert_eq!(names(&ada).await, ["a", "b"]);
    let reloaded = server
        .reload(|server| server.tool(tool("c")).tool(tool("b")))
        .await
        .expect("good tools");
    assert_eq!(reloaded.generation, 2);
    assert_eq!(names(&ada).await, ["c", "b"]);
    assert_eq!(status(&ada, "a").await, 404);
    let unknown = json!({"name": "a", "arguments": {}});
    let answer = ada.modern("tools/call", unknown).await;
    assert!(answer.body["error"]["code"].is_number(), "{answer:?}");
    for name in ["b", "c"] {
        let answer = ada.rest(name, json!({})).await;
        assert_eq!(answer.body["result"], name);
    }
    let described = ada.client.get(format!("{}/openapi.json", ada.url));
    let described = described.bearer_auth(&ada.token).send().await;
    let text = described.expect("an answer").text().await.expect("a body");
    assert!(text.contains("/mcp/tool/c") && !text.contains("/mcp/tool/a"));
}

#[tokio::test]
async fn scopes_rules_and_limits_are_those_of_the_new_configuration() {
    let server = TestServer::start(|server| server.tool(tool("a"))).await;
    let ada = ada(&server);
    assert_eq!(status(&ada, "a").await, 200);
    let reload = async |a: Tool| server.reload(|server| server.tool(a)).await.expect("good");
    reload(tool("a").scope("write")).await;
    assert_eq!(status(&ada, "a").await, 403);
    reload(tool("a").rule(Rule::deny("caller.subject == 'ada'"))).await;
    assert_eq!(status(&ada, "a").await, 403);
    reload(tool("a").quota(Quota::per_minute(1))).await;
    assert_eq!(status(&ada, "a").await, 200);
    let refused = ada.rest("a", json!({})).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.header("ratelimit-policy"), "\"default\";q=1;w=60");
    reload(tool("a")).await;
    assert_eq!(status(&ada, "a").await, 200);
}

#[tokio::test]
async fn the_name_that_clients_know_the_server_by_changes_with_all_that_is_made_of_it() {
    let server = TestServer::start(|server| server.tool(tool("a"))).await;
    let metadata = async || {
        let url = format!("{}/.well-known/oauth-protected-resource", server.url());
        let answer = reqwest::get(url).await.expect("an answer");
        answer.json::<Value>().await.expect("JSON")
    };
    assert_eq!(
        metadata().await["resource"],
        format!("{}/mcp", server.url())
    );
    let reloaded = server.reload(|server| server.public_url("https://new.test").tool(tool("a")));
    reloaded.await.expect("good");
    let told = metadata().await;
    assert_eq!(told["resource"], "https://new.test/mcp");
    assert_eq!(told["scopes_supported"], json!(["read"]));
    let nobody = Caller::new(server.url(), "nonsense");
    let challenge = nobody.rest("a", json!({})).await;
    assert!(
        challenge
            .header("www-authenticate")
            .contains("https://new.test/"),
        "{challenge:?}"
    );
}
