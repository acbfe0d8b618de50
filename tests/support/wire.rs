//! A server with small tools, and messages to it: whole ones, or with any part bent.
//!
//! A message is sent exactly as built, so that a test can leave out a header, send it twice, or
//! write a body that is no JSON. Whatever comes back is held to what every answer owes: a call id,
//! the same in the header and in the error, on one line.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::{CallContext, Quota, Resource, Tool, ToolError};

pub(crate) const MODERN: &str = "2026-07-28";
pub(crate) const LEGACY: &str = "2025-11-25";
/// All scopes that the tools below ask for.
pub(crate) const SCOPES: [&str; 4] = ["greet", "notes", "vault:open", "vault:read"];

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Deserialize, JsonSchema)]
struct Name {
    /// Whom to greet.
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct NoteId {
    id: String,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    greeting: String,
}

#[derive(Serialize, JsonSchema)]
struct Caller {
    tenant: String,
    subject: String,
    scopes: Vec<String>,
}

async fn whoami(call: CallContext, _: Nothing) -> Result<Caller, ToolError> {
    let principal = call.principal();
    Ok(Caller {
        tenant: principal.tenant().to_owned(),
        subject: principal.subject().to_owned(),
        scopes: principal.scopes().iter().map(ToString::to_string).collect(),
    })
}

async fn note(call: CallContext, args: NoteId) -> Result<String, ToolError> {
    match args.id.as_str() {
        "1" => Ok(format!("a note of {}", call.principal().tenant())),
        _ => Err(ToolError::not_found("no such note")),
    }
}

/// Adds the tools and resources that the tests call. `count` counts the runs of `tick`.
pub(crate) fn shop(builder: ServerBuilder, count: Arc<AtomicUsize>) -> ServerBuilder {
    builder
        .tool(
            Tool::new("greet", "Greets.")
                .title("Greeting")
                .scope("greet")
                .handler(async |_: CallContext, args: Name| {
                    Ok(Greeting {
                        greeting: format!("Hello {}", args.name),
                    })
                }),
        )
        .tool(
            Tool::new("limited", "Two calls each ten seconds.")
                .scope("greet")
                .quota(Quota::per(2, Duration::from_secs(10)))
                .handler(async |_: CallContext, _: Nothing| Ok("let in".to_owned())),
        )
        .tool(
            Tool::new("vault", "Needs two scopes.")
                .scopes(["vault:open", "vault:read"])
                .handler(async |_: CallContext, _: Nothing| Ok(json!({"gold": 1}).to_string())),
        )
        .tool(
            Tool::new("numbers", "A list.")
                .any_authenticated()
                .handler(async |_: CallContext, _: Nothing| Ok(vec![1_u32, 2, 3])),
        )
        .tool(
            Tool::new("whoami", "Who calls.")
                .any_authenticated()
                .handler(whoami),
        )
        .tool(Tool::new("refuse", "Says no.").any_authenticated().handler(
            async |_: CallContext, _: Nothing| {
                Err::<String, _>(ToolError::refused("not on a Sunday"))
            },
        ))
        .tool(
            Tool::new("tick", "Counts its runs.")
                .any_authenticated()
                .handler_with(
                    count,
                    async |count: Arc<AtomicUsize>, _: CallContext, _: Nothing| {
                        Ok(count.fetch_add(1, Ordering::SeqCst) + 1)
                    },
                ),
        )
        .resource(
            Resource::new("notes://{id}", "note")
                .scope("notes")
                .mime_type("text/plain")
                .handler(note),
        )
        .resource(
            Resource::new("about://shop", "about")
                .any_authenticated()
                .handler(async |_: CallContext, _: Nothing| Ok(json!({"open": true}).to_string())),
        )
}

/// A server with these tools.
pub(crate) async fn shop_server() -> TestServer {
    TestServer::start(|server| shop(server, Arc::default())).await
}

/// The `_meta` of a good modern request.
pub(crate) fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
    })
}

/// A client of `/mcp`.
#[derive(Clone)]
pub(crate) struct Wire {
    http: reqwest::Client,
    pub(crate) url: String,
    token: Option<String>,
}

impl Wire {
    /// A caller of tenant `acme` with `scopes`.
    pub(crate) fn of(server: &TestServer, scopes: &[&str]) -> Self {
        Self::with_token(server, Some(server.token_for("acme", "ada", scopes)))
    }

