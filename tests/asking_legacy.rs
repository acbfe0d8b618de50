//! The promise of asking in the `initialize` era, over HTTP: the question comes on the stream of the call,
//! the answer in a request of its own, and nobody but the caller answers it.

#[path = "support/curious.rs"]
mod curious;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::testing::TestServer;

use curious::{accepted, curious, everything};
use listener::{Event, Listener};
use spans::{Spans, attribute, watched};
use wire::{LEGACY, Reply, Wire};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    server: TestServer,
    spans: Spans,
}

impl World {
    async fn start() -> Self {
        let (tracing, spans) = watched();
        let server = TestServer::start(|server| curious(server.tracing(tracing))).await;
        Self { server, spans }
    }

    fn caller(&self, tenant: &str, subject: &str) -> Wire {
        let token = self.server.token_for(tenant, subject, &[]);
        Wire::with_token(&self.server, Some(token))
    }

    /// How the next call of a tool was recorded.
    async fn outcome(&mut self) -> String {
        loop {
            let span = self.spans.next_request().await;
            if span.name.starts_with("tools/call") {
                return attribute(&span, "tollgate.outcome");
            }
        }
    }
}

/// Says `initialize`, and gives the session's id.
async fn greet(wire: &Wire, capabilities: Value) -> Option<String> {
    let params = json!({"protocolVersion": LEGACY, "capabilities": capabilities});
    let reply = wire.legacy("initialize", params).send().await;
    assert_eq!(reply.status, 200);
    reply.header("mcp-session-id").map(str::to_owned)
}

async fn session(wire: &Wire) -> String {
    greet(wire, everything()).await.expect("a session")
}

fn call(wire: &Wire, tool: &str, session: &str) -> wire::Post {
    let params = json!({"name": tool, "arguments": {}});
    wire.legacy("tools/call", params)
        .header("mcp-session-id", session)
}

/// A call whose first question has come, and the question.
async fn asking(wire: &Wire, tool: &str, session: &str) -> (Listener, Value) {
    let mut stream = Listener::over(call(wire, tool, session).open().await);
    assert_eq!(stream.header("content-type"), "text/event-stream");
    assert_eq!(stream.header("x-accel-buffering"), "no");
    let question = stream.message().await;
    assert_eq!(question["method"], "elicitation/create", "{question}");
    (stream, question)
}

/// Sends a message that is no request; it is accepted, as all such are.
async fn post(wire: &Wire, message: Value) {
    let post = wire.body(message.to_string());
    let reply = post.header("mcp-protocol-version", LEGACY).send().await;
    assert_eq!((reply.status, reply.text.as_str()), (202, ""), "{message}");
}

async fn answer(wire: &Wire, id: &Value, result: Value) {
    post(wire, json!({"jsonrpc": "2.0", "id": id, "result": result})).await;
}

fn ada_says() -> Value {
    accepted(json!({"name": "Ada"}))
}

fn text(answer: &Value) -> &str {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {answer}"))
}

#[tokio::test]
async fn a_question_comes_on_the_stream_of_its_call_and_the_answer_in_a_request_of_its_own() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    let (mut stream, question) = asking(&ada, "name", &session).await;
    assert_eq!(question["params"]["message"], "Who are you?");
    answer(&ada, &question["id"], ada_says()).await;
    let last = stream.message().await;
    assert_eq!((&last["id"], text(&last)), (&json!(1), "Hello Ada"));
    assert_eq!(stream.next().await, Event::End);
    assert_eq!(world.outcome().await, "ok");
}

#[tokio::test]
async fn all_questions_of_a_call_go_out_at_once_and_may_be_answered_in_any_order() {
    let world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    let mut stream = Listener::over(call(&ada, "three", &session).open().await);
    let mut asked = Vec::new();
    for method in ["elicitation/create", "sampling/createMessage", "roots/list"] {
        let question = stream.message().await;
        assert_eq!(question["method"], method);
        asked.push(question["id"].clone());
    }
    let said =
        json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}});
    answer(&ada, &asked[2], json!({"roots": []})).await;
    answer(&ada, &asked[1], said).await;
    answer(&ada, &asked[0], ada_says()).await;
    assert_eq!(text(&stream.message().await), "\"Ada\" Paris 0");
}

#[tokio::test]
async fn only_a_client_that_can_be_asked_gets_a_session() {
    let world = World::start().await;
    let ada = world.caller("acme", "ada");
    for capabilities in [
        json!({}),
        json!([]),
        json!(null),
        json!(7),
        json!({"elicitation": 1, "sampling": [], "roots": "x"}),
        json!({"experimental": {"elicitation": {}}}),
    ] {
        assert_eq!(greet(&ada, capabilities).await, None);
    }
    let only_roots = greet(&ada, json!({"roots": {}})).await.expect("a session");
    for session in [only_roots.as_str(), ""] {
        let reply = call(&ada, "name", session).send().await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body["result"]["isError"], true);
        assert!(reply.tool_text().contains("does not support elicitation"));
    }
}

/// Whether this call, which would ask its caller, does.
async fn is_asked(post: wire::Post) -> bool {
    let reply: Reply = timeout(PATIENCE, post.send()).await.expect("no question");
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body["result"]["isError"] != true
}

