//! The promise of words before the answer: a call that says nothing has a plain answer, one that speaks
//! has a stream that ends with it; who listens hears no more than it asked for, and whoever leaves or
//! does not read holds nothing up.

#[path = "support/listener.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod listener;
#[path = "support/raw.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod raw;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::transport::http::Limits;
use tollgate::{CallContext, LogLevel, Progress, Tool, ToolError};

use listener::{Event, Listener};
use raw::{Raw, authority, request};
use spans::{Spans, attribute, watched};
use wire::{MODERN, Nothing, Post, Wire, meta};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
/// After so much silence a comment shows that a stream lives.
const SILENCE: Duration = Duration::from_secs(15);

/// What the test has a call do.
enum Do {
    Progress(Progress),
    Log(LogLevel, Value),
    /// So many log messages at once.
    Flood(usize),
    /// Log messages without end.
    FloodForEver,
    Answer,
    Refuse,
}

/// What the tool `talk` does next, and where it says how it ended.
struct Script {
    todo: Mutex<UnboundedReceiver<Do>>,
    ends: UnboundedSender<&'static str>,
}

/// Says that the call was torn off, unless it answered.
struct Guard<'s>(&'s Script, &'static str);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        let _ = self.0.ends.send(self.1);
    }
}

async fn talk(
    script: Arc<Script>,
    call: CallContext,
    _: Nothing,
) -> Result<&'static str, ToolError> {
    let mut guard = Guard(&script, "torn off");
    loop {
        match script.todo.lock().await.recv().await {
            Some(Do::Progress(progress)) => call.progress(progress),
            Some(Do::Log(level, data)) => call.log_from("script", level, data),
            Some(Do::Flood(count)) => {
                for number in 0..count {
                    call.log(LogLevel::Info, number);
                }
            }
            Some(Do::FloodForEver) => loop {
                call.log(LogLevel::Info, "x".repeat(64 << 10));
                tokio::task::yield_now().await;
            },
            Some(Do::Refuse) => {
                guard.1 = "refused";
                return Err(ToolError::refused("not today"));
            }
            Some(Do::Answer) | None => {
                guard.1 = "answered";
                return Ok("done");
            }
        }
    }
}

/// Never ends of itself.
async fn stay(script: Arc<Script>, _: CallContext, _: Nothing) -> Result<&'static str, ToolError> {
    let _guard = Guard(&script, "torn off");
    let _ = script.ends.send("began");
    pending().await
}

struct World {
    server: TestServer,
    todo: UnboundedSender<Do>,
    ends: UnboundedReceiver<&'static str>,
    spans: Spans,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|server| server).await
    }

    async fn start_with(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let (tracing, spans) = watched();
        let (todo, todo_out) = unbounded_channel();
        let (ends_in, ends) = unbounded_channel();
        let script = Arc::new(Script {
            todo: Mutex::new(todo_out),
            ends: ends_in,
        });
        let tool = |name: &str| {
            let tool = Tool::new(name, "Talks.").any_authenticated();
            tool.timeout(Duration::from_secs(600))
        };
        let talk = tool("talk").handler_with(Arc::clone(&script), talk);
        let stay = tool("stay").handler_with(script, stay);
        let server =
            TestServer::start(|server| set_up(server.tracing(tracing).tool(talk).tool(stay)));
        let server = server.await;
        Self {
            server,
            todo,
            ends,
            spans,
        }
    }

    fn ada(&self) -> Wire {
        Wire::of(&self.server, &[])
    }

    fn tell(&self, what: Do) {
        assert!(self.todo.send(what).is_ok(), "the tool is there");
    }

    async fn ended(&mut self) -> &'static str {
        let end = timeout(PATIENCE, self.ends.recv()).await;
        end.expect("an end in time").expect("a running server")
    }

    async fn outcome(&mut self) -> String {
        loop {
            let span = self.spans.next_request().await;
            if span.name == "tools/call talk" {
                return attribute(&span, "tollgate.outcome");
            }
        }
    }
}

/// A call whose client wants to hear what `wanted` of its `_meta` says.
fn modern(wire: &Wire, wanted: &Value) -> Post {
    let mut meta = meta();
    for (name, value) in wanted.as_object().expect("members") {
        meta[name] = value.clone();
    }
    wire.modern(
        "tools/call",
        json!({"name": "talk", "arguments": {}, "_meta": meta}),
    )
}

fn progress_under(token: Value) -> Value {
    json!({ "progressToken": token })
}

fn log_from(level: &str) -> Value {
    json!({ "io.modelcontextprotocol/logLevel": level })
}

fn legacy(wire: &Wire, wanted: &Value) -> Post {
    wire.legacy(
        "tools/call",
        json!({"name": "talk", "arguments": {}, "_meta": wanted}),
    )
}

