//! Who listens for its tasks hears of each change all that `tasks/get` would tell.

use serde_json::{Value, json};
use tollgate::testing::TestServer;

use crate::listener::{Event, post};
use crate::tasks::{Client, asks, knowing};
use crate::{listener, serving};

fn wanting(tasks: &Value, meta: &Value) -> Value {
    let params = json!({"notifications": {"taskIds": tasks}, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params})
}

async fn message(listener: &mut listener::Listener) -> Value {
    match listener.next().await {
        Event::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

async fn listening(server: &TestServer, token: &str, tasks: &Value) -> listener::Listener {
    let response = post(server, token, &wanting(tasks, &knowing())).await;
    assert_eq!(response.status(), 200);
    listener::Listener::reading(response)
}

#[tokio::test]
async fn a_listener_hears_of_each_change_of_its_own_tasks() {
    let server = serving([asks()]).await;
    let (ada, bob) = (
        Client::of(&server, "ada", &[]),
        Client::of(&server, "bob", &[]),
    );
    let (own, other) = (ada.make("ask").await, bob.make("ask").await);
    ada.until(&own, "input_required").await;
    let token = server.token_for("acme", "ada", &[]);
    let mut listener = listening(&server, &token, &json!([own, other, "none"])).await;
    let acknowledged = message(&mut listener).await;
    assert_eq!(
        acknowledged["params"]["notifications"],
        json!({"taskIds": [own]})
    );
    let first = message(&mut listener).await;
    assert_eq!(first["method"], "notifications/tasks");
    let params = &first["params"];
    assert_eq!(
        (&params["taskId"], &params["status"]),
        (&json!(own), &json!("input_required"))
    );
    assert!(params["inputRequests"]["name.1"].is_object());
    assert_eq!(params["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
    ada.answer(&own, json!({"name": "Ada"})).await;
    let last = loop {
        let next = message(&mut listener).await;
        if next["params"]["status"] == "completed" {
            break next;
        }
        assert_eq!(next["params"]["status"], "working");
    };
    let mut told = last["params"].clone();
    let mut got = ada.get(&own).await;
    for either in [&mut told, &mut got] {
        let members = either.as_object_mut().expect("members");
        members.remove("_meta");
        members.remove("resultType");
    }
    assert_eq!(told, got);
}

#[tokio::test]
async fn who_does_not_know_tasks_cannot_listen_for_them() {
    let server = serving([asks()]).await;
    let token = server.token_for("acme", "ada", &[]);
    let response = post(
        &server,
        &token,
        &wanting(&json!(["any"]), &crate::wire::meta()),
    )
    .await;
    assert_eq!(response.status(), 400);
    let body = response.text().await.expect("an answer");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(body["error"]["code"], -32021);
}
