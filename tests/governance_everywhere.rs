//! The promise that no method goes around governance: each one the server knows, in both eras, over HTTP
//! and on stdio, tells nothing of what is protected to whoever may not have it, and leaves exactly one
//! line in the audit log with the right outcome.
//!
//! The list of methods stands here, with what each one is owed, and is compared with that of the source:
//! a new method fails this test until somebody has said what it may tell and to whom.

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/piped.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod piped;
#[path = "support/wire.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod wire;

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::timeout;
use tollgate::audit::Durability;
use tollgate::auth::{LocalIdentity, Principal};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Prompt, Resource, Suggestions, TaskPolicy, Tool, ToolError};

use piped::Piped;
use wire::{LEGACY, MODERN, Wire, meta};

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
const SCOPE: &str = "secret:read";
/// Stands in every name and in all content that is protected.
const MARK: &str = "classified";

/// What a method does with a target that is there and one that is not.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Runs or opens something: refused for want of scope, 403 over HTTP.
    Guarded,
    /// Tells everybody the same, or each their own part of it: `ok`.
    Open,
    /// No answer: `ok`.
    Notification,
    /// Goes on until its client ends it: `cancelled` then.
    Stream,
    /// Not of this era, or about a task of nobody's: `invalid`. Tasks of others: `tests/tasks.rs`.
    Unknown,
}

use Kind::{Guarded, Notification, Open, Stream, Unknown};

/// Every method: what it is in the era of self-describing messages, and in the one before.
const METHODS: [(&str, Kind, Kind); 20] = [
    ("tools/call", Guarded, Guarded),
    ("tools/list", Open, Open),
    ("resources/read", Guarded, Guarded),
    ("resources/list", Open, Open),
    ("resources/templates/list", Open, Open),
    ("prompts/list", Open, Open),
    ("prompts/get", Guarded, Guarded),
    ("completion/complete", Guarded, Guarded),
    ("logging/setLevel", Unknown, Open),
    ("resources/subscribe", Unknown, Guarded),
    ("resources/unsubscribe", Unknown, Open),
    ("server/discover", Open, Unknown),
    ("subscriptions/listen", Stream, Unknown),
    ("tasks/get", Unknown, Unknown),
    ("tasks/update", Unknown, Unknown),
    ("tasks/cancel", Unknown, Unknown),
    ("initialize", Unknown, Open),
    ("ping", Unknown, Open),
    ("notifications/initialized", Notification, Notification),
    ("notifications/cancelled", Notification, Notification),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Era {
    Modern,
    Legacy,
}

fn kinds() -> impl Iterator<Item = (&'static str, Era, Kind)> {
    METHODS.iter().flat_map(|(method, modern, legacy)| {
        [
            (*method, Era::Modern, *modern),
            (*method, Era::Legacy, *legacy),
        ]
    })
}

/// The parameters that name something: what there is, or what there is not.
fn params(method: &str, there: bool) -> Value {
    let name = if there {
        "classified_thing"
    } else {
        "missing_thing"
    };
    let uri = if there {
        "classified://thing/1"
    } else {
        "missing://thing/1"
    };
    match method {
        "tools/call" | "prompts/get" => json!({"name": name, "arguments": {"id": "1"}}),
        "resources/read" | "resources/subscribe" | "resources/unsubscribe" => json!({"uri": uri}),
        "completion/complete" => json!({
            "ref": {"type": "ref/prompt", "name": name}, "argument": {"name": "id", "value": "c"},
        }),
        "logging/setLevel" => json!({"level": "debug"}),
        "subscriptions/listen" => json!({"notifications": {
            "toolsListChanged": true, "resourcesListChanged": true, "promptsListChanged": true,
            "resourceSubscriptions": [uri],
        }}),
        "initialize" => json!({"protocolVersion": LEGACY, "capabilities": {"elicitation": {}}}),
        "notifications/cancelled" => json!({"requestId": name}),
        "tasks/get" | "tasks/cancel" => json!({"taskId": name}),
        "tasks/update" => json!({"taskId": name, "inputResponses": {}}),
        _ => json!({}),
    }
}

fn message(method: &str, era: Era, kind: Kind, id: &Value, there: bool) -> Value {
    let mut params = params(method, there);
    if era == Era::Modern {
        params["_meta"] = meta();
        if method.starts_with("tasks/") {
            let known = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = known;
        }
    }
    let mut message = json!({"jsonrpc": "2.0", "method": method, "params": params});
    if kind != Notification {
        message["id"] = id.clone();
    }
    message
}

#[derive(Deserialize, JsonSchema)]
struct Id {
    #[serde(default)]
    #[expect(dead_code, reason = "nobody looks")]
    id: String,
}

async fn content(_: CallContext, _: Id) -> Result<String, ToolError> {
    Ok("classified contents".to_owned())
}

fn protected(server: ServerBuilder) -> ServerBuilder {
    let suggest = async |_, _| Ok(Suggestions::new(["classified-value"]));
    let tool = Tool::new("classified_thing", "A classified tool.");
    let template = Resource::new("classified://thing/{id}", "classified_thing");
    let fixed = Resource::new("classified://thing", "classified_too");
    let prompt = Prompt::new("classified_thing", "A classified prompt.");
    server
        .denial_limit(None)
        .tool(tool.scope(SCOPE).task(TaskPolicy::new()).handler(content))
        .resource(
            template
                .scope(SCOPE)
                .complete("id", suggest)
                .handler(content),
        )
        .resource(fixed.scope(SCOPE).handler(content))
        .prompt(prompt.scope(SCOPE).complete("id", suggest).handler(content))
}

/// The log in a folder of its own.
struct Log {
    file: PathBuf,
    seen: usize,
    _folder: TempDir,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            file: folder.path().join("audit.jsonl"),
            seen: 0,
            _folder: folder,
        }
    }

    fn kept(&self, server: ServerBuilder) -> ServerBuilder {
        server.audit(audit::settings(&self.file, Durability::Strict))
    }

    /// The lines of calls that ended since the last look.
    fn new_lines(&mut self) -> Vec<Value> {
        let lines = calls(&self.file).split_off(self.seen);
        self.seen += lines.len();
        lines
    }

    /// What the next call came to, which may still have to end.
    async fn only_line(&mut self, what: &str) -> Value {
        let looking = async {
            loop {
                let mut lines = self.new_lines();
                match lines.len() {
                    0 => tokio::task::yield_now().await,
                    1 => return lines.remove(0),
                    _ => panic!("{what}: {lines:?}"),
                }
            }
        };
        let found = timeout(PATIENCE, looking).await;
        found.unwrap_or_else(|_| panic!("{what}: no line"))
    }
}