fn told(done: i64, token: &Value) -> Event {
    let params = json!({"progressToken": token, "progress": done});
    Event::Message(json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))
}

fn logged(messages: &[Value]) -> Vec<&Value> {
    let logs = messages
        .iter()
        .filter(|message| message["method"] == "notifications/message");
    logs.map(|message| &message["params"]["data"]).collect()
}

#[tokio::test]
async fn an_answer_without_a_word_before_it_stays_plain_json_whatever_could_have_been_said() {
    let world = World::start().await;
    let ada = world.ada();
    for post in [
        modern(&ada, &json!({})),
        modern(&ada, &progress_under(json!(1))),
        modern(&ada, &log_from("debug")),
        legacy(&ada, &progress_under(json!(1))),
    ] {
        world.tell(Do::Answer);
        let reply = post.send().await;
        assert_eq!((reply.status, reply.tool_text()), (200, "done"));
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("x-accel-buffering"), None);
    }
}

#[tokio::test]
async fn the_first_word_makes_a_stream_of_it_which_ends_with_the_answer() {
    let mut world = World::start().await;
    let ada = world.ada();
    for (post, token) in [
        (modern(&ada, &progress_under(json!(7))), json!(7)),
        (
            legacy(&ada, &progress_under(json!("a\u{2028}\"b"))),
            json!("a\u{2028}\"b"),
        ),
    ] {
        world.tell(Do::Progress(Progress::new(1.0)));
        let mut stream = Listener::over(post.open().await);
        assert_eq!(stream.header("content-type"), "text/event-stream");
        assert_eq!(stream.header("x-accel-buffering"), "no");
        assert_eq!(stream.header("cache-control"), "no-store");
        assert_eq!(stream.header("tollgate-call-id").len(), 36);
        assert_eq!(stream.next().await, told(1, &token));
        world.tell(Do::Progress(Progress::new(2.0)));
        assert_eq!(stream.next().await, told(2, &token));
        world.tell(Do::Progress(Progress::new(3.0)));
        world.tell(Do::Answer);
        assert_eq!(stream.next().await, told(3, &token));
        let last = stream.message().await;
        assert_eq!(last["result"]["content"][0]["text"], "done");
        assert_eq!(stream.next().await, Event::End);
        assert_eq!(world.ended().await, "answered");
        assert_eq!(world.outcome().await, "ok");
    }
}

#[tokio::test]
async fn words_just_before_the_answer_come_before_it_and_a_refusal_is_told_like_an_answer() {
    let mut world = World::start().await;
    let ada = world.ada();
    world.tell(Do::Progress(Progress::new(1.0)));
    world.tell(Do::Progress(Progress::new(2.0)));
    world.tell(Do::Refuse);
    let mut stream = Listener::over(modern(&ada, &progress_under(json!(1))).open().await);
    assert_eq!(stream.next().await, told(1, &json!(1)));
    assert_eq!(stream.next().await, told(2, &json!(1)));
    let last = stream.message().await;
    assert_eq!(last["result"]["isError"], true);
    assert_eq!(stream.next().await, Event::End);
    assert_eq!(world.outcome().await, "failed");
}

#[tokio::test]
async fn progress_that_does_not_grow_or_is_no_number_is_left_out() {
    let world = World::start().await;
    for done in [
        0.0,
        0.0,
        -1.0,
        1.0,
        0.5,
        1.0,
        f64::NAN,
        f64::INFINITY,
        1.5,
        1e300,
        2.0,
    ] {
        let total = if done == 1.5 { f64::NAN } else { 10.0 };
        world.tell(Do::Progress(Progress::new(done).total(total).message("m")));
    }
    world.tell(Do::Answer);
    let mut stream = Listener::over(modern(&world.ada(), &progress_under(json!(1))).open().await);
    let told = stream.rest().await;
    let done: Vec<&Value> = told
        .iter()
        .map(|message| &message["params"]["progress"])
        .collect();
    assert_eq!(
        done,
        [
            &json!(0),
            &json!(1),
            &json!(1.5),
            &json!(1e300),
            &Value::Null
        ]
    );
    assert_eq!(told[0]["params"]["total"], 10);
    assert_eq!(told[2]["params"].get("total"), None);
}

