//! Before 2026-07-28, over HTTP: the question goes out on the stream of the call, and the answer comes
//! in a message of its own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::Caller;
use crate::world::World;

/// A client that said `initialize` and can ask its user, or cannot.
struct Client {
    caller: Caller,
    session: Option<String>,
}

impl Client {
    async fn new(caller: Caller, capabilities: Value) -> Self {
        let params = json!({
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities,
            "clientInfo": {"name": "t", "version": "1"},
        });
        let hello = caller.legacy("initialize", params).await;
        let session = hello.header("mcp-session-id");
        let session = (!session.is_empty()).then(|| session.to_owned());
        Self { caller, session }
    }

    async fn post(&self, message: Value) -> reqwest::Response {
        let caller = &self.caller;
        let request = caller
            .client
            .post(format!("{}/mcp", caller.url))
            .header("MCP-Protocol-Version", "2025-11-25")
            .header("Accept", "application/json, text/event-stream")
            .bearer_auth(&caller.token)
            .json(&message);
        let request = match &self.session {
            Some(session) => request.header("Mcp-Session-Id", session),
            None => request,
        };
        request.send().await.expect("an answer")
    }

    /// Calls a tool; gives the stream of events.
    async fn call(&self, tool: &str, amount: u32) -> Stream {
        let params = json!({"name": tool, "arguments": {"amount": amount}});
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
        Stream {
            response: self.post(message).await,
            read: String::new(),
        }
    }

    async fn answer(&self, question: &Value, result: Value) {
        let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": result});
        assert_eq!(self.post(answer).await.status().as_u16(), 202);
    }
}

struct Stream {
    response: reqwest::Response,
    read: String,
}

impl Stream {
    /// The next message.
    async fn next(&mut self) -> Value {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data:"));
                let message = data.map(|data| serde_json::from_str(data).expect("JSON"));
                self.read = rest.to_owned();
                match message {
                    Some(message) => return message,
                    None => continue,
                }
            }
            match self.response.chunk().await.expect("a stream") {
                Some(chunk) => self.read.push_str(&String::from_utf8_lossy(&chunk)),
                // A plain answer.
                None => return serde_json::from_str(&self.read).expect("JSON"),
            }
        }
    }
}

#[tokio::test]
async fn a_call_waits_for_its_users_approval() {
    let world = World::start().await;
    let client = Client::new(world.ada(), json!({"elicitation": {}})).await;
    let mut stream = client.call("refund", 250).await;
    let question = stream.next().await;
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(
        question["params"]["message"],
        "Allow this call of \"Refund an order\" (refund)?\n\namount: 250"
    );
    assert_eq!(world.runs(), 0);
    client
        .answer(&question, json!({"action": "accept", "content": {}}))
        .await;
    let answer = stream.next().await;
    assert_eq!(answer["result"]["structuredContent"]["result"], "paid 250");
    assert_eq!(world.runs(), 1);
    // What needs none is a plain answer.
    let plain = client.call("refund", 5).await.next().await;
    assert_eq!(plain["result"]["structuredContent"]["result"], "paid 5");
}

#[tokio::test]
async fn a_no_a_wrong_answer_and_silence_refuse_the_call() {
    let world = World::start().await;
    let client = Client::new(world.ada(), json!({"elicitation": {}})).await;
    for (result, text) in [
        (
            json!({"action": "decline"}),
            "The user was asked and declined",
        ),
        (json!({"action": "cancel"}), "The user was asked about this"),
        (json!({"action": "maybe"}), "Nobody answered"),
    ] {
        let mut stream = client.call("refund", 250).await;
        let question = stream.next().await;
        client.answer(&question, result).await;
        let said = stream.next().await;
        assert_eq!(said["result"]["isError"], true, "{said}");
        let said = said["result"]["content"][0]["text"]
            .as_str()
            .expect("a text");
        assert!(said.starts_with(text), "{said}");
    }
    let mut stream = client.call("refund", 250).await;
    stream.next().await;
    world.server.clock().advance(Duration::from_secs(5 * 60));
    let withdrawn = stream.next().await;
    assert_eq!(withdrawn["method"], "notifications/cancelled");
    let said = stream.next().await;
    let said = said["result"]["content"][0]["text"]
        .as_str()
        .expect("a text");
    assert!(said.starts_with("Nobody answered"), "{said}");
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn another_caller_cannot_approve() {
    let world = World::start().await;
    let client = Client::new(world.ada(), json!({"elicitation": {}})).await;
    let bob = Client::new(world.caller("acme", "bob"), json!({"elicitation": {}})).await;
    let mut stream = client.call("close", 1).await;
    let question = stream.next().await;
    bob.answer(&question, json!({"action": "accept"})).await;
    client.answer(&question, json!({"action": "decline"})).await;
    assert_eq!(stream.next().await["result"]["isError"], true);
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn a_call_that_is_cancelled_takes_its_question_back() {
    let world = World::start().await;
    let client = Client::new(world.ada(), json!({"elicitation": {}})).await;
    let mut stream = client.call("close", 1).await;
    let question = stream.next().await;
    let params = json!({"requestId": 7});
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params});
    assert_eq!(client.post(cancel).await.status().as_u16(), 202);
    let withdrawn = stream.next().await;
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    client.answer(&question, json!({"action": "accept"})).await;
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_refused() {
    let world = World::start().await;
    let client = Client::new(world.ada(), json!({})).await;
    let said = client.call("close", 1).await.next().await;
    assert_eq!(said["result"]["isError"], true, "{said}");
    let said = said["result"]["content"][0]["text"]
        .as_str()
        .expect("a text");
    assert!(said.contains("does not support elicitation"), "{said}");
    assert_eq!(world.runs(), 0);
}
