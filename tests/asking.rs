//! The promise of asking in the era of self-describing messages: a call ends with its questions and is
//! made again with the answers, which are an attacker's until they fit; and what it remembers is good
//! for its caller, its target, its arguments and a while.

#[path = "support/curious.rs"]
mod curious;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::testing::TestServer;

use curious::{accepted, curious, everything, form};
use spans::{attribute, watched};
use wire::{Reply, Wire};

/// How long answers may take.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

async fn server() -> TestServer {
    TestServer::start(curious).await
}

/// The parameters of a call of `tool` by a client that can be asked anything.
fn params(tool: &str) -> Value {
    let mut meta = wire::meta();
    meta["io.modelcontextprotocol/clientCapabilities"] = everything();
    json!({"name": tool, "arguments": {}, "_meta": meta})
}

async fn call(wire: &Wire, params: &Value) -> Reply {
    wire.modern("tools/call", params.clone()).send().await
}

/// What it asks, by key.
#[track_caller]
fn asked(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text);
    let result = &reply.body["result"];
    assert_eq!(result["resultType"], "input_required", "{}", reply.text);
    let questions = result["inputRequests"].as_object().expect("questions");
    questions.keys().cloned().collect()
}

#[track_caller]
fn told(reply: &Reply) -> &str {
    assert_eq!(
        reply.body["result"]["resultType"], "complete",
        "{}",
        reply.text
    );
    reply.tool_text()
}

#[tokio::test]
async fn a_call_that_asks_ends_with_its_question_and_is_served_once_it_is_answered() {
    let (tracing, mut spans) = watched();
    let server = TestServer::start(|server| curious(server.tracing(tracing))).await;
    let ada = Wire::of(&server, &[]);
    let mut params = params("name");
    let reply = call(&ada, &params).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let expected = json!({"who": {"method": "elicitation/create", "params": {
        "mode": "form", "message": "Who are you?", "requestedSchema": form("name"),
    }}});
    assert_eq!(asked(&reply), ["who"]);
    assert_eq!(reply.body["result"]["inputRequests"], expected);
    // It remembers nothing, so there is nothing to carry.
    assert_eq!(reply.body["result"].get("requestState"), None);
    for (answer, text) in [
        (accepted(json!({"name": "Ada"})), "Hello Ada"),
        (json!({"action": "decline"}), "declined"),
        (
            json!({"action": "cancel", "content": {"name": "Ada"}}),
            "closed",
        ),
    ] {
        params["inputResponses"] = json!({"who": answer, "nobody asked": {"action": 7}});
        assert_eq!(told(&call(&ada, &params).await), text);
    }
    for _ in 0..4 {
        let span = spans.next_request().await;
        assert_eq!(span.name, "tools/call name");
        assert_eq!(attribute(&span, "tollgate.outcome"), "ok");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_again_and_those_that_fit_are_not() {
    let server = server().await;
    let ada = Wire::of(&server, &[]);
    let mut params = params("three");
    assert_eq!(
        asked(&call(&ada, &params).await),
        ["who", "capital", "folders"]
    );
    let good = json!({
        "who": accepted(json!({"name": "Ada"})),
        "capital": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}},
        "folders": {"roots": [{"uri": "file:///a"}]},
    });
    params["inputResponses"] = good.clone();
    assert_eq!(told(&call(&ada, &params).await), "\"Ada\" Paris 1");
    for (key, bad) in [
        ("who", json!(null)),
        ("who", json!("Ada")),
        ("who", json!([{"action": "accept"}])),
        ("who", json!({"action": "accept"})),
        (
            "who",
            json!({"action": "ACCEPT", "content": {"name": "Ada"}}),
        ),
        ("who", json!({"content": {"name": "Ada"}})),
        ("who", accepted(json!({"name": 7}))),
        ("who", accepted(json!({"name": "longer than it may be"}))),
        ("who", accepted(json!({"Name": "Ada"}))),
        ("who", accepted(json!([["name", "Ada"]]))),
        ("capital", json!({"roots": []})),
        (
            "capital",
            json!({"role": "user", "model": "m", "content": {}}),
        ),
        ("capital", json!({"role": "assistant", "content": {}})),
        ("folders", json!({"roots": [{"name": "no uri"}]})),
        ("folders", json!({"roots": {"uri": "file:///a"}})),
        ("folders", accepted(json!({}))),
    ] {
        params["inputResponses"] = good.clone();
        params["inputResponses"][key] = bad.clone();
        assert_eq!(asked(&call(&ada, &params).await), [key], "{bad}");
    }
    for wrong in [json!([]), json!("who"), json!(7), json!(true), json!(null)] {
        params["inputResponses"] = wrong.clone();
        let reply = call(&ada, &params).await;
        assert_eq!((reply.status, reply.code()), (200, Some(-32602)), "{wrong}");
    }
}

