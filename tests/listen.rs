//! The promise of `subscriptions/listen`: a listener is told when its own lists change, and of
//! nothing else; it may listen for as long as it may call; and it is in nobody's way.

#[path = "support/keys.rs"]
mod keys;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::testing::TestServer;

use keys::Keys;
use listener::{Event, Listener, ask, changed, goodbye, post};
use scrape::Scrape;
use spans::{attribute, watched};
use wire::{Wire, shop};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often a quiet listener is looked after.
const PERIOD: Duration = Duration::from_secs(15);

fn tools() -> Value {
    json!({"toolsListChanged": true})
}

fn everything() -> Value {
    json!({"toolsListChanged": true, "resourcesListChanged": true})
}

async fn server_with(keys: &Keys) -> TestServer {
    let file = keys.file();
    TestServer::start(|server| {
        let admin = ([127, 0, 0, 1], 0).into();
        shop(server, Arc::default())
            .api_key_file(file)
            .admin_listen(admin)
    })
    .await
}

#[tokio::test]
async fn the_first_event_says_which_of_the_notifications_asked_for_will_come() {
    let server = server_with(&Keys::new()).await;
    let token = server.token_for("acme", "ada", &[]);
    for (id, wanted, agreed) in [
        (json!(7), tools(), tools()),
        (json!("a \"b\""), everything(), everything()),
        (
            json!(1),
            json!({"toolsListChanged": false, "resourcesListChanged": true, "promptsListChanged": true,
                   "resourceSubscriptions": ["notes://1"], "unheardOf": {"a": [1]}}),
            json!({"resourcesListChanged": true, "promptsListChanged": true}),
        ),
        (json!(1), json!({}), json!({})),
    ] {
        let mut listener = Listener::begin(&server, &token, &id, &wanted).await;
        assert_eq!(listener.header("content-type"), "text/event-stream");
        assert_eq!(listener.header("x-accel-buffering"), "no");
        assert_eq!(listener.header("cache-control"), "no-store");
        assert_eq!(listener.header("tollgate-call-id").len(), 36);
        let acknowledged = json!({
            "jsonrpc": "2.0",
            "method": "notifications/subscriptions/acknowledged",
            "params": {
                "_meta": {"io.modelcontextprotocol/subscriptionId": id},
                "notifications": agreed,
            },
        });
        assert_eq!(listener.next().await, Event::Message(acknowledged));
    }
}

#[tokio::test]
async fn a_listener_hears_of_its_own_lists_and_only_of_those_it_asked_for() {
    let keys = Keys::new();
    keys.grant("ada", &[]);
    keys.grant("bob", &[]);
    let server = server_with(&keys).await;
    let (ada, bob) = (Keys::key("ada"), Keys::key("bob"));
    let mut of_tools = Listener::open(&server, &ada, tools()).await;
    let mut of_resources =
        Listener::open(&server, &ada, json!({"resourcesListChanged": true})).await;
    let mut of_all = Listener::open(&server, &ada, everything()).await;
    let mut of_nothing = Listener::open(&server, &ada, json!({})).await;
    let mut bobs = Listener::open(&server, &bob, everything()).await;

    // Two announcements, of which only ada's tools are a reason.
    server.changes().announce();
    keys.grant("ada", &["greet"]);
    server.changes().announce();
    let told = Event::Message(changed("tools", &json!(1)));
    assert_eq!(of_tools.next().await, told);
    assert_eq!(of_all.next().await, told);
    // Then a template, which is listed with the resources.
    keys.grant("ada", &["greet", "notes"]);
    server.changes().announce();
    let told = Event::Message(changed("resources", &json!(1)));
    assert_eq!(of_resources.next().await, told);
    assert_eq!(of_all.next().await, told);

    // Whoever was told nothing so far is only shown that the connection lives.
    server.clock().advance(PERIOD);
    for listener in [
        &mut of_tools,
        &mut of_resources,
        &mut of_all,
        &mut of_nothing,
        &mut bobs,
    ] {
        assert_eq!(listener.next().await, Event::KeepAlive);
    }
}

#[tokio::test]
async fn a_change_of_the_callers_own_scopes_is_heard_without_an_announcement() {
    let keys = Keys::new();
    keys.grant("ada", &["greet"]);
    let server = server_with(&keys).await;
    let mut listener = Listener::open(&server, &Keys::key("ada"), tools()).await;
    keys.grant("ada", &[]);
    server.clock().advance(PERIOD);
    let told = Event::Message(changed("tools", &json!(1)));
    assert_eq!(listener.next().await, told);
    server.clock().advance(PERIOD);
    assert_eq!(listener.next().await, Event::KeepAlive);
}

