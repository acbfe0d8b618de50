//! A client with one token that speaks REST and MCP of both eras, and keeps what it was answered.

use http::HeaderMap;
use serde_json::{Value, json};

/// Someone who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) client: reqwest::Client,
    pub(crate) url: String,
    pub(crate) token: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// A header's text, empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }
}

impl Caller {
    pub(crate) fn new(url: &str, token: impl Into<String>) -> Self {
        Self {
            client: reqwest::Client::new(),
            url: url.to_owned(),
            token: token.into(),
        }
    }

    /// `POST /mcp/tool/{tool}`.
    pub(crate) async fn rest(&self, tool: &str, arguments: Value) -> Answer {
        let request = self
            .client
            .post(format!("{}/mcp/tool/{tool}", self.url))
            .json(&arguments);
        self.send(request).await
    }

    /// An MCP request of 2026-07-28. A `_meta` in `params` is kept and completed.
    pub(crate) async fn modern(&self, method: &str, mut params: Value) -> Answer {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let name = params["name"].as_str().or(params["uri"].as_str());
        let mut request = self
            .client
            .post(format!("{}/mcp", self.url))
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", method);
        if let Some(name) = name {
            request = request.header("Mcp-Name", name);
        }
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send(request.json(&message)).await
    }

    /// An MCP request of 2025-11-25.
    pub(crate) async fn legacy(&self, method: &str, params: Value) -> Answer {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self
            .client
            .post(format!("{}/mcp", self.url))
            .header("MCP-Protocol-Version", "2025-11-25")
            .json(&message);
        self.send(request).await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        Answer {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }
}
