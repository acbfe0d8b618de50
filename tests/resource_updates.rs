//! The promise of word that a resource changed: to whoever subscribed to it, for as long as it may read
//! it, and to nobody else; and nobody learns by subscribing what there is.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/keys.rs"]
mod keys;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[path = "support/piped.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod piped;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::audit::Durability;
use tollgate::auth::LocalIdentity;
use tollgate::pipeline::ResourceUpdates;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Resource, Rule, ToolError};

use keys::Keys;
use listener::{Event, Listener, ask, post};
use piped::Piped;

#[derive(Deserialize, JsonSchema)]
struct Id {
    #[serde(default)]
    #[expect(dead_code, reason = "nobody looks")]
    id: String,
}

async fn text(_: CallContext, _: Id) -> Result<String, ToolError> {
    Ok("text".to_owned())
}

/// Resources for `notes`, of which a rule keeps one from everybody, and one for `plans`.
fn library(server: ServerBuilder, updates: &ResourceUpdates) -> ServerBuilder {
    let not_mine = Rule::deny("args.id == 'hidden'");
    server
        .resource_updates(updates.clone())
        .resource(
            Resource::new("notes://{id}", "note")
                .scope("notes")
                .rule(not_mine)
                .handler(text),
        )
        .resource(
            Resource::new("plans://all", "plans")
                .scope("plans")
                .handler(text),
        )
}

async fn server(keys: &Keys, updates: &ResourceUpdates) -> TestServer {
    let file = keys.file();
    TestServer::start(|server| library(server.api_key_file(file), updates)).await
}

fn wanted(uris: &[&str]) -> Value {
    json!({ "resourceSubscriptions": uris })
}

fn updated(uri: &str) -> Value {
    let meta = json!({"io.modelcontextprotocol/subscriptionId": 1});
    json!({
        "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri, "_meta": meta},
    })
}

/// A listener, and which URIs were acknowledged.
async fn listen(server: &TestServer, name: &str, uris: &[&str]) -> (Listener, Value) {
    let key = Keys::key(name);
    let mut listener = Listener::begin(server, &key, &json!(1), &wanted(uris)).await;
    let first = listener.message().await;
    assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
    let agreed = first["params"]["notifications"].clone();
    (listener, agreed)
}

#[tokio::test]
async fn only_what_may_be_read_is_acknowledged_and_told() {
    let (keys, updates) = (Keys::new(), ResourceUpdates::default());
    keys.grant("ada", &["notes"]);
    keys.grant("bob", &[]);
    let server = server(&keys, &updates).await;
    let all = [
        "notes://1",
        "notes://hidden",
        "plans://all",
        "nothing://there",
        "notes://",
        "\u{0}",
        "",
    ];
    let (mut ada, agreed) = listen(&server, "ada", &all).await;
    assert_eq!(agreed, wanted(&["notes://1"]));
    let (mut bob, agreed) = listen(&server, "bob", &all).await;
    assert_eq!(agreed, json!({}));
    // What there is and may not be read is left out like what there is not.
    for uri in [
        "plans://all",
        "notes://hidden",
        "nothing://there",
        "notes://2",
        "notes://1",
    ] {
        updates.updated(uri);
    }
    assert_eq!(ada.message().await, updated("notes://1"));
    server.clock().advance(std::time::Duration::from_secs(15));
    assert_eq!(bob.next().await, Event::KeepAlive);
    assert_eq!(ada.next().await, Event::KeepAlive);
}

#[tokio::test]
async fn who_may_not_read_it_any_more_hears_nothing_and_who_may_again_does() {
    let (keys, updates) = (Keys::new(), ResourceUpdates::default());
    keys.grant("ada", &["notes", "plans"]);
    let server = server(&keys, &updates).await;
    let (mut ada, agreed) = listen(&server, "ada", &["notes://1", "plans://all"]).await;
    assert_eq!(agreed, wanted(&["notes://1", "plans://all"]));
    keys.grant("ada", &["plans"]);
    updates.updated("notes://1");
    updates.updated("plans://all");
    assert_eq!(ada.message().await, updated("plans://all"));
    keys.grant("ada", &["notes"]);
    updates.updated("plans://all");
    updates.updated("notes://1");
    assert_eq!(ada.message().await, updated("notes://1"));
    // Whose access ends hears of no change, but of the end.
    keys.revoke("ada");
    updates.updated("notes://1");
    let last = ada.rest().await;
    assert_eq!(last.len(), 1);
    assert_eq!(last[0]["result"]["resultType"], "complete");
}

#[tokio::test]
async fn who_does_not_keep_up_is_told_of_all_that_it_listens_for() {
    let (keys, updates) = (Keys::new(), ResourceUpdates::default());
    keys.grant("ada", &["notes"]);
    let server = server(&keys, &updates).await;
    let (mut ada, _) = listen(&server, "ada", &["notes://1", "notes://2"]).await;
    for number in 0..5_000 {
        updates.updated(&format!("notes://other-{number}"));
    }
    let mut told = [ada.message().await, ada.message().await];
    told.sort_by_key(Value::to_string);
    assert_eq!(told, [updated("notes://1"), updated("notes://2")]);
}

/// The code of the error that this comes to, which is no stream.
async fn refusal(server: &TestServer, key: &str, message: &Value) -> i64 {
    let answer = post(server, key, message).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    let answer: Value = answer.json().await.expect("JSON");
    answer["error"]["code"].as_i64().expect("a code")
}