fn calls(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("a log");
    // The last line may be half written.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["kind"] == "call").collect()
}

/// Nothing of what is protected, but what the caller said itself and the scope that it would need.
#[track_caller]
fn tells_nothing(text: &str, what: &str) {
    let rest = text
        .replace("classified_thing", "")
        .replace("classified://thing/1", "");
    assert!(!rest.contains(MARK), "{what}: {text}");
}

/// An answer without what differs from call to call, and with one name for what was asked for.
fn comparable(text: &str) -> String {
    let text = text.replace("missing", MARK);
    match serde_json::from_str::<Value>(&text) {
        Ok(mut answer) => {
            if let Some(data) = answer.pointer_mut("/error/data/callId") {
                *data = json!("[call]");
            }
            answer.to_string()
        }
        Err(_) => text,
    }
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Guarded => "denied",
        Open | Notification => "ok",
        Stream => "cancelled",
        Unknown => "invalid",
    }
}

#[test]
fn the_list_here_is_that_of_the_source() {
    let source = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/mcp.rs"));
    let source = source.expect("the source");
    let (_, list) = source
        .split_once("const METHODS: [&str; ")
        .expect("the list");
    let (list, _) = list.split_once("];").expect("its end");
    let (_, list) = list.split_once('[').expect("its begin");
    let known: Vec<&str> = list.split('"').skip(1).step_by(2).collect();
    let here: Vec<&str> = METHODS.iter().map(|(method, ..)| *method).collect();
    assert_eq!(here, known);
    // And every method that is matched anywhere in the dispatch is in that list.
    for line in source
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("(\""))
    {
        let method = line.split('"').nth(1).expect("a method");
        assert!(
            known.contains(&method),
            "{method} is dispatched and not in METHODS"
        );
    }
}

struct Http {
    server: TestServer,
    log: Log,
}

impl Http {
    async fn start() -> Self {
        let log = Log::new();
        let server = TestServer::start(|server| log.kept(protected(server))).await;
        Self { server, log }
    }

