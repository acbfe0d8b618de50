//! The requests that both servers get: good ones, borderline ones, broken ones, of both eras.

use serde_json::{Map, Value, json};

const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";
const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
const CLIENT: &str = "io.modelcontextprotocol/clientInfo";

/// One request, under the name that the table of differences knows it by.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) http_method: &'static str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Case {
    fn body(name: &str, body: impl Into<Vec<u8>>) -> Self {
        let case = Self {
            name: name.to_owned(),
            http_method: "POST",
            headers: Vec::new(),
            body: body.into(),
        };
        case.header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    fn with(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    fn sent_by(mut self, http_method: &'static str) -> Self {
        self.http_method = http_method;
        self.body.clear();
        self
    }
}

fn meta() -> Value {
    json!({VERSION: MODERN, CAPABILITIES: {}, CLIENT: {"name": "differential", "version": "1"}})
}

/// A message with the headers of 2026-07-28 that belong to it; its name begins with `modern: `.
fn modern(name: &str, message: &Value) -> Case {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut case = Case::body(&format!("modern: {name}"), message.to_string())
        .header("mcp-protocol-version", MODERN);
    if let Some(method) = text(&message["method"]) {
        case = case.header("mcp-method", &method);
    }
    let params = &message["params"];
    if let Some(named) = text(&params["name"]).or_else(|| text(&params["uri"])) {
        case = case.header("mcp-name", &named);
    }
    case
}

fn message(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// A good request of 2026-07-28 with these parameters; `_meta` is added where it is missing.
fn ask(name: &str, method: &str, mut params: Value) -> Case {
    if let Some(params) = params.as_object_mut() {
        params.entry("_meta").or_insert_with(meta);
    }
    modern(name, &message(method, params))
}

fn greet(arguments: Value) -> Value {
    json!({"name": "greet", "arguments": arguments})
}

fn ada() -> Value {
    greet(json!({"name": "Ada"}))
}

/// A good call whose message is bent.
fn bent(name: &str, bend: impl FnOnce(&mut Map<String, Value>)) -> Case {
    let mut params = ada();
    params["_meta"] = meta();
    let mut message = message("tools/call", params);
    bend(message.as_object_mut().expect("an object"));
    modern(name, &message)
}

/// A good call whose `_meta` is bent.
fn bent_meta(name: &str, bend: impl FnOnce(&mut Map<String, Value>)) -> Case {
    bent(name, |message| {
        bend(
            message["params"]["_meta"]
                .as_object_mut()
                .expect("an object"),
        );
    })
}

fn modern_methods() -> Vec<Case> {
    let none = || json!({});
    vec![
        ask("server/discover", "server/discover", none()),
        ask("tools/list", "tools/list", none()),
        ask(
            "tools/list, a cursor that nobody gave out",
            "tools/list",
            json!({"cursor": "bogus"}),
        ),
        ask("tools/call", "tools/call", ada()),
        ask(
            "tools/call, no arguments needed and none given",
            "tools/call",
            json!({"name": "numbers"}),
        ),
        ask(
            "tools/call, a tool that says no",
            "tools/call",
            json!({"name": "refuse"}),
        ),
        ask(
            "tools/call, an unknown tool",
            "tools/call",
            json!({"name": "nobody"}),
        ),
        ask(
            "tools/call, an argument missing",
            "tools/call",
            greet(json!({})),
        ),
        ask(
            "tools/call, an argument of a wrong type",
            "tools/call",
            greet(json!({"name": 1})),
        ),
        ask(
            "tools/call, an argument too many",
            "tools/call",
            greet(json!({"name": "Ada", "more": 1})),
        ),
        ask(
            "tools/call, arguments are a list",
            "tools/call",
            greet(json!([])),
        ),
        ask(
            "tools/call, arguments are null",
            "tools/call",
            greet(json!(null)),
        ),
        ask(
            "tools/call, no name",
            "tools/call",
            json!({"arguments": {}}),
        ),
        ask(
            "tools/call, the name is a number",
            "tools/call",
            json!({"name": 1, "arguments": {}}),
        ),
        ask("resources/list", "resources/list", none()),
        ask(
            "resources/templates/list",
            "resources/templates/list",
            none(),
        ),
        ask(
            "resources/read",
            "resources/read",
            json!({"uri": "about://shop"}),
        ),
        ask(
            "resources/read, an unknown resource",
            "resources/read",
            json!({"uri": "about://nothing"}),
        ),
        ask("resources/read, no uri", "resources/read", none()),
        ask("an unknown method", "tools/burn", none()),
        ask("tools/list in capitals", "TOOLS/LIST", none()),
        ask("ping, which was removed", "ping", none()),
        ask(
            "initialize, which was removed",
            "initialize",
            json!({
            "protocolVersion": MODERN, "capabilities": {}, "clientInfo": {"name": "differential", "version": "1"}}),
        ),
        ask(
            "resources/subscribe, which was removed",
            "resources/subscribe",
            json!({"uri": "about://shop"}),
        ),
        ask(
            "tasks/get without the extension",
            "tasks/get",
            json!({"taskId": "1"}),
        )
        .header("mcp-name", "1"),
    ]
}

fn modern_messages() -> Vec<Case> {
    let set = |member: &'static str, value: Value| {
        move |message: &mut Map<String, Value>| drop(message.insert(member.to_owned(), value))
    };
    let take =
        |member: &'static str| move |message: &mut Map<String, Value>| drop(message.remove(member));
    vec![
        bent("the id is text", set("id", json!("a"))),
        bent("the id is null", set("id", json!(null))),
        bent("the id is a fraction", set("id", json!(1.5))),
        bent("the id is true", set("id", json!(true))),
        bent("the id is an object", set("id", json!({}))),
        bent(
            "the id is 2^53",
            set("id", json!(9_007_199_254_740_992_u64)),
        ),
        bent("no id, so a notification of a request's method", take("id")),
        bent("no jsonrpc", take("jsonrpc")),
        bent("jsonrpc 1.0", set("jsonrpc", json!("1.0"))),
        bent("no method", take("method")),
        bent("the method is a number", set("method", json!(1))),
        bent("a member too many", set("more", json!(1))),
        bent("no params", take("params")),
        bent("params are null", set("params", json!(null))),
        bent("params are a list", set("params", json!([]))),
        bent_meta("no version in _meta", take(VERSION)),
        bent_meta(
            "the version in _meta is a number",
            set(VERSION, json!(2026)),
        ),
        bent_meta(
            "an unknown version in _meta",
            set(VERSION, json!("2099-01-01")),
        ),
        bent_meta(
            "an unknown version in _meta and header",
            set(VERSION, json!("2099-01-01")),
        )
        .with("mcp-protocol-version", "2099-01-01"),
        bent_meta("no capabilities in _meta", take(CAPABILITIES)),
        bent_meta("capabilities are null", set(CAPABILITIES, json!(null))),
        bent_meta("capabilities are a list", set(CAPABILITIES, json!([]))),
        bent_meta("no client info, which only should be there", take(CLIENT)),
        bent_meta(
            "the client info is text",
            set(CLIENT, json!("differential")),
        ),
        bent_meta("a progress token", set("progressToken", json!("p"))),
        bent_meta(
            "a member of somebody else in _meta",
            set("com.example/x", json!(1)),
        ),
        bent("no _meta", |message| {
            drop(
                message["params"]
                    .as_object_mut()
                    .expect("an object")
                    .remove("_meta"),
            );
        }),
        bent("_meta is text", |message| {
            message["params"]["_meta"] = json!("x")
        }),
    ]
}

fn modern_headers() -> Vec<Case> {
    let call = |name: &str| ask(name, "tools/call", ada());
    vec![
        call("no version header").without("mcp-protocol-version"),
        call("a version header of the other era").with("mcp-protocol-version", LEGACY),
        call("a version header twice").header("mcp-protocol-version", MODERN),
        call("no method header").without("mcp-method"),
        call("another method in the header").with("mcp-method", "tools/list"),
        call("the method header in capitals").with("mcp-method", "TOOLS/CALL"),
        call("no name header").without("mcp-name"),
        call("another name in the header").with("mcp-name", "numbers"),
        call("the name header in Base64").with("mcp-name", "=?base64?Z3JlZXQ=?="),
        call("the name header in broken Base64").with("mcp-name", "=?base64?%%%?="),
        ask(
            "a name header where there is none in the body",
            "tools/list",
            json!({}),
        )
        .header("mcp-name", "greet"),
        ask(
            "a session id, which has no meaning",
            "tools/list",
            json!({}),
        )
        .header("mcp-session-id", "1"),
    ]
}

/// What belongs to HTTP and not to an era. The message is a good one of 2026-07-28.
fn http() -> Vec<Case> {
    let call = |name: &str| {
        let mut case = ask("", "tools/call", ada());
        case.name = format!("http: {name}");
        case
    };
    vec![
        call("no content type").without("content-type"),
        call("a content type of text").with("content-type", "text/plain"),
        call("a content type with a charset")
            .with("content-type", "application/json; charset=utf-8"),
        call("a content type in capitals").with("content-type", "Application/JSON"),
        call("no accept").without("accept"),
        call("accept of JSON alone").with("accept", "application/json"),
        call("accept of event streams alone").with("accept", "text/event-stream"),
        call("accept of anything").with("accept", "*/*"),
        call("accept of HTML").with("accept", "text/html"),
        call("a host of somebody else").with("host", "evil.example"),
        call("an origin of somebody else").with("origin", "https://evil.example"),
        call("the origin null").with("origin", "null"),
        call("GET")
            .sent_by("GET")
            .with("accept", "text/event-stream"),
        call("DELETE").sent_by("DELETE"),
        call("PUT").sent_by("PUT"),
        call("OPTIONS").sent_by("OPTIONS"),
    ]
}

/// Bodies that are no message at all, and messages that ask for nothing, in both eras.
fn bodies(era: &str, version: &str) -> Vec<Case> {
    let body = |name: &str, body: &[u8]| {
        Case::body(&format!("{era}: {name}"), body).header("mcp-protocol-version", version)
    };
    let notice = |name: &str, method: &str| {
        let mut message = json!({"jsonrpc": "2.0", "method": method});
        if version == MODERN {
            message["params"] = json!({"_meta": meta()});
        }
        body(name, message.to_string().as_bytes()).header("mcp-method", method)
    };
    let listed = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{"_meta":{}}}}}"#,
        meta()
    );
    let list = |name: &str, body_text: String| {
        body(name, body_text.as_bytes()).header("mcp-method", "tools/list")
    };
    vec![
        body("an empty body", b""),
        body("a body that is not JSON", b"{"),
        body("a body that is not UTF-8", b"{\"jsonrpc\":\"\xff\"}"),
        body("a body that is text in JSON", b"\"tools/list\""),
        body("an empty object", b"{}"),
        body("an empty batch", b"[]"),
        list("a batch of one", format!("[{listed}]")),
        list("something after the message", format!("{listed} x")),
        list("two messages", format!("{listed}\n{listed}")),
        list("a byte order mark first", format!("\u{feff}{listed}")),
        list(
            "the id twice",
            listed.replacen("\"id\":1", "\"id\":1,\"id\":2", 1),
        ),
        list(
            "the method twice",
            listed.replacen("\"id\":1", "\"id\":1,\"method\":\"tools/burn\"", 1),
        ),
        notice("notifications/initialized", "notifications/initialized"),
        notice("an unknown notification", "notifications/unknown"),
        notice("a notification of a request's method", "tools/list"),
        body(
            "a result that nobody asked for",
            br#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
        ),
        body(
            "an error that nobody asked for",
            br#"{"jsonrpc":"2.0","id":9,"error":{"code":-1,"message":"x"}}"#,
        ),
    ]
}