/// The state after the first of two rounds, and the parameters that go on from it.
async fn after_one_round(wire: &Wire) -> Value {
    let mut params = params("rounds");
    params["arguments"] = json!({"a": {"x": 1, "y": [2, 3]}, "b": "b"});
    assert_eq!(asked(&call(wire, &params).await), ["first"]);
    params["inputResponses"] = json!({"first": accepted(json!({"name": "Ada"}))});
    let reply = call(wire, &params).await;
    assert_eq!(asked(&reply), ["second"]);
    params["requestState"] = reply.body["result"]["requestState"].clone();
    // Sealed, and not only encoded.
    let state = params["requestState"].as_str().expect("a state");
    assert!(!state.contains("QWRh") && !state.contains("Ada"), "{state}");
    params["inputResponses"] = json!({"second": accepted(json!({"name": "Bob"}))});
    params
}

#[tokio::test]
async fn what_a_call_remembers_comes_back_sealed_whatever_the_order_of_its_arguments() {
    let server = server().await;
    let ada = Wire::of(&server, &[]);
    let params = after_one_round(&ada).await;
    assert_eq!(told(&call(&ada, &params).await), "Ada and Bob");
    // The same arguments, written in another way.
    let text = params["arguments"].to_string();
    let other = r#"{ "b":"\u0062", "a":{"y":[2,3] ,"x":1} }"#;
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let message = message.to_string();
    assert!(message.contains(&text));
    let post = ada.body(message.replace(&text, other));
    let post = post.header("mcp-protocol-version", wire::MODERN);
    let post = post
        .header("mcp-method", "tools/call")
        .header("mcp-name", "rounds");
    assert_eq!(told(&post.send().await), "Ada and Bob");
}

#[tokio::test]
async fn a_state_is_good_for_its_caller_its_target_and_its_arguments_alone() {
    let server = server().await;
    let ada = Wire::of(&server, &[]);
    let good = after_one_round(&ada).await;
    let refused = async |wire: &Wire, params: &Value, what: &str| {
        let reply = call(wire, params).await;
        assert_eq!((reply.status, reply.code()), (200, Some(-32602)), "{what}");
        assert!(!reply.text.contains("Ada"), "{what}");
    };
    for (tenant, subject) in [("acme", "bob"), ("globex", "ada"), ("acm", "eada")] {
        let token = server.token_for(tenant, subject, &[]);
        refused(&Wire::with_token(&server, Some(token)), &good, subject).await;
    }
    let mut other = good.clone();
    other["name"] = json!("name");
    refused(&ada, &other, "another tool").await;
    for arguments in [
        json!({}),
        json!({"a": {"x": 1, "y": [3, 2]}, "b": "b"}),
        json!({"a": {"x": 1, "y": [2, 3]}, "b": "B"}),
        json!({"a": {"x": 1.0, "y": [2, 3]}, "b": "b"}),
        json!({"a": "b", "b": {"x": 1, "y": [2, 3]}}),
    ] {
        let mut other = good.clone();
        other["arguments"] = arguments.clone();
        refused(&ada, &other, &arguments.to_string()).await;
    }
    let state = good["requestState"].as_str().expect("a state");
    let flipped = if state.starts_with('A') { "B" } else { "A" };
    let swapped: String = state.chars().rev().collect();
    for bad in [
        json!(""),
        json!(format!("{flipped}{}", &state[1..])),
        json!(&state[1..]),
        json!(&state[..state.len() - 1]),
        json!(format!("{state}A")),
        json!(format!("{state}=")),
        json!(format!(" {state}")),
        json!(swapped),
        json!("A".repeat(100_000)),
        json!("\u{0}"),
        json!([state]),
        json!({ "state": state }),
        json!(7),
        json!(null),
    ] {
        let mut other = good.clone();
        other["requestState"] = bad.clone();
        refused(&ada, &other, &bad.to_string()).await;
    }
    // And of another method: a prompt cannot be got with it.
    let prompt =
        json!({"name": "rounds", "arguments": {}, "requestState": state, "_meta": good["_meta"]});
    let reply = ada.modern("prompts/get", prompt).send().await;
    assert_eq!(reply.code(), Some(-32602));
    assert_eq!(told(&call(&ada, &good).await), "Ada and Bob");
}