    fn post(&self, wire: &Wire, method: &str, era: Era, kind: Kind, there: bool) -> wire::Post {
        let message = message(method, era, kind, &json!(1), there);
        let post = wire.body(message.to_string());
        if era == Era::Legacy {
            return post.header("mcp-protocol-version", LEGACY);
        }
        let name = message["params"]
            .get("name")
            .or_else(|| message["params"].get("uri"))
            .or_else(|| message["params"].get("taskId"));
        let post = post
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        match name.and_then(Value::as_str) {
            Some(name) => post.header("mcp-name", name),
            None => post,
        }
    }
}

#[tokio::test]
async fn over_http_nobody_learns_anything_without_credentials() {
    let mut http = Http::start().await;
    for token in [None, Some("nonsense".to_owned())] {
        let nobody = Wire::with_token(&http.server, token.clone());
        // Only so many lines a minute go to those who are nobody.
        http.server.clock().advance(Duration::from_secs(60));
        let mut first = None;
        for (method, era, kind) in kinds() {
            let what = format!("{method} {era:?} {token:?}");
            for there in [true, false] {
                let reply = http.post(&nobody, method, era, kind, there).send().await;
                assert_eq!((reply.status, reply.code()), (401, Some(40101)), "{what}");
                // The same for everything, whatever there is and whatever was asked.
                let text = comparable(&reply.text);
                assert_eq!(*first.get_or_insert_with(|| text.clone()), text, "{what}");
                assert!(!text.contains(MARK), "{what}");
                let line = http.log.only_line(&what).await;
                assert_eq!(line["outcome"], "denied", "{what}: {line}");
                assert!(!line.to_string().contains(MARK), "{what}: {line}");
            }
        }
    }
}

#[tokio::test]
async fn over_http_nobody_learns_anything_without_the_scope() {
    let mut http = Http::start().await;
    let stranger = Wire::of(&http.server, &["other"]);
    for (method, era, kind) in kinds() {
        let mut texts = Vec::new();
        for there in [true, false] {
            let what = format!("{method} {era:?} there: {there}");
            let post = http.post(&stranger, method, era, kind, there);
            if kind == Stream {
                let mut response = post.open().await;
                let first = response
                    .chunk()
                    .await
                    .expect("a stream")
                    .expect("a message");
                let first = String::from_utf8_lossy(&first).into_owned();
                tells_nothing(&first, &what);
                assert!(!first.contains("resourceSubscriptions"), "{what}: {first}");
                texts.push(first);
                drop(response);
            } else {
                let reply = post.send().await;
                tells_nothing(&reply.text, &what);
                match kind {
                    Guarded if there => {
                        assert_eq!((reply.status, reply.code()), (403, Some(40301)), "{what}");
                        let challenge = reply.header("www-authenticate").unwrap_or_default();
                        assert!(
                            challenge.contains("insufficient_scope"),
                            "{what}: {challenge}"
                        );
                    }
                    Guarded => assert_eq!(reply.status, 200, "{what}: {}", reply.text),
                    Unknown => assert!(reply.code().is_some(), "{what}: {}", reply.text),
                    Notification => assert_eq!((reply.status, &*reply.text), (202, ""), "{what}"),
                    _ => assert_eq!(reply.code(), None, "{what}: {}", reply.text),
                }
                if kind != Guarded && method != "initialize" {
                    texts.push(comparable(&reply.text));
                }
            }
            let line = http.log.only_line(&what).await;
            let outcome = if kind == Guarded && !there {
                "invalid"
            } else {
                expected(kind)
            };
            assert_eq!(line["outcome"], outcome, "{what}: {line}");
            assert_eq!(line["method"], method, "{what}: {line}");
            assert_eq!(line["subject"], "ada", "{what}: {line}");
        }
        assert!(
            texts.windows(2).all(|two| two[0] == two[1]),
            "{method} {era:?}: {texts:?}"
        );
    }
}

#[tokio::test]
async fn over_http_who_has_the_scope_gets_it_with_one_line_of_its_own() {
    let mut http = Http::start().await;
    let holder = Wire::of(&http.server, &[SCOPE]);
    for (method, era, kind) in kinds() {
        let what = format!("{method} {era:?}");
        if kind == Stream {
            let mut response = http.post(&holder, method, era, kind, true).open().await;
            let first = response
                .chunk()
                .await
                .expect("a stream")
                .expect("a message");
            let first = String::from_utf8_lossy(&first).into_owned();
            assert!(
                first.contains("\"resourceSubscriptions\":[\"classified://thing/1\"]"),
                "{first}"
            );
        } else {
            let reply = http.post(&holder, method, era, kind, true).send().await;
            let text = &reply.text;
            let tells = matches!(kind, Guarded if method != "resources/subscribe")
                || method.ends_with("/list");
            assert_eq!(text.contains(MARK), tells, "{what}: {text}");
        }
        let line = http.log.only_line(&what).await;
        let outcome = if kind == Guarded {
            "ok"
        } else {
            expected(kind)
        };
        assert_eq!(line["outcome"], outcome, "{what}: {line}");
        assert_eq!(line["method"], method, "{what}: {line}");
    }
}

