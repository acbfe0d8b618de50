//! The programs in `examples/` that authors copy from do what their pages say, in both eras.

#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/contents.rs"]
mod contents;
#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/prompts.rs"]
mod prompts;
#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/resources.rs"]
mod resources;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/talk.rs"]
mod talk;
#[expect(dead_code, reason = "its `main` is for people")]
#[path = "../examples/talking.rs"]
mod talking;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::server::Server;
use tollgate::testing::TestServer;

use listener::{Event, Listener};
use scrape::Scrape;
use spans::{attribute, watched};
use talk::Talk;
use talking::House;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

fn tool(name: &str, arguments: Value) -> Value {
    json!({"name": name, "arguments": arguments})
}

fn zermatt() -> Value {
    json!({"station": "zermatt"})
}

async fn rest(server: &TestServer, scope: &str, name: &str, arguments: Value) -> (u16, Value) {
    let answer = reqwest::Client::new()
        .post(format!("{}/mcp/tool/{name}", server.url()))
        .bearer_auth(server.token_for("acme", "ada", &[scope]))
        .json(&arguments)
        .send()
        .await
        .expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_tool_answers_with_a_value_a_piece_or_several_pieces_of_content() {
    let server = TestServer::start(contents::add_to).await;
    let client = Talk::modern(&server, &["weather:read"], json!({}));
    let value = json!({"station": "zermatt", "celsius": -2.5});

    let reading = client.result("tools/call", tool("reading", zermatt()));
    let reading = reading.await;
    assert_eq!(reading["structuredContent"], value);
    let text = reading["content"][0]["text"].as_str().expect("a text");
    assert_eq!(serde_json::from_str::<Value>(text).expect("JSON"), value);

    let camera = client.result("tools/call", tool("camera", zermatt()));
    let picture = &camera.await["content"][0];
    assert_eq!(
        (&picture["type"], &picture["mimeType"]),
        (&json!("image"), &json!("image/png"))
    );
    assert_eq!(
        picture["annotations"],
        json!({"audience": ["user"], "priority": 0.8})
    );

    let report = client.result("tools/call", tool("report", zermatt()));
    let report = report.await;
    let pieces = report["content"].as_array().expect("pieces");
    let kinds: Vec<_> = pieces.iter().map(|piece| piece["type"].clone()).collect();
    assert_eq!(kinds, ["text", "audio", "resource", "resource_link"]);
    assert_eq!(
        pieces[2]["resource"],
        json!({"uri": "weather://zermatt/hours", "mimeType": "text/csv", "text": "hour,celsius\n6,-2.5\n"})
    );
    assert_eq!(pieces[3]["size"], 1_400_000);
    assert_eq!(report["structuredContent"], value);
}

#[tokio::test]
async fn over_rest_a_value_is_the_result_and_without_one_the_pieces_are() {
    let server = TestServer::start(contents::add_to).await;
    let (status, report) = rest(&server, "weather:read", "report", zermatt()).await;
    let value = json!({"station": "zermatt", "celsius": -2.5});
    assert_eq!(
        (status, report),
        (200, json!({"ok": true, "result": value}))
    );
    let (status, camera) = rest(&server, "weather:read", "camera", zermatt()).await;
    assert_eq!(
        (status, &camera["result"]["content"][0]["type"]),
        (200, &json!("image"))
    );
}

#[tokio::test]
async fn progress_and_log_messages_come_before_the_answer() {
    let house = Arc::new(House::default());
    let server = TestServer::start(|server| talking::add_to(server, &house)).await;
    let client = Talk::modern(&server, &["house:use"], json!({}));
    let call = client.send("tools/call", tool("cook", json!({"minutes": 2})));
    let (said, answer) = call.await.all().await;
    let said: Vec<_> = said.iter().map(|said| said["params"].clone()).collect();
    let progress = |done: u32| json!({"progressToken": "p", "progress": done, "total": 2, "message": "cooking"});
    assert_eq!(
        said,
        [
            json!({"level": "info", "data": "the oven is hot"}),
            progress(0),
            progress(1),
            json!({"level": "notice", "logger": "oven", "data": {"minutes": 2}}),
        ]
    );
    assert_eq!(answer["result"]["structuredContent"], "done");
    // A program that speaks REST hears none of it, and gets its answer.
    let (status, answer) = rest(&server, "house:use", "cook", json!({"minutes": 2})).await;
    assert_eq!((status, &answer["result"]), (200, &json!("done")));
}

#[tokio::test]
async fn what_a_call_holds_is_let_go_when_its_client_leaves() {
    let house = Arc::new(House::default());
    let server = TestServer::start(|server| talking::add_to(server, &house)).await;
    let client = Talk::modern(&server, &["house:use"], json!({}));
    let call = client.send("tools/call", tool("cook", json!({"minutes": 600})));
    let mut call = call.await;
    assert!(call.next().await.is_some());
    assert_eq!(house.kitchens.load(SeqCst), 1);
    drop((call, client));
    let free = async {
        while house.kitchens.load(SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, free).await.expect("the kitchen is free");
}

#[tokio::test]
async fn a_modern_call_that_asks_runs_again_with_what_it_remembered() {
    let house = Arc::new(House::default());
    let server = TestServer::start(|server| talking::add_to(server, &house)).await;
    let client = Talk::modern(&server, &["house:use"], json!({"elicitation": {}}));
    let mut call = tool("book", json!({"guests": 4}));
    let asks = client.result("tools/call", call.clone()).await;
    assert_eq!(asks["resultType"], "input_required");
    let question = &asks["inputRequests"]["contact"];
    assert_eq!(question["method"], "elicitation/create");
    let message = "Table 1 for 4. Your phone number?";
    assert_eq!(question["params"]["message"], message);
    assert_eq!(house.bookings.load(SeqCst), 0);

    call["requestState"] = asks["requestState"].clone();
    // What does not fit the form is asked for again, for the same table.
    call["inputResponses"] = json!({"contact": {"action": "accept", "content": {"phone": 7}}});
    let again = client.result("tools/call", call.clone()).await;
    assert_eq!(
        again["inputRequests"]["contact"]["params"]["message"],
        message
    );
    call["inputResponses"] = json!({"contact": {"action": "accept", "content": {"phone": "044"}}});
    let booked = client.result("tools/call", call.clone()).await;
    assert_eq!(booked["structuredContent"], "table 1, 044");
    assert_eq!(house.bookings.load(SeqCst), 1);

    call["inputResponses"] = json!({"contact": {"action": "decline"}});
    let declined = client.result("tools/call", call).await;
    assert_eq!(declined["isError"], true);
    assert_eq!(house.bookings.load(SeqCst), 1);
}

#[tokio::test]
async fn a_legacy_call_waits_for_the_answer() {
    let house = Arc::new(House::default());
    let server = TestServer::start(|server| talking::add_to(server, &house)).await;
    let client = Talk::legacy(&server, &["house:use"], json!({"elicitation": {}})).await;
    let call = client.send("tools/call", tool("book", json!({"guests": 2})));
    let mut call = call.await;
    let question = call.next().await.expect("a question");
    assert_eq!(question["method"], "elicitation/create");
    let filled = json!({"action": "accept", "content": {"phone": "044"}});
    let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": filled});
    client.post(&answer).await;
    let booked = call.next().await.expect("an answer");
    assert_eq!(booked["result"]["content"][0]["text"], "table 1, 044");
    assert_eq!(house.bookings.load(SeqCst), 1);
}

#[tokio::test]
async fn who_cannot_be_asked_is_told_so_or_served_otherwise() {
    let house = Arc::new(House::default());
    let server = TestServer::start(|server| talking::add_to(server, &house)).await;
    let client = Talk::modern(&server, &["house:use"], json!({}));
    let book = client.send("tools/call", tool("book", json!({"guests": 2})));
    let (_, refused) = book.await.all().await;
    assert_eq!(refused["error"]["code"], -32021);
    let needed = &refused["error"]["data"]["requiredCapabilities"];
    assert_eq!(*needed, json!({"elicitation": {"form": {}}}));
    let (status, refused) = rest(&server, "house:use", "book", json!({"guests": 2})).await;
    assert_eq!(
        (status, &refused["type"]),
        (422, &json!("urn:tollgate:error:client-cannot"))
    );
    assert_eq!(house.bookings.load(SeqCst), 0);

    let menu = tool("advertise", json!({"dishes": "soup\nbread"}));
    let line = client.result("tools/call", menu.clone()).await;
    assert_eq!(line["structuredContent"], "Today: soup, bread");
    let client = Talk::modern(&server, &["house:use"], json!({"sampling": {}}));
    let asks = client.result("tools/call", menu.clone()).await;
    let request = &asks["inputRequests"]["line"]["params"];
    assert_eq!(
        (&request["maxTokens"], &request["temperature"]),
        (&json!(100), &json!(0.7))
    );
    let mut menu = menu;
    menu["inputResponses"] = json!({"line": {
        "role": "assistant", "model": "m", "content": {"type": "text", "text": "Soup!"},
    }});
    let line = client.result("tools/call", menu).await;
    assert_eq!(line["structuredContent"], "Soup!");
}

#[tokio::test]
async fn several_questions_are_asked_at_once_and_users_are_sent_to_pages() {
    let house = Arc::new(House::default());
    let server = TestServer::start(|server| talking::add_to(server, &house)).await;
    let can = json!({"elicitation": {"form": {}, "url": {}}, "roots": {}});
    let client = Talk::modern(&server, &["house:use"], can);
    let mut plan = tool("plan", json!({}));
    let asks = client.result("tools/call", plan.clone()).await;
    let questions = asks["inputRequests"].as_object().expect("questions");
    assert_eq!(questions.keys().collect::<Vec<_>>(), ["day", "folders"]);
    plan["inputResponses"] = json!({
        "day": {"action": "accept", "content": {"day": "Friday"}},
        "folders": {"roots": [{"uri": "file:///feast"}]},
    });
    let planned = client.result("tools/call", plan).await;
    assert_eq!(
        planned["structuredContent"],
        r#"{"day":"Friday"}: file:///feast"#
    );

    let mut pay = tool("pay", json!({}));
    let asks = client.result("tools/call", pay.clone()).await;
    let page = &asks["inputRequests"]["page"]["params"];
    let url = page["url"].as_str().expect("a URL");
    assert!(url.starts_with("https://pay.example.com/"), "{url}");
    pay["inputResponses"] = json!({"page": {"action": "accept"}});
    let paid = client.result("tools/call", pay).await;
    assert_eq!(paid["structuredContent"], "shown");
}

#[tokio::test]
async fn prompts_are_listed_completed_and_filled_in() {
    let server = TestServer::start(prompts::add_to).await;
    let client = Talk::modern(&server, &["prompts:use"], json!({}));
    let list = client.result("prompts/list", json!({})).await;
    assert_eq!(
        list["prompts"][0],
        json!({
            "name": "review", "title": "Code review", "description": "Asks for a review of code.",
            "arguments": [
                {"name": "language", "description": "The language of the code.", "required": true},
                {"name": "focus", "description": "What to look at most.", "required": false},
            ],
        })
    );
    let review = json!({"name": "review", "arguments": {"language": "rust"}});
    let review = client.result("prompts/get", review).await;
    let text = "Review this rust code for correctness.";
    assert_eq!(
        review["messages"],
        json!([{"role": "user", "content": {"type": "text", "text": text}}])
    );
    let trip = json!({"name": "trip", "arguments": {"country": "Italy", "city": "Roma"}});
    let trip = client.result("prompts/get", trip).await;
    assert_eq!(trip["description"], "A trip to Roma");
    let roles = [0, 1, 2].map(|number| trip["messages"][number]["role"].clone());
    assert_eq!(roles, ["user", "assistant", "user"]);

    let typed = json!({
        "ref": {"type": "ref/prompt", "name": "trip"},
        "argument": {"name": "city", "value": "b"},
        "context": {"arguments": {"country": "Switzerland"}},
    });
    let suggested = client.result("completion/complete", typed).await;
    assert_eq!(
        suggested["completion"],
        json!({"values": ["Basel", "Bern", "Biel"], "hasMore": false, "total": 3})
    );

    // The same in the era before.
    let client = Talk::legacy(&server, &["prompts:use"], json!({})).await;
    let review = json!({"name": "review", "arguments": {"language": "rust", "focus": "speed"}});
    let review = client.result("prompts/get", review).await;
    let text = "Review this rust code for speed.";
    assert_eq!(review["messages"][0]["content"]["text"], text);
}

#[tokio::test]
async fn resources_have_texts_bytes_parts_and_suggestions() {
    let server = TestServer::start(|server| resources::add_to(server, &Arc::default())).await;
    let client = Talk::modern(&server, &["notes:read", "notes:write"], json!({}));
    for (id, text) in [("milk", "two litres"), ("meat", "none")] {
        let write = tool("write_note", json!({"id": id, "text": text}));
        client.result("tools/call", write).await;
    }
    let read = async |uri: &str| client.result("resources/read", json!({"uri": uri})).await;
    let note = |id: &str, text: &str| {
        let uri = format!("notes://{id}");
        json!({"uri": uri, "mimeType": "text/plain", "text": text})
    };
    let (meat, milk) = (note("meat", "none"), note("milk", "two litres"));
    assert_eq!(read("notes://milk").await["contents"], json!([milk]));
    assert_eq!(read("notes://all").await["contents"], json!([meat, milk]));
    assert_eq!(
        read("pictures://logo").await["contents"],
        json!([{"uri": "pictures://logo", "mimeType": "image/gif", "blob": "R0lGODlhAQABAAAAADs="}])
    );
    let typed = json!({
        "ref": {"type": "ref/resource", "uri": "notes://{id}"},
        "argument": {"name": "id", "value": "mi"},
    });
    let suggested = client.result("completion/complete", typed).await;
    assert_eq!(suggested["completion"]["values"], json!(["milk"]));
}

#[tokio::test]
async fn subscribers_hear_that_a_resource_of_their_tenant_changed() {
    let server = TestServer::start(|server| resources::add_to(server, &Arc::default())).await;
    let scopes = ["notes:read", "notes:write"];
    let wanted = json!({"resourceSubscriptions": ["notes://milk"]});
    let ours = server.token_for("acme", "bob", &scopes);
    let mut listener = Listener::open(&server, &ours, wanted.clone()).await;
    let theirs = server.token_for("globex", "ada", &scopes);
    let mut others = Listener::open(&server, &theirs, wanted).await;
    let client = Talk::modern(&server, &scopes, json!({}));
    for id in ["other", "milk"] {
        let write = tool("write_note", json!({"id": id, "text": "x"}));
        client.result("tools/call", write).await;
    }
    let Event::Message(told) = listener.next().await else {
        panic!("no message");
    };
    assert_eq!(told["method"], "notifications/resources/updated");
    assert_eq!(told["params"]["uri"], "notes://milk");
    server.clock().advance(Duration::from_secs(15));
    assert_eq!(others.next().await, Event::KeepAlive);
}

#[test]
fn a_state_secret_that_can_be_guessed_is_refused_at_start() {
    let built = |bytes| Server::builder().state_secret(vec![7; bytes]).build();
    assert!(built(32).is_ok());
    let Err(refused) = built(31) else {
        panic!("it was taken");
    };
    let told = "the state secret has 31 bytes: give it at least 32, at random";
    assert_eq!(refused.to_string(), told);
}

#[tokio::test]
async fn a_use_of_a_prompt_is_a_call_in_metrics_and_named_in_spans() {
    let (tracing, mut spans) = watched();
    let server = TestServer::start(|server| {
        let admin = ([127, 0, 0, 1], 0).into();
        prompts::add_to(server).tracing(tracing).admin_listen(admin)
    })
    .await;
    let client = Talk::modern(&server, &["prompts:use"], json!({}));
    let review = json!({"name": "review", "arguments": {"language": "rust"}});
    client.result("prompts/get", review).await;
    let span = spans.next_request().await;
    assert_eq!(span.name, "prompts/get review");
    assert_eq!(attribute(&span, "gen_ai.prompt.name"), "review");
    assert_eq!(attribute(&span, "tollgate.resource.template"), "");

    let scrape = Scrape::of(server.admin_url().expect("an admin listener")).await;
    let labels = [
        ("tollgate_target", "prompt/review"),
        ("tollgate_outcome", "ok"),
    ];
    assert_eq!(scrape.value("tollgate_calls_total", &labels), 1.0);
    let labels = [
        ("mcp_method_name", "prompts/get"),
        ("gen_ai_prompt_name", "review"),
    ];
    let family = "mcp_server_operation_duration_seconds_count";
    assert_eq!(scrape.value(family, &labels), 1.0);
}
