//! The promise of asking on stdio: questions and answers are lines like others, a call that waits for a
//! person holds up nobody, and what is cancelled takes its questions back.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/curious.rs"]
mod curious;
#[path = "support/piped.rs"]
mod piped;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::audit::Durability;
use tollgate::auth::{LocalIdentity, Principal};
use tollgate::server::ServerBuilder;

use curious::{accepted, curious, everything};
use piped::Piped;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

fn set_up(server: ServerBuilder) -> ServerBuilder {
    let me = Principal::configured("acme", "me", [""; 0]).expect("good names");
    curious(server.local(LocalIdentity::Principal(me)))
}

fn client() -> Piped {
    let mut client = Piped::start(set_up);
    client.greet(&everything());
    client
}

fn call(id: impl Into<Value>, tool: &str) -> Value {
    let params = json!({"name": tool, "arguments": {}});
    json!({"jsonrpc": "2.0", "id": id.into(), "method": "tools/call", "params": params})
}

fn cancel(id: &Value) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
}

fn answer(id: &Value, name: &str) -> Value {
    let result = accepted(json!({"name": name}));
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

fn text(answer: &Value) -> &str {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text: {answer}"))
}

/// Waits until no question is out.
fn nothing_is_asked(client: &Piped) {
    let none = async {
        while client.pipeline.questions.count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    let in_time = async { timeout(PATIENCE, none).await };
    client.runtime.block_on(in_time).expect("nothing is asked");
}

#[test]
fn a_question_is_a_line_and_its_answer_is_one_and_others_are_served_meanwhile() {
    let mut client = client();
    let first = client.ask(&call(1, "name"));
    assert_eq!(first["method"], "elicitation/create");
    client.said_nothing();
    let second = client.ask(&call(2, "name"));
    assert_ne!(first["id"], second["id"]);
    let told = client.ask(&answer(&second["id"], "Bob"));
    assert_eq!((&told["id"], text(&told)), (&json!(2), "Hello Bob"));
    let told = client.ask(&answer(&first["id"], "Ada"));
    assert_eq!((&told["id"], text(&told)), (&json!(1), "Hello Ada"));
    // Late, doubled, unknown: no line says anything to that.
    for id in [&first["id"], &second["id"], &json!(7), &json!("x")] {
        client.send(&answer(id, "Eve"));
    }
    client.said_nothing();
}

#[test]
fn a_client_that_said_nothing_of_it_is_not_asked() {
    let mut client = Piped::start(set_up);
    client.greet(&json!({"sampling": {}}));
    let told = client.ask(&call(1, "name"));
    assert_eq!(told["result"]["isError"], true);
    // What it said last counts.
    client.greet(&everything());
    let question = client.ask(&call(2, "name"));
    assert_eq!(question["method"], "elicitation/create");
}

#[test]
fn a_call_that_is_cancelled_takes_its_question_back() {
    let mut client = client();
    let question = client.ask(&call("mine", "name"));
    assert_eq!(client.ask(&cancel(&json!("mine"))), cancel(&question["id"]));
    nothing_is_asked(&client);
    client.said_nothing();
    // The id is free again.
    let question = client.ask(&call("mine", "name"));
    let told = client.ask(&answer(&question["id"], "Ada"));
    assert_eq!(text(&told), "Hello Ada");
}

#[test]
fn a_question_is_taken_back_when_the_calls_time_is_up() {
    let mut client = client();
    let question = client.ask(&call(1, "impatient"));
    assert_eq!(client.line(), cancel(&question["id"]));
    let told = client.line();
    assert_eq!(
        (&told["id"], &told["result"]["isError"]),
        (&json!(1), &json!(true))
    );
    nothing_is_asked(&client);
}

#[test]
fn an_answer_under_the_id_of_a_running_call_is_not_taken_for_the_call() {
    let mut client = client();
    let question = client.ask(&call(1, "name"));
    client.send(&answer(&json!(1), "Eve"));
    client.send(&json!({"jsonrpc": "2.0", "id": 1, "error": {"code": 1, "message": "x"}}));
    client.said_nothing();
    // A call under it is refused, as before.
    let refused = client.ask(&call(1, "name"));
    assert_eq!(
        (&refused["id"], &refused["error"]["code"]),
        (&json!(1), &json!(-32600))
    );
    let told = client.ask(&answer(&question["id"], "Ada"));
    assert_eq!(text(&told), "Hello Ada");
}

#[test]
fn a_cancellation_that_has_to_wait_for_the_audit_log_cancels_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = audit::settings(&folder.path().join("audit.jsonl"), Durability::Strict);
    let mut client = Piped::start(|server| set_up(server).audit(settings));
    client.greet(&everything());
    let question = client.ask(&call(1, "name"));
    assert_eq!(client.ask(&cancel(&json!(1))), cancel(&question["id"]));
    nothing_is_asked(&client);
}

#[test]
fn a_call_that_still_waits_for_an_answer_does_not_hold_up_the_end() {
    let mut client = client();
    let question = client.ask(&call(1, "name"));
    client.settle(Duration::ZERO);
    nothing_is_asked(&client);
    client.send(&answer(&question["id"], "Ada"));
}