/// A request after `initialize` with 2025-11-25.
fn legacy(name: &str, method: &str, params: Value) -> Case {
    Case::body(
        &format!("legacy: {name}"),
        message(method, params).to_string(),
    )
    .header("mcp-protocol-version", LEGACY)
}

fn hello(name: &str, version: &str) -> Case {
    let client = json!({"name": "differential", "version": "1"});
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
    legacy(name, "initialize", params).without("mcp-protocol-version")
}

fn legacy_requests() -> Vec<Case> {
    let none = || json!({});
    let params = |name: &str, params: Value| {
        legacy(name, "initialize", params).without("mcp-protocol-version")
    };
    vec![
        hello("initialize", LEGACY),
        hello("initialize with 2025-06-18", "2025-06-18"),
        hello("initialize with 2024-11-05", "2024-11-05"),
        hello("initialize with a version of the future", "2099-01-01"),
        hello("initialize with the modern version", MODERN),
        params(
            "initialize without a client's name",
            json!({"protocolVersion": LEGACY, "capabilities": {}}),
        ),
        params("initialize without parameters", none()),
        legacy("ping", "ping", none()),
        legacy("tools/list", "tools/list", none()),
        legacy(
            "tools/list, a cursor that nobody gave out",
            "tools/list",
            json!({"cursor": "bogus"}),
        ),
        legacy("tools/call", "tools/call", ada()),
        legacy(
            "tools/call, structured content that is a list",
            "tools/call",
            json!({"name": "numbers"}),
        ),
        legacy(
            "tools/call, a tool that says no",
            "tools/call",
            json!({"name": "refuse"}),
        ),
        legacy(
            "tools/call, an unknown tool",
            "tools/call",
            json!({"name": "nobody"}),
        ),
        legacy(
            "tools/call, an argument missing",
            "tools/call",
            greet(none()),
        ),
        legacy(
            "tools/call, arguments are a list",
            "tools/call",
            greet(json!([])),
        ),
        legacy("tools/call, no name", "tools/call", none()),
        legacy("tools/call, no parameters", "tools/call", json!(null)),
        legacy("resources/list", "resources/list", none()),
        legacy(
            "resources/read",
            "resources/read",
            json!({"uri": "about://shop"}),
        ),
        legacy(
            "resources/read, an unknown resource",
            "resources/read",
            json!({"uri": "about://nothing"}),
        ),
        legacy("an unknown method", "tools/burn", none()),
        legacy("server/discover", "server/discover", none()),
        legacy(
            "subscriptions/listen",
            "subscriptions/listen",
            json!({"notifications": {}}),
        ),
        legacy("tools/list, no version header", "tools/list", none())
            .without("mcp-protocol-version"),
        legacy(
            "tools/list, an unknown version header",
            "tools/list",
            none(),
        )
        .with("mcp-protocol-version", "2099-01-01"),
        legacy(
            "tools/list, the modern version header",
            "tools/list",
            none(),
        )
        .with("mcp-protocol-version", MODERN),
        legacy("tools/list, a header of 2024-11-05", "tools/list", none())
            .with("mcp-protocol-version", "2024-11-05"),
        legacy(
            "tools/list, a session id that nobody gave out",
            "tools/list",
            none(),
        )
        .header("mcp-session-id", "1"),
        legacy(
            "tools/list, headers of the modern era",
            "tools/list",
            none(),
        )
        .header("mcp-method", "tools/call"),
    ]
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = modern_methods();
    cases.extend(modern_messages());
    cases.extend(modern_headers());
    cases.extend(bodies("modern", MODERN));
    cases.extend(http());
    cases.extend(legacy_requests());
    cases.extend(bodies("legacy", LEGACY));
    let batch = message("ping", json!({}));
    let batch = Case::body("legacy: a batch of 2025-03-26", format!("[{batch}]"));
    cases.push(batch.header("mcp-protocol-version", "2025-03-26"));
    cases
}