#[tokio::test]
async fn a_state_ends_with_its_time() {
    let server = server().await;
    let ada = Wire::of(&server, &[]);
    let good = after_one_round(&ada).await;
    server.clock().advance(PATIENCE - Duration::from_secs(1));
    assert_eq!(told(&call(&ada, &good).await), "Ada and Bob");
    server.clock().advance(Duration::from_secs(1));
    let reply = call(&ada, &good).await;
    assert_eq!((reply.status, reply.code()), (200, Some(-32602)));
}

#[tokio::test]
async fn a_client_that_cannot_be_asked_is_told_what_it_would_need() {
    let (tracing, mut spans) = watched();
    let server = TestServer::start(|server| curious(server.tracing(tracing))).await;
    let ada = Wire::of(&server, &[]);
    let form = json!({"elicitation": {"form": {}}});
    for (tool, capabilities, required) in [
        ("name", json!({}), form.clone()),
        ("name", json!({"sampling": {}, "roots": {}}), form.clone()),
        ("name", json!({"elicitation": {"url": {}}}), form.clone()),
        ("name", json!({"elicitation": []}), form.clone()),
        ("name", json!({"elicitation": true}), form.clone()),
        ("name", json!({"Elicitation": {}}), form.clone()),
        (
            "page",
            json!({"elicitation": {}}),
            json!({"elicitation": {"url": {}}}),
        ),
        ("three", form.clone(), json!({"sampling": {}})),
        (
            "three",
            json!({"elicitation": {}, "sampling": {}}),
            json!({"roots": {}}),
        ),
    ] {
        let mut params = params(tool);
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = capabilities.clone();
        // Answers to what it cannot be asked are no way around that.
        params["inputResponses"] = json!({"who": accepted(json!({"name": "Ada"}))});
        let reply = call(&ada, &params).await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, Some(-32021)),
            "{capabilities}"
        );
        assert_eq!(
            reply.body["error"]["data"]["requiredCapabilities"],
            required
        );
        let span = spans.next_request().await;
        assert_eq!(attribute(&span, "tollgate.outcome"), "invalid");
    }
}

#[tokio::test]
async fn a_call_by_rest_that_would_have_to_ask_is_refused_with_the_reason() {
    let server = server().await;
    let answer = reqwest::Client::new()
        .post(format!("{}/mcp/tool/name", server.url()))
        .bearer_auth(server.token_for("acme", "ada", &[]))
        .json(&json!({}))
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), 422);
    let problem: Value = answer.json().await.expect("JSON");
    assert_eq!(problem["type"], "urn:tollgate:error:client-cannot");
    let detail = problem["detail"].as_str().expect("a text");
    assert!(detail.contains("does not support elicitation"), "{detail}");
}