#[tokio::test]
async fn what_is_too_much_or_malformed_is_refused() {
    let (keys, updates) = (Keys::new(), ResourceUpdates::default());
    keys.grant("ada", &["notes"]);
    let server = server(&keys, &updates).await;
    let key = Keys::key("ada");
    let many: Vec<String> = (0..257).map(|number| format!("notes://{number}")).collect();
    for uris in [
        json!(many),
        json!([format!("notes://{}", "x".repeat(5_000))]),
        json!("notes://1"),
        json!({"notes://1": true}),
        json!([["notes://1"]]),
        json!(["notes://1", 7]),
        json!([null]),
        json!(null),
        json!(true),
    ] {
        let message = ask(&json!(1), &json!({ "resourceSubscriptions": uris }));
        assert_eq!(refusal(&server, &key, &message).await, -32602, "{uris}");
    }
    let long = json!("i".repeat(5_000));
    let message = ask(&long, &wanted(&["notes://1"]));
    assert_eq!(refusal(&server, &key, &message).await, -32602);
    let most: Vec<&str> = many[..256].iter().map(String::as_str).collect();
    assert_eq!(listen(&server, "ada", &most).await.1, wanted(&most));
    let twice = ["notes://1", "notes://1"];
    let (mut ada, _) = listen(&server, "ada", &twice).await;
    updates.updated("notes://1");
    assert_eq!(ada.message().await, updated("notes://1"));
    updates.updated("notes://1");
    assert_eq!(ada.message().await, updated("notes://1"));
}

fn request(method: &str, uri: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": "r", "method": method, "params": {"uri": uri}})
}

fn line(uri: &str) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}})
}

#[test]
fn a_legacy_client_on_stdio_hears_of_what_it_subscribed_to_until_it_does_no_more() {
    let (keys, updates) = (Keys::new(), ResourceUpdates::default());
    keys.grant("ada", &["notes"]);
    let mut client = Piped::start(|server| {
        let server = server.api_key_file(keys.file());
        library(
            server.local(LocalIdentity::Token(Keys::key("ada").into())),
            &updates,
        )
    });
    client.greet(&json!({}));
    for uri in ["notes://1", "notes://2", "notes://1"] {
        assert_eq!(
            client.ask(&request("resources/subscribe", uri))["result"],
            json!({})
        );
    }
    for (uri, code) in [
        ("plans://all", 40301),
        ("notes://hidden", 40302),
        ("nothing://there", -32002),
    ] {
        assert_eq!(
            client.ask(&request("resources/subscribe", uri))["error"]["code"],
            code,
            "{uri}"
        );
    }
    for uri in [
        "plans://all",
        "notes://hidden",
        "nothing://there",
        "notes://3",
    ] {
        updates.updated(uri);
    }
    updates.updated("notes://1");
    assert_eq!(client.line(), line("notes://1"));
    client.ask(&request("resources/unsubscribe", "notes://1"));
    client.ask(&request("resources/unsubscribe", "never://there"));
    updates.updated("notes://1");
    updates.updated("notes://2");
    assert_eq!(client.line(), line("notes://2"));
    // Scope lost is silence.
    keys.grant("ada", &[]);
    updates.updated("notes://2");
    assert_eq!(
        client.line()["method"],
        "notifications/resources/list_changed"
    );
    keys.grant("ada", &["notes"]);
    updates.updated("notes://2");
    assert_eq!(
        client.line()["method"],
        "notifications/resources/list_changed"
    );
    assert_eq!(client.line(), line("notes://2"));
    // Whoever begins anew has subscribed to nothing.
    client.greet(&json!({}));
    updates.updated("notes://2");
    client.ask(&request("resources/subscribe", "notes://4"));
    updates.updated("notes://4");
    assert_eq!(client.line(), line("notes://4"));
}

#[test]
fn a_subscription_beyond_the_cap_is_refused_and_recorded_as_such() {
    let (keys, updates) = (Keys::new(), ResourceUpdates::default());
    keys.grant("ada", &["notes"]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let mut client = Piped::start(|server| {
        let server = server.api_key_file(keys.file());
        let server = server.audit(audit::settings(&file, Durability::Strict));
        library(
            server.local(LocalIdentity::Token(Keys::key("ada").into())),
            &updates,
        )
    });
    client.greet(&json!({}));
    for number in 0..256 {
        let asked = request("resources/subscribe", &format!("notes://{number}"));
        assert_eq!(client.ask(&asked)["result"], json!({}));
    }
    for uri in [
        "notes://256".to_owned(),
        format!("notes://{}", "x".repeat(5_000)),
    ] {
        let refused = client.ask(&request("resources/subscribe", &uri));
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
        let text = std::fs::read_to_string(&file).expect("a log");
        let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!(last["method"], "resources/subscribe");
        assert_eq!(last["outcome"], "invalid");
    }
    // One that it has already takes no more room; one that is given back makes some.
    assert_eq!(
        client.ask(&request("resources/subscribe", "notes://0"))["result"],
        json!({})
    );
    client.ask(&request("resources/unsubscribe", "notes://0"));
    assert_eq!(
        client.ask(&request("resources/subscribe", "notes://256"))["result"],
        json!({})
    );
}
