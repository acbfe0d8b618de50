//! 2026-07-28: the call ends with a question, and is made again with the answer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::Answer;
use crate::world::{KEY, World, answered, asked, call, served};

#[track_caller]
fn refused(answer: &Answer, text: &str) {
    let result = &answer.body["result"];
    assert_eq!(result["isError"], true, "{answer:?}");
    let said = result["content"][0]["text"].as_str().expect("a text");
    assert!(said.starts_with(text), "{said}");
    assert!(said.contains("Do not make it again"), "{said}");
}

#[tokio::test]
async fn a_call_runs_once_its_user_has_approved_of_it() {
    let world = World::start().await;
    let ada = world.ada();
    let answer = call(&ada, "refund", 250, json!({})).await;
    let state = asked(&answer);
    let params = &answer.body["result"]["inputRequests"][KEY]["params"];
    assert_eq!(
        params["message"],
        "Allow this call of \"Refund an order\" (refund)?\n\namount: 250"
    );
    assert_eq!(params["mode"], "form");
    assert_eq!(world.runs(), 0);
    let answer = call(&ada, "refund", 250, answered(&state, "accept")).await;
    served(&answer, "paid 250");
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn only_calls_that_the_policy_names_need_approval() {
    let world = World::start().await;
    served(
        &call(&world.ada(), "refund", 100, json!({})).await,
        "paid 100",
    );
    let globex = world.caller("globex", "gus");
    served(&call(&globex, "refund", 250, json!({})).await, "paid 250");
    asked(&call(&world.ada(), "close", 1, json!({})).await);
    // What cannot be evaluated asks.
    asked(&call(&world.ada(), "odd", 1, json!({})).await);
    assert_eq!(world.runs(), 2);
}

#[tokio::test]
async fn who_says_no_is_not_asked_again_and_the_model_is_told_to_stop() {
    let world = World::start().await;
    for (action, text) in [
        ("decline", "The user was asked and declined this call"),
        (
            "cancel",
            "The user was asked about this call and did not decide",
        ),
    ] {
        let state = asked(&call(&world.ada(), "refund", 250, json!({})).await);
        refused(
            &call(&world.ada(), "refund", 250, answered(&state, action)).await,
            text,
        );
        // A no is used up as well: it cannot become a yes.
        let state = asked(&call(&world.ada(), "refund", 250, answered(&state, "accept")).await);
        assert!(state.is_string());
    }
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn an_approval_is_used_once() {
    let world = World::start().await;
    let state = asked(&call(&world.ada(), "refund", 250, json!({})).await);
    let yes = answered(&state, "accept");
    served(
        &call(&world.ada(), "refund", 250, yes.clone()).await,
        "paid 250",
    );
    let again = asked(&call(&world.ada(), "refund", 250, yes).await);
    assert_ne!(again, state);
    assert_eq!(world.runs(), 1);
    // Of many at once one runs.
    let yes = answered(&again, "accept");
    let ada = world.ada();
    let calls = (0..20).map(|_| call(&ada, "refund", 250, yes.clone()));
    let answers = futures_util::future::join_all(calls).await;
    let ran = answers
        .iter()
        .filter(|answer| answer.body["result"]["resultType"] == "complete");
    assert_eq!((ran.count(), world.runs()), (1, 2));
}

#[tokio::test]
async fn an_answer_without_our_state_approves_of_nothing() {
    let world = World::start().await;
    let carried = json!({"inputResponses": {KEY: {"action": "accept", "content": {}}}});
    asked(&call(&world.ada(), "refund", 250, carried).await);
    // Nor does a state without an answer, or with one that is none.
    let state = asked(&call(&world.ada(), "refund", 250, json!({})).await);
    for responses in [
        json!({}),
        json!({KEY: {"action": "yes"}}),
        json!({KEY: true}),
        json!({"confirm": {"action": "accept"}}),
    ] {
        let carried = json!({"requestState": state, "inputResponses": responses});
        asked(&call(&world.ada(), "refund", 250, carried).await);
    }
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn an_approval_is_of_its_caller_tool_and_arguments_alone() {
    let world = World::start().await;
    let state = asked(&call(&world.ada(), "refund", 250, json!({})).await);
    let yes = answered(&state, "accept");
    let bob = world.caller("acme", "bob");
    let stranger = world.caller("initech", "ada");
    let mut tampered = state.as_str().expect("a text").to_owned();
    let changed = if tampered.starts_with('A') { "B" } else { "A" };
    tampered.replace_range(..1, changed);
    for answer in [
        call(&bob, "refund", 250, yes.clone()).await,
        call(&stranger, "refund", 250, yes.clone()).await,
        call(&world.ada(), "close", 250, yes.clone()).await,
        call(&world.ada(), "refund", 251, yes.clone()).await,
        call(
            &world.ada(),
            "refund",
            250,
            answered(&json!(tampered), "accept"),
        )
        .await,
        call(&world.ada(), "refund", 250, answered(&json!("x"), "accept")).await,
    ] {
        assert_eq!(answer.body["error"]["code"], -32602, "{answer:?}");
    }
    assert_eq!(world.runs(), 0);
    // None of that used it up.
    served(&call(&world.ada(), "refund", 250, yes).await, "paid 250");
}

#[tokio::test]
async fn who_answers_too_late_is_asked_again() {
    let world = World::start().await;
    let state = asked(&call(&world.ada(), "refund", 250, json!({})).await);
    world.server.clock().advance(Duration::from_secs(5 * 60));
    let answer = call(&world.ada(), "refund", 250, answered(&state, "accept")).await;
    let state = asked(&answer);
    world.server.clock().advance(Duration::from_secs(4 * 60));
    served(
        &call(&world.ada(), "refund", 250, answered(&state, "accept")).await,
        "paid 250",
    );
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_told_what_it_lacks() {
    let world = World::start().await;
    let params = json!({"name": "close", "arguments": {"amount": 1}});
    let answer = world.ada().modern("tools/call", params).await;
    let error = &answer.body["error"];
    assert_eq!((answer.status, &error["code"]), (400, &json!(-32021)));
    let message = error["message"].as_str().expect("a text");
    assert!(
        message.contains("needs the approval of its user"),
        "{message}"
    );
    assert_eq!(
        error["data"]["requiredCapabilities"],
        json!({"elicitation": {"form": {}}})
    );
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn the_approval_goes_on_while_the_tool_asks_something_itself_and_is_used_once_all_the_same() {
    let world = World::start().await;
    let state = asked(&call(&world.ada(), "wire", 7, json!({})).await);
    let answer = call(&world.ada(), "wire", 7, answered(&state, "accept")).await;
    let result = &answer.body["result"];
    assert_eq!(
        result["inputRequests"]["account"]["method"],
        "elicitation/create"
    );
    assert!(result["inputRequests"][KEY].is_null(), "{answer:?}");
    let told = |state: &Value| {
        json!({
            "requestState": state,
            "inputResponses": {"account": {"action": "accept", "content": {"account": "x-1"}}},
        })
    };
    // The answer to another question in the state from before is no answer to the tool's.
    asked(&call(&world.ada(), "wire", 7, told(&state)).await);
    let carried = told(&result["requestState"]);
    world.server.clock().advance(Duration::from_secs(6 * 60));
    let answer = call(&world.ada(), "wire", 7, carried.clone()).await;
    served(&answer, "paid 7 to x-1, Some(1)");
    // Replayed, it asks, and remembers what the tool remembered.
    let state = asked(&call(&world.ada(), "wire", 7, carried).await);
    let mut yes = answered(&state, "accept");
    yes["inputResponses"]["account"] = json!({"action": "accept", "content": {"account": "x-2"}});
    let answer = call(&world.ada(), "wire", 7, yes).await;
    served(&answer, "paid 7 to x-2, Some(1)");
    assert_eq!(world.runs(), 2);
}
