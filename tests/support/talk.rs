//! A client that hears what a call says before it answers, and answers what it asks, in both eras.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::testing::TestServer;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
const MODERN: &str = "2026-07-28";
const LEGACY: &str = "2025-11-25";

/// A client of `/mcp`.
pub(crate) struct Talk {
    http: reqwest::Client,
    url: String,
    token: String,
    capabilities: Value,
    /// Once it said `initialize`.
    session: Option<String>,
}

/// Messages of one answer, as they come.
pub(crate) struct Messages {
    response: reqwest::Response,
    unread: String,
    is_stream: bool,
}

impl Talk {
    /// A caller of tenant `acme` whose client can do this.
    pub(crate) fn modern(server: &TestServer, scopes: &[&str], capabilities: Value) -> Self {
        Self {
            http: reqwest::Client::new(),
            url: format!("{}/mcp", server.url()),
            token: server.token_for("acme", "ada", scopes),
            capabilities,
            session: None,
        }
    }

    /// The same in the era of `initialize`.
    pub(crate) async fn legacy(server: &TestServer, scopes: &[&str], capabilities: Value) -> Self {
        let mut talk = Self::modern(server, scopes, json!({}));
        let hello = json!({
            "protocolVersion": LEGACY,
            "capabilities": capabilities,
            "clientInfo": {"name": "talk", "version": "1"},
        });
        talk.session = Some(String::new());
        let hello = talk.send("initialize", hello).await;
        let session = hello.response.headers().get("mcp-session-id");
        let session = session.and_then(|session| session.to_str().ok());
        talk.session = Some(session.unwrap_or_default().to_owned());
        talk
    }

    /// Sends a request with id 1. What is said before its answer is wanted.
    pub(crate) async fn send(&self, method: &str, mut params: Value) -> Messages {
        let meta = match self.session {
            Some(_) => json!({"progressToken": "p"}),
            None => json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
                "io.modelcontextprotocol/logLevel": "debug",
                "progressToken": "p",
            }),
        };
        params["_meta"] = meta;
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.post(&message).await
    }

    /// Sends a message as it is.
    pub(crate) async fn post(&self, message: &Value) -> Messages {
        let mut request = self
            .http
            .post(&self.url)
            .bearer_auth(&self.token)
            .header("accept", "application/json, text/event-stream")
            .header("content-type", "application/json")
            .body(message.to_string());
        match &self.session {
            None => {
                let name = message["params"].get("name");
                let name = name.or_else(|| message["params"].get("uri"));
                let method = message["method"].as_str().unwrap_or_default();
                request = request
                    .header("mcp-protocol-version", MODERN)
                    .header("mcp-method", method);
                if let Some(name) = name.and_then(Value::as_str) {
                    request = request.header("mcp-name", name);
                }
            }
            Some(session) => {
                request = request.header("mcp-protocol-version", LEGACY);
                if !session.is_empty() {
                    request = request.header("mcp-session-id", session);
                }
            }
        }
        let response = request.send().await.expect("an answer");
        let kind = response.headers().get("content-type");
        let is_stream = kind.is_some_and(|kind| kind == "text/event-stream");
        Messages {
            response,
            unread: String::new(),
            is_stream,
        }
    }

    /// The result of a request that is answered without a question.
    pub(crate) async fn result(&self, method: &str, params: Value) -> Value {
        let (_, answer) = self.send(method, params).await.all().await;
        assert!(answer["result"].is_object(), "{answer}");
        answer["result"].clone()
    }
}

impl Messages {
    /// The next message. `None` is the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if self.is_stream
                && let Some((event, rest)) = self.unread.split_once("\n\n")
            {
                let data = event.strip_prefix("event: message\ndata: ");
                let message = data.map(|data| serde_json::from_str(data).expect("JSON"));
                self.unread = rest.to_owned();
                if message.is_some() {
                    return message;
                }
                // A comment.
                continue;
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await;
            match chunk.expect("something in time").expect("no broken answer") {
                Some(chunk) => self.unread.push_str(&String::from_utf8_lossy(&chunk)),
                None => {
                    let whole = std::mem::take(&mut self.unread);
                    return (!whole.is_empty())
                        .then(|| serde_json::from_str(&whole).expect("JSON"));
                }
            }
        }
    }

    /// What was said, and the answer.
    pub(crate) async fn all(mut self) -> (Vec<Value>, Value) {
        let mut said = Vec::new();
        while let Some(message) = self.next().await {
            said.push(message);
        }
        let answer = said.pop().expect("an answer");
        (said, answer)
    }
}