#[tokio::test]
async fn a_subscription_ends_with_its_token_and_with_its_key() {
    let keys = Keys::new();
    keys.grant("ada", &[]);
    let server = server_with(&keys).await;
    let token = server.token_for("acme", "tom", &[]);
    let mut by_token = Listener::open(&server, &token, tools()).await;
    let mut by_key = Listener::open(&server, &Keys::key("ada"), tools()).await;

    keys.revoke("ada");
    server.changes().announce();
    assert_eq!(by_key.next().await, Event::Message(goodbye(&json!(1))));
    assert_eq!(by_key.next().await, Event::End);

    server.clock().advance(Duration::from_secs(3_500));
    assert_eq!(by_token.next().await, Event::KeepAlive);
    // An hour, and what clocks may differ by.
    server.clock().advance(Duration::from_secs(131));
    assert_eq!(by_token.next().await, Event::Message(goodbye(&json!(1))));
    assert_eq!(by_token.next().await, Event::End);
}

#[tokio::test]
async fn shutting_down_ends_subscriptions_at_once_and_does_not_wait_for_them() {
    let server = server_with(&Keys::new()).await;
    let token = server.token_for("acme", "ada", &[]);
    let mut listener = Listener::open(&server, &token, tools()).await;
    let stopping = tokio::spawn(server.stop());
    assert_eq!(listener.next().await, Event::Message(goodbye(&json!(1))));
    assert_eq!(listener.next().await, Event::End);
    // The grace alone is 10 s.
    let stopped = timeout(Duration::from_secs(8), stopping).await;
    stopped.expect("no grace is used up").expect("it ends");
}

#[tokio::test]
async fn a_caller_has_eight_subscriptions_and_the_ninth_takes_nobody_elses_place() {
    let server = server_with(&Keys::new()).await;
    let ada = server.token_for("acme", "ada", &["greet"]);
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(Listener::open(&server, &ada, tools()).await);
    }
    // Another token of hers is still her.
    let again = server.token_for("acme", "ada", &[]);
    let refused = post(&server, &again, &ask(&json!(1), &tools())).await;
    assert_eq!(refused.status(), 200);
    assert_eq!(refused.headers()["content-type"], "application/json");
    let refused: Value =
        serde_json::from_str(&refused.text().await.expect("a text")).expect("JSON");
    assert_eq!(refused["error"]["code"], 42904, "{refused}");
    assert_eq!(listeners(&server).await, 8.0);
    for (tenant, subject) in [("acme", "bob"), ("globex", "ada")] {
        let other = server.token_for(tenant, subject, &[]);
        drop(Listener::open(&server, &other, tools()).await);
    }
    // Who leaves gives the seat back.
    open.clear();
    let gone = async { while listeners(&server).await > 0.0 {} };
    timeout(PATIENCE, gone).await.expect("the seats are free");
    Listener::open(&server, &ada, tools()).await;
}

async fn listeners(server: &TestServer) -> f64 {
    let scrape = Scrape::of(server.admin_url().expect("an admin listener")).await;
    assert_eq!(scrape.value("tollgate_calls_in_flight", &[]), 0.0);
    scrape.value("tollgate_listeners", &[])
}

#[tokio::test]
async fn a_subscription_is_one_record_that_closes_with_its_stream() {
    let (tracing, mut spans) = watched();
    let server = TestServer::start(|server| shop(server, Arc::default()).tracing(tracing)).await;
    let token = server.token_for("acme", "ada", &[]);
    let mut left = Listener::open(&server, &token, tools()).await;
    server.clock().advance(PERIOD);
    assert_eq!(left.next().await, Event::KeepAlive);
    drop(left);
    let span = spans.next_request().await;
    assert_eq!(span.name, "subscriptions/listen");
    assert_eq!(attribute(&span, "tollgate.outcome"), "cancelled");

    let mut ended = Listener::open(&server, &token, tools()).await;
    server.clock().advance(Duration::from_secs(7_200));
    assert_eq!(ended.next().await, Event::Message(goodbye(&json!(1))));
    assert_eq!(ended.next().await, Event::End);
    let span = spans.next_request().await;
    assert_eq!(attribute(&span, "tollgate.outcome"), "ok");
}

#[tokio::test]
async fn a_request_to_listen_that_makes_no_sense_is_refused_with_an_answer() {
    let server = server_with(&Keys::new()).await;
    let wire = Wire::of(&server, &[]);
    for wrong in [
        json!({}),
        json!({"notifications": true}),
        json!({"notifications": ["toolsListChanged"]}),
        json!({"notifications": null}),
        json!({"notifications": {"toolsListChanged": "yes"}}),
        json!({"notifications": {"toolsListChanged": true, "promptsListChanged": 1}}),
    ] {
        let reply = wire
            .modern("subscriptions/listen", wrong.clone())
            .send()
            .await;
        assert_eq!((reply.status, reply.code()), (200, Some(-32602)), "{wrong}");
    }
    let good = json!({"notifications": tools()});
    let only_json = wire.modern("subscriptions/listen", good.clone());
    let reply = only_json.with("accept", "application/json").send().await;
    assert_eq!(reply.status, 406, "{}", reply.text);
    let reply = wire.legacy("subscriptions/listen", good).send().await;
    assert_eq!((reply.status, reply.code()), (200, Some(-32601)));
    let nobody = post(&server, "x", &ask(&json!(1), &tools())).await;
    assert_eq!(nobody.status(), 401);
    assert_eq!(listeners(&server).await, 0.0);
}