#[tokio::test]
async fn progress_is_told_under_a_token_alone_and_log_messages_from_the_level_on_that_was_asked_for()
 {
    let world = World::start().await;
    let ada = world.ada();
    let levels = [
        (LogLevel::Debug, "debug"),
        (LogLevel::Info, "info"),
        (LogLevel::Notice, "notice"),
        (LogLevel::Warning, "warning"),
        (LogLevel::Error, "error"),
        (LogLevel::Critical, "critical"),
        (LogLevel::Alert, "alert"),
        (LogLevel::Emergency, "emergency"),
    ];
    let say_all = || {
        for (level, name) in levels {
            world.tell(Do::Log(level, json!(name)));
        }
        world.tell(Do::Progress(Progress::new(1.0)));
        world.tell(Do::Answer);
    };
    for (at, (_, name)) in levels.into_iter().enumerate() {
        say_all();
        let mut stream = Listener::over(modern(&ada, &log_from(name)).open().await);
        let all = stream.rest().await;
        let expected: Vec<Value> = levels[at..].iter().map(|(_, name)| json!(name)).collect();
        assert_eq!(logged(&all), expected.iter().collect::<Vec<_>>());
        assert_eq!(all[0]["params"]["logger"], "script");
        assert_eq!(
            all.len(),
            expected.len() + 1,
            "and the answer, but no progress"
        );
    }
    // Who asked for neither hears neither; nor does a client that reads no events.
    for post in [
        modern(&ada, &json!({})),
        modern(&ada, &log_from("debug")).with("accept", "application/json"),
        modern(&ada, &progress_under(json!(1))).with("accept", "application/json"),
        legacy(&ada, &log_from("debug")),
    ] {
        say_all();
        let reply = post.send().await;
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.tool_text(), "done");
    }
}

#[tokio::test]
async fn malformed_wishes_are_refused_and_run_nothing() {
    let mut world = World::start().await;
    let ada = world.ada();
    for wanted in [
        progress_under(json!(null)),
        progress_under(json!(1.5)),
        progress_under(json!(true)),
        progress_under(json!([1])),
        progress_under(json!({"a": 1})),
        progress_under(json!("x".repeat(2_000))),
        log_from(""),
        log_from("INFO"),
        log_from("information"),
        log_from("info\u{0}"),
        json!({"io.modelcontextprotocol/logLevel": 1}),
        json!({"io.modelcontextprotocol/logLevel": null}),
        json!({"io.modelcontextprotocol/logLevel": ["info"]}),
    ] {
        let reply = modern(&ada, &wanted).send().await;
        assert_eq!(
            (reply.status, reply.code()),
            (200, Some(-32602)),
            "{wanted}"
        );
    }
    assert!(world.ends.try_recv().is_err(), "nothing ran");
}

