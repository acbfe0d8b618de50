//! The REST gateway: the answer says how to confirm, and the same request with that runs.

use std::time::Duration;

use serde_json::{Value, json};

use crate::caller::{Answer, Caller};
use crate::world::World;

async fn post(caller: &Caller, tool: &str, amount: u32, confirmation: Option<&str>) -> Answer {
    let request = caller
        .client
        .post(format!("{}/mcp/tool/{tool}", caller.url));
    let request = match confirmation {
        Some(text) => request.header("Tollgate-Confirmation", text),
        None => request,
    };
    caller.send(request.json(&json!({"amount": amount}))).await
}

#[track_caller]
fn confirmation(answer: &Answer) -> String {
    assert_eq!(answer.status, 409, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        answer.body["type"],
        "urn:tollgate:error:confirmation-required"
    );
    let text = answer.body["confirmation"].as_str();
    text.expect("a text").to_owned()
}

fn detail(answer: &Answer) -> &str {
    answer.body["detail"].as_str().expect("a text")
}

#[tokio::test]
async fn a_program_that_confirms_its_call_is_served_once() {
    let world = World::start().await;
    let answer = post(&world.ada(), "refund", 250, None).await;
    let text = confirmation(&answer);
    assert_eq!(
        detail(&answer),
        "This call needs confirmation: send it again within 5 min with the text of `confirmation` in the header Tollgate-Confirmation"
    );
    assert_eq!(
        answer.body["question"],
        "Allow this call of \"Refund an order\" (refund)?\n\namount: 250"
    );
    let answer = post(&world.ada(), "refund", 250, Some(&text)).await;
    assert_eq!(
        (answer.status, &answer.body["result"]),
        (200, &json!("paid 250"))
    );
    let answer = post(&world.ada(), "refund", 250, Some(&text)).await;
    confirmation(&answer);
    assert!(detail(&answer).starts_with("The confirmation was used before. "));
    assert_eq!(world.runs(), 1);
}

#[tokio::test]
async fn a_confirmation_is_of_its_caller_tool_and_arguments_and_of_its_time() {
    let world = World::start().await;
    let text = confirmation(&post(&world.ada(), "refund", 250, None).await);
    let bob = world.caller("acme", "bob");
    for answer in [
        post(&bob, "refund", 250, Some(&text)).await,
        post(&world.caller("initech", "ada"), "refund", 250, Some(&text)).await,
        post(&world.ada(), "close", 250, Some(&text)).await,
        post(&world.ada(), "refund", 251, Some(&text)).await,
        post(&world.ada(), "refund", 250, Some(&text[1..])).await,
        post(&world.ada(), "refund", 250, Some("")).await,
    ] {
        confirmation(&answer);
        assert!(detail(&answer).starts_with("The confirmation is not of this call. "));
    }
    world.server.clock().advance(Duration::from_secs(5 * 60));
    let answer = post(&world.ada(), "refund", 250, Some(&text)).await;
    confirmation(&answer);
    assert!(detail(&answer).starts_with("The confirmation has expired. "));
    assert_eq!(world.runs(), 0);
}

#[tokio::test]
async fn the_description_for_programs_tells_which_tools_may_need_confirmation() {
    let world = World::start().await;
    let described = |caller: Caller| async move {
        let request = caller.client.get(format!("{}/openapi.json", caller.url));
        caller.send(request).await.body
    };
    let post =
        |body: &Value, tool: &str| body["paths"][format!("/mcp/tool/{tool}")]["post"].clone();
    let acme = described(world.ada()).await;
    let refund = post(&acme, "refund");
    assert_eq!(refund["parameters"][0]["name"], "Tollgate-Confirmation");
    assert!(refund["responses"]["409"]["description"].is_string());
    let globex = described(world.caller("globex", "gus")).await;
    let refund = post(&globex, "refund");
    assert_eq!(
        (&refund["parameters"], &refund["responses"]["409"]),
        (&Value::Null, &Value::Null)
    );
}