#[tokio::test]
async fn a_session_id_that_is_anothers_or_nobodys_makes_no_difference() {
    let world = World::start().await;
    let (ada, bob) = (world.caller("acme", "ada"), world.caller("acme", "bob"));
    let session = session(&ada).await;
    for other in [
        bob,
        world.caller("globex", "ada"),
        world.caller("acm", "eada"),
    ] {
        assert!(!is_asked(call(&other, "name", &session)).await);
    }
    let flipped = if session.starts_with('A') { "B" } else { "A" };
    for junk in [
        format!("{flipped}{}", &session[1..]),
        session[..session.len() - 1].to_owned(),
        format!("{session}A"),
        "x".repeat(8_000),
        "..".to_owned(),
        String::new(),
    ] {
        assert!(!is_asked(call(&ada, "name", &junk)).await, "{junk}");
    }
    let twice = call(&ada, "name", &session).header("mcp-session-id", &session);
    assert!(!is_asked(twice).await);
    let other_bytes = call(&ada, "name", "").without("mcp-session-id");
    let other_bytes = other_bytes.raw_header("mcp-session-id", b"\xff\xfe");
    assert!(!is_asked(other_bytes).await);
    // A month later it is not ada's either.
    world
        .server
        .clock()
        .advance(Duration::from_secs(30 * 86_400));
    let ada = world.caller("acme", "ada");
    assert!(!is_asked(call(&ada, "name", &session)).await);
}

#[tokio::test]
async fn an_answer_that_is_anothers_unknown_or_malformed_changes_nothing() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    let (mut stream, question) = asking(&ada, "name", &session).await;
    let id = &question["id"];
    for (tenant, subject) in [("acme", "bob"), ("globex", "ada"), ("acm", "eada")] {
        answer(
            &world.caller(tenant, subject),
            id,
            accepted(json!({"name": "Eve"})),
        )
        .await;
    }
    let id_text = id.as_str().expect("a text");
    for unknown in [
        json!(1),
        json!(0),
        json!(""),
        json!(id_text.to_uppercase()),
        json!(format!("{id_text}\u{0}")),
        json!(format!("ada\u{0}{id_text}")),
        json!("x".repeat(10_000)),
    ] {
        answer(&ada, &unknown, accepted(json!({"name": "Eve"}))).await;
    }
    // In the other era no answers are taken.
    let message = json!({"jsonrpc": "2.0", "id": id, "result": accepted(json!({"name": "Eve"}))});
    let modern = ada
        .body(message.to_string())
        .header("mcp-protocol-version", wire::MODERN);
    let reply = modern.send().await;
    assert_eq!((reply.status, reply.code()), (400, Some(-32600)));
    assert_eq!(reply.body.get("id"), None);

    answer(&ada, id, ada_says()).await;
    answer(&ada, id, accepted(json!({"name": "Late"}))).await;
    assert_eq!(text(&stream.message().await), "Hello Ada");
    assert_eq!(stream.next().await, Event::End);
    answer(&ada, id, accepted(json!({"name": "Later"}))).await;
    assert_eq!(world.outcome().await, "ok");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_or_is_an_error_ends_the_call_with_a_refusal() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    for body in [
        json!({"error": {"code": -1, "message": "the user is out"}}),
        json!({"error": 7}),
        json!({"result": null}),
        json!({"result": [1]}),
        json!({"result": {"action": "accept", "content": {"name": 7}}}),
        json!({"result": {"action": "accept"}}),
    ] {
        let (mut stream, question) = asking(&ada, "name", &session).await;
        let mut message = body.clone();
        message["jsonrpc"] = json!("2.0");
        message["id"] = question["id"].clone();
        post(&ada, message).await;
        let last = stream.message().await;
        assert_eq!(last["result"]["isError"], true, "{body}: {last}");
        assert!(!last.to_string().contains("the user is out"));
        assert_eq!(stream.next().await, Event::End);
        assert_eq!(world.outcome().await, "failed");
    }
}

#[tokio::test]
async fn a_question_is_taken_back_when_the_calls_time_is_up() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    let (mut stream, question) = asking(&ada, "impatient", &session).await;
    let withdrawn = json!({
        "jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": question["id"]},
    });
    assert_eq!(stream.message().await, withdrawn);
    let last = stream.message().await;
    assert_eq!(
        (&last["id"], &last["result"]["isError"]),
        (&json!(1), &json!(true))
    );
    assert_eq!(stream.next().await, Event::End);
    assert_eq!(world.outcome().await, "timed_out");
    answer(&ada, &question["id"], ada_says()).await;
}

#[tokio::test]
async fn a_call_that_is_cancelled_takes_its_question_back_and_has_no_answer() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    let (mut stream, question) = asking(&ada, "name", &session).await;
    post(
        &ada,
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}),
    )
    .await;
    let withdrawn = stream.message().await;
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    assert_eq!(stream.next().await, Event::End);
    assert_eq!(world.outcome().await, "cancelled");
}

#[tokio::test]
async fn an_answer_under_the_id_of_a_call_is_not_taken_for_the_call() {
    let world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    let (mut stream, question) = asking(&ada, "name", &session).await;
    answer(&ada, &json!(1), json!({})).await;
    answer(&ada, &question["id"], ada_says()).await;
    assert_eq!(text(&stream.message().await), "Hello Ada");
}

#[tokio::test]
async fn a_client_whose_connection_broke_can_still_answer() {
    let mut world = World::start().await;
    let ada = world.caller("acme", "ada");
    let session = session(&ada).await;
    let (stream, question) = asking(&ada, "name", &session).await;
    drop(stream);
    answer(&ada, &question["id"], ada_says()).await;
    assert_eq!(world.outcome().await, "ok");
}

#[tokio::test]
async fn a_prompt_that_may_not_ask_is_refused_with_the_status_of_its_era() {
    let world = World::start().await;
    let ada = world.caller("acme", "ada");
    let params = json!({"name": "asks"});
    let legacy = ada.legacy("prompts/get", params.clone()).send().await;
    assert_eq!((legacy.status, legacy.code()), (200, Some(-32021)));
    let modern = ada.modern("prompts/get", params).send().await;
    assert_eq!((modern.status, modern.code()), (400, Some(-32021)));
}