/// What comes before the answer to a `ping` after this message, and the lines of the message.
fn said(client: &mut Piped, log: &mut Log, message: &Value) -> (Vec<Value>, Vec<Value>) {
    let mark = json!("mark");
    client.send(message);
    let mut said = Vec::new();
    // The order of answers is not that of requests; the one that is owed is waited for first.
    if message.get("id").is_some() {
        said.push(client.line());
    }
    if message["method"] == "subscriptions/listen" {
        let id = &message["id"];
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}));
    }
    client.send(&json!({"jsonrpc": "2.0", "id": mark, "method": "ping"}));
    loop {
        let line = client.line();
        if line["id"] == mark {
            break;
        }
        said.push(line);
    }
    let mut lines = Vec::new();
    // A subscription and the notification that ends it are two.
    let owed = if message["method"] == "subscriptions/listen" {
        3
    } else {
        2
    };
    for _ in 0..20_000 {
        lines.extend(log.new_lines());
        if lines.len() >= owed {
            break;
        }
        std::thread::yield_now();
    }
    assert_eq!(lines.len(), owed, "{message}: {lines:?}");
    let method = &message["method"];
    let is_own = |line: &Value| line["method"] == *method;
    let at = lines.iter().position(is_own).unwrap_or(0);
    (said, vec![lines.remove(at)])
}

fn on_stdio(identity: Option<&[&str]>) -> (Piped, Log) {
    let log = Log::new();
    let client = Piped::start(|server| {
        let server = log.kept(protected(server));
        match identity {
            Some(scopes) => {
                let me = Principal::configured("acme", "me", scopes).expect("good names");
                server.local(LocalIdentity::Principal(me))
            }
            None => server,
        }
    });
    (client, log)
}

#[test]
fn on_stdio_nobody_learns_anything_without_the_scope() {
    let (mut client, mut log) = on_stdio(Some(&["other"]));
    for (method, era, kind) in kinds() {
        let mut texts = Vec::new();
        for there in [true, false] {
            let what = format!("{method} {era:?} there: {there}");
            let message = message(method, era, kind, &json!("mine"), there);
            let (said, lines) = said(&mut client, &mut log, &message);
            let text = said.first().map(Value::to_string).unwrap_or_default();
            tells_nothing(&text, &what);
            let code = said.first().and_then(|said| said["error"]["code"].as_i64());
            match kind {
                Guarded if there => assert_eq!(code, Some(40301), "{what}: {text}"),
                Guarded | Unknown => assert!(code.is_some(), "{what}: {text}"),
                Notification => assert!(said.is_empty(), "{what}: {text}"),
                Open | Stream => assert_eq!(code, None, "{what}: {text}"),
            }
            if kind != Guarded {
                texts.push(comparable(&text));
            }
            let outcome = if kind == Guarded && !there {
                "invalid"
            } else {
                expected(kind)
            };
            assert_eq!(lines[0]["outcome"], outcome, "{what}: {lines:?}");
            assert_eq!(lines[0]["method"], method, "{what}: {lines:?}");
        }
        assert!(
            texts.windows(2).all(|two| two[0] == two[1]),
            "{method} {era:?}: {texts:?}"
        );
    }
}

#[test]
fn on_stdio_nobody_is_served_without_an_identity() {
    let (mut client, mut log) = on_stdio(None);
    for (method, era, kind) in kinds() {
        let what = format!("{method} {era:?}");
        client.send(&message(method, era, kind, &json!("mine"), true));
        if kind != Notification {
            let said = client.line();
            assert_eq!(said["error"]["code"], 40101, "{what}: {said}");
            assert!(!said.to_string().contains(MARK), "{what}: {said}");
        }
        let line = client.runtime.block_on(log.only_line(&what));
        assert_eq!(line["outcome"], "denied", "{what}: {line}");
        assert!(!line.to_string().contains(MARK), "{what}: {line}");
    }
}