#[tokio::test]
async fn a_token_comes_back_as_it_was_sent_although_no_number_of_ours_holds_it() {
    let world = World::start().await;
    let ada = world.ada();
    for token in [
        "123456789012345678901234567890",
        "-0",
        r#""\u0061\ud83d\ude00""#,
        "\"\"",
    ] {
        world.tell(Do::Progress(Progress::new(1.0)));
        world.tell(Do::Answer);
        let mut params = json!({"name": "talk", "arguments": {}, "_meta": meta()});
        params["_meta"]["progressToken"] = json!("TOKEN");
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        let message = message.to_string().replace("\"TOKEN\"", token);
        let post = ada.body(message).header("mcp-protocol-version", MODERN);
        let reply = post
            .header("mcp-method", "tools/call")
            .header("mcp-name", "talk")
            .send()
            .await;
        assert!(
            reply.text.contains(&format!("\"progressToken\":{token},")),
            "{}",
            reply.text
        );
    }
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_lives() {
    let world = World::start().await;
    world.tell(Do::Progress(Progress::new(1.0)));
    let mut stream = Listener::over(modern(&world.ada(), &progress_under(json!(1))).open().await);
    assert_eq!(stream.next().await, told(1, &json!(1)));
    // The server may not yet have begun to wait: time goes on until it has.
    let turning = async {
        loop {
            world.server.clock().advance(SILENCE);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        event = stream.next() => assert_eq!(event, Event::KeepAlive),
        () = turning => {}
    }
    world.tell(Do::Answer);
    assert_eq!(
        stream.message().await["result"]["content"][0]["text"],
        "done"
    );
}

#[tokio::test]
async fn what_a_client_does_not_read_in_time_is_dropped_but_never_the_answer() {
    let world = World::start().await;
    world.tell(Do::Flood(300));
    world.tell(Do::Answer);
    let mut stream = Listener::over(modern(&world.ada(), &log_from("info")).open().await);
    let all = stream.rest().await;
    let expected: Vec<Value> = (0..256).map(Value::from).collect();
    assert_eq!(logged(&all), expected.iter().collect::<Vec<_>>());
    assert_eq!(
        all.last().expect("an answer")["result"]["content"][0]["text"],
        "done"
    );
}

#[tokio::test]
async fn a_modern_client_that_closes_the_stream_cancels_the_call_and_a_legacy_one_does_not() {
    let mut world = World::start().await;
    let ada = world.ada();
    world.tell(Do::Progress(Progress::new(1.0)));
    let mut stream = Listener::over(modern(&ada, &progress_under(json!(1))).open().await);
    stream.message().await;
    drop(stream);
    assert_eq!(world.ended().await, "torn off");
    assert_eq!(world.outcome().await, "cancelled");

    world.tell(Do::Progress(Progress::new(1.0)));
    let mut stream = Listener::over(legacy(&ada, &progress_under(json!(1))).open().await);
    stream.message().await;
    drop(stream);
    // When the server has seen this one leave, it has seen the one before.
    let stay = json!({"name": "stay", "arguments": {}});
    let leaving = tokio::spawn(world.ada().modern("tools/call", stay).send());
    assert_eq!(world.ended().await, "began");
    leaving.abort();
    assert_eq!(world.ended().await, "torn off");
    world.tell(Do::Flood(1_000));
    world.tell(Do::Progress(Progress::new(2.0)));
    world.tell(Do::Answer);
    assert_eq!(world.ended().await, "answered");
    assert_eq!(world.outcome().await, "ok");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_its_call_ends() {
    let limits = Limits {
        reply: Duration::from_millis(200),
        ..Limits::default()
    };
    let mut world = World::start_with(|server| server.limits(limits)).await;
    let bearer = format!("Bearer {}", world.server.token_for("acme", "ada", &[]));
    let mut params = json!({"name": "talk", "arguments": {}, "_meta": meta()});
    params["_meta"]["io.modelcontextprotocol/logLevel"] = json!("info");
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let headers = [
        format!("host: {}", authority(&world.server)),
        format!("authorization: {bearer}"),
        "content-type: application/json".to_owned(),
        "accept: application/json, text/event-stream".to_owned(),
        format!("mcp-protocol-version: {MODERN}"),
        "mcp-method: tools/call".to_owned(),
        "mcp-name: talk".to_owned(),
    ];
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    let mut unread = Raw::connect(&world.server).await;
    unread
        .send(request("POST /mcp", &headers, &message.to_string()))
        .await;
    world.tell(Do::FloodForEver);
    assert_eq!(world.ended().await, "torn off");
    assert_eq!(world.outcome().await, "cancelled");
    drop(unread);
}

#[tokio::test]
async fn a_server_that_stops_lets_a_stream_that_runs_come_to_its_end() {
    let world = World::start().await;
    let ada = world.ada();
    world.tell(Do::Progress(Progress::new(1.0)));
    let mut stream = Listener::over(legacy(&ada, &progress_under(json!(1))).open().await);
    stream.message().await;
    let World { server, todo, .. } = world;
    let stopping = tokio::spawn(server.stop());
    // New calls are refused once it stops.
    let refused = async {
        loop {
            let response = reqwest::Client::new()
                .get(ada.url.replace("/mcp", "/readyz"))
                .send()
                .await;
            if response.is_ok_and(|response| response.status() == 503) {
                return;
            }
        }
    };
    let _ = timeout(Duration::from_secs(1), refused).await;
    todo.send(Do::Progress(Progress::new(2.0))).ok();
    todo.send(Do::Answer).ok();
    assert_eq!(stream.next().await, told(2, &json!(1)));
    assert_eq!(
        stream.message().await["result"]["content"][0]["text"],
        "done"
    );
    assert_eq!(stream.next().await, Event::End);
    timeout(PATIENCE, stopping)
        .await
        .expect("it stops")
        .expect("well");
}

#[tokio::test]
async fn a_legacy_client_hears_from_the_level_on_that_it_set_and_nobody_else_does() {
    let world = World::start().await;
    let ada = world.ada();
    let bob = Wire::with_token(
        &world.server,
        Some(world.server.token_for("acme", "bob", &[])),
    );
    let set = async |params: Value, session: &str| {
        let post = ada
            .legacy("logging/setLevel", params)
            .header("mcp-session-id", session);
        post.send().await
    };
    let calls = async |wire: &Wire, session: &str| {
        world.tell(Do::Log(LogLevel::Info, json!("info")));
        world.tell(Do::Log(LogLevel::Error, json!("error")));
        world.tell(Do::Answer);
        let reply = legacy(wire, &json!({}))
            .header("mcp-session-id", session)
            .send()
            .await;
        reply.text.matches("notifications/message").count()
    };
    assert_eq!(calls(&ada, "one").await, 0);
    assert_eq!(
        set(json!({"level": "error"}), "one").await.body["result"],
        json!({})
    );
    for bad in [
        json!({"level": "ERROR"}),
        json!({"level": 3}),
        json!({"level": null}),
        json!({}),
        json!(["debug"]),
        json!({"Level": "debug"}),
    ] {
        assert_eq!(set(bad.clone(), "one").await.code(), Some(-32602), "{bad}");
    }
    assert_eq!(calls(&ada, "one").await, 1);
    assert_eq!(calls(&ada, "two").await, 0);
    assert_eq!(calls(&bob, "one").await, 0);
    assert_eq!(set(json!({"level": "debug"}), "one").await.status, 200);
    assert_eq!(calls(&ada, "one").await, 2);
}
