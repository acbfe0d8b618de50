//! A client that listens: opens a subscription over HTTP and reads its events as they come.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate::testing::TestServer;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);
const MODERN: &str = "2026-07-28";

/// What comes on the stream.
#[derive(Debug, PartialEq)]
pub(crate) enum Event {
    Message(Value),
    KeepAlive,
    End,
}

/// One stream.
pub(crate) struct Listener {
    response: reqwest::Response,
    unread: String,
}

/// The message that asks for `wanted` under `id`.
pub(crate) fn ask(id: &Value, wanted: &Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"notifications": wanted, "_meta": meta});
    json!({"jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": params})
}

/// The result that says the server ended the subscription.
pub(crate) fn goodbye(id: &Value) -> Value {
    let server = json!({"name": "tollgate", "version": env!("CARGO_PKG_VERSION")});
    let meta = json!({
        "io.modelcontextprotocol/serverInfo": server,
        "io.modelcontextprotocol/subscriptionId": id,
    });
    json!({"jsonrpc": "2.0", "id": id, "result": {"resultType": "complete", "_meta": meta}})
}

/// The message that says a list changed.
pub(crate) fn changed(list: &str, id: &Value) -> Value {
    let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
    let method = format!("notifications/{list}/list_changed");
    json!({"jsonrpc": "2.0", "method": method, "params": {"_meta": meta}})
}

/// Sends the request, whatever comes of it.
pub(crate) async fn post(server: &TestServer, token: &str, message: &Value) -> reqwest::Response {
    let request = reqwest::Client::new()
        .post(format!("{}/mcp", server.url()))
        .bearer_auth(token)
        .header("accept", "application/json, text/event-stream")
        .header("content-type", "application/json")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "subscriptions/listen")
        .body(message.to_string());
    request.send().await.expect("an answer")
}

impl Listener {
    /// Listens under id 1, acknowledged.
    pub(crate) async fn open(server: &TestServer, token: &str, wanted: Value) -> Self {
        let mut listener = Self::begin(server, token, &json!(1), &wanted).await;
        let Event::Message(first) = listener.next().await else {
            panic!("no message");
        };
        assert_eq!(first["method"], "notifications/subscriptions/acknowledged");
        listener
    }

    pub(crate) async fn begin(
        server: &TestServer,
        token: &str,
        id: &Value,
        wanted: &Value,
    ) -> Self {
        Self::over(post(server, token, &ask(id, wanted)).await)
    }

    /// Reads the events of any answer.
    pub(crate) fn over(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        Self::reading(response)
    }

    /// Reads a stream from its beginning.
    pub(crate) fn reading(response: reqwest::Response) -> Self {
        Self {
            response,
            unread: String::new(),
        }
    }

    /// The next message, whatever keeps the connection alive before it.
    pub(crate) async fn message(&mut self) -> Value {
        loop {
            match self.next().await {
                Event::Message(message) => return message,
                Event::KeepAlive => {}
                Event::End => panic!("it has ended"),
            }
        }
    }

    /// All messages to the end.
    pub(crate) async fn rest(&mut self) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            match self.next().await {
                Event::Message(message) => all.push(message),
                Event::KeepAlive => {}
                Event::End => return all,
            }
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.response.headers().get(name);
        value.and_then(|value| value.to_str().ok()).unwrap_or("")
    }

    /// What comes next.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            if let Some((event, rest)) = self.unread.split_once("\n\n") {
                let event = event.to_owned();
                self.unread = rest.to_owned();
                if event == ":" {
                    return Event::KeepAlive;
                }
                let data = event.strip_prefix("event: message\ndata: ");
                let message = serde_json::from_str(data.expect("an event"));
                return Event::Message(message.expect("JSON"));
            }
            let chunk = timeout(PATIENCE, self.response.chunk()).await;
            match chunk.expect("something in time").expect("no broken stream") {
                Some(chunk) => self.unread.push_str(&String::from_utf8_lossy(&chunk)),
                None => {
                    assert_eq!(self.unread, "");
                    return Event::End;
                }
            }
        }
    }
}