    pub(crate) fn with_token(server: &TestServer, token: Option<String>) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: format!("{}/mcp", server.url()),
            token,
        }
    }

    /// A good request with id 1. `params` gets a `_meta` unless it has one.
    pub(crate) fn modern(&self, method: &str, mut params: Value) -> Post {
        if params.get("_meta").is_none() {
            params["_meta"] = meta();
        }
        let name = params.get("name").or_else(|| params.get("uri"));
        let name = name.and_then(Value::as_str).map(str::to_owned);
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut post = self
            .body(message.to_string())
            .header("mcp-protocol-version", MODERN)
            .header("mcp-method", method);
        if let Some(name) = name {
            post = post.header("mcp-name", &name);
        }
        post
    }

    /// A good request after `initialize` with 2025-11-25, with id 1.
    pub(crate) fn legacy(&self, method: &str, params: Value) -> Post {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.body(message.to_string())
            .header("mcp-protocol-version", LEGACY)
    }

    /// A tool call that must go well; sent after an attack to see that the server lives.
    pub(crate) async fn still_works(&self) {
        let call = json!({"name": "whoami", "arguments": {}});
        let reply = self.modern("tools/call", call).send().await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.body["result"]["isError"], false, "{}", reply.text);
    }

    /// Any body, with the headers that do not belong to a protocol revision.
    pub(crate) fn body(&self, body: impl Into<Vec<u8>>) -> Post {
        let post = Post {
            http: self.http.clone(),
            url: self.url.clone(),
            headers: Vec::new(),
            body: body.into(),
        };
        let post = post
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        match &self.token {
            Some(token) => post.header("authorization", &format!("Bearer {token}")),
            None => post,
        }
    }
}

/// A request in the making.
#[derive(Clone)]
pub(crate) struct Post {
    http: reqwest::Client,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Post {
    /// One more header, also when it is there already.
    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.raw_header(name, value.as_bytes())
    }

    pub(crate) fn raw_header(mut self, name: &str, value: &[u8]) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// A header with another value, or a new one.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// The same message under another id, written as JSON.
    pub(crate) fn id(mut self, id: &str) -> Self {
        let text = String::from_utf8(self.body).expect("a message in UTF-8");
        self.body = text.replacen("\"id\":1", &format!("\"id\":{id}"), 1).into();
        self
    }

    /// Sends it; what comes back is read by the test.
    pub(crate) async fn open(self) -> reqwest::Response {
        let mut request = self.http.post(self.url).body(self.body);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn send(self) -> Reply {
        let response = self.open().await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("the whole answer");
        Reply::checked(status, headers, text)
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The text as JSON, or null.
    pub(crate) body: Value,
}

impl Reply {
    fn checked(status: u16, headers: HeaderMap, text: String) -> Self {
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let call_id = headers.get("tollgate-call-id").map(|id| id.as_bytes());
        let call_id = call_id.expect("every answer names its call");
        if let Some(error) = body.get("error") {
            let told = error["data"]["callId"].as_str();
            assert_eq!(told.map(str::as_bytes), Some(call_id), "{text}");
            assert!(error["message"].is_string(), "{text}");
        }
        assert!(body.is_null() || body["jsonrpc"] == "2.0", "{text}");
        assert!(body.is_null() || !text.contains('\n'), "one line: {text}");
        Self {
            status,
            headers,
            text,
            body,
        }
    }

    /// The JSON-RPC error's code.
    pub(crate) fn code(&self) -> Option<i64> {
        self.body["error"]["code"].as_i64()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The text of a tool's answer.
    pub(crate) fn tool_text(&self) -> &str {
        let text = &self.body["result"]["content"][0]["text"];
        text.as_str()
            .unwrap_or_else(|| panic!("no text: {}", self.text))
    }

    /// The answer, readable, with what differs from run to run replaced.
    pub(crate) fn shown(&self) -> String {
        let call_id = self.header("tollgate-call-id").unwrap_or_default();
        let body = serde_json::to_string_pretty(&self.body).expect("JSON");
        let body = body.replace(call_id, "[call]");
        let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
        body.replace(&version, "\"version\": \"[version]\"")
    }
}
