//! A client that knows tasks, and tools whose calls become some.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Progress, TaskPolicy, Tool, ToolError};

use crate::held::Named;
use crate::wire::{Reply, Wire, meta};

/// The extension.
pub(crate) const TASKS: &str = "io.modelcontextprotocol/tasks";
/// How long the tasks of these tests are kept.
pub(crate) const TTL: Duration = Duration::from_secs(60);

pub(crate) fn policy() -> TaskPolicy {
    TaskPolicy::new().ttl(TTL)
}

/// A tool for anybody whose calls become tasks.
pub(crate) fn tool(name: &str) -> Tool {
    let tool = Tool::new(name, "Runs as a task.");
    tool.any_authenticated().timeout(TTL).task(policy())
}

/// Asks for a name until it gets one, and greets.
pub(crate) fn asks() -> Tool {
    tool("ask").handler(async |call: CallContext, _: Named| {
        call.progress(Progress::new(1.0).message("asking"));
        let schema = json!({
            "type": "object",
            "properties": {"name": {"type": "string"}},
            "required": ["name"],
        });
        let reply = call.elicit("name", "Who are you?", schema).await?;
        let name = reply.content["name"].as_str().map(str::to_owned);
        Ok::<_, ToolError>(format!("Hello, {}!", name.unwrap_or_default()))
    })
}

/// The `_meta` of a client that knows tasks and shows forms.
pub(crate) fn knowing() -> Value {
    let mut meta = meta();
    meta["io.modelcontextprotocol/clientCapabilities"] =
        json!({"elicitation": {}, "extensions": {TASKS: {}}});
    meta
}

/// One caller.
pub(crate) struct Client(pub(crate) Wire);

impl Client {
    /// Of tenant `acme`.
    pub(crate) fn of(server: &TestServer, subject: &str, scopes: &[&str]) -> Self {
        let token = server.token_for("acme", subject, scopes);
        Self(Wire::with_token(server, Some(token)))
    }

    pub(crate) async fn call(&self, tool: &str) -> Reply {
        let call = json!({"name": tool, "arguments": {}, "_meta": knowing()});
        self.0.modern("tools/call", call).send().await
    }

    /// A call that becomes a task: its handle.
    pub(crate) async fn make(&self, tool: &str) -> String {
        let reply = self.call(tool).await;
        let result = &reply.body["result"];
        assert_eq!(result["resultType"], "task", "{}", reply.text);
        result["taskId"].as_str().expect("a handle").to_owned()
    }

    /// Asks something of a task.
    pub(crate) async fn ask(&self, method: &str, task: &str, more: Value) -> Reply {
        let mut params = json!({"taskId": task, "_meta": knowing()});
        for (name, value) in more.as_object().expect("members") {
            params[name] = value.clone();
        }
        let request = self.0.modern(method, params);
        request.header("mcp-name", task).send().await
    }

    pub(crate) async fn get(&self, task: &str) -> Value {
        let reply = self.ask("tasks/get", task, json!({})).await;
        let result = reply.body["result"].clone();
        assert_eq!(result["resultType"], "complete", "{}", reply.text);
        assert_eq!(result["taskId"], task);
        result
    }

    /// Asks until the task stands so.
    pub(crate) async fn until(&self, task: &str, status: &str) -> Value {
        let mut last = Value::Null;
        for _ in 0..20_000 {
            last = self.get(task).await;
            if last["status"] == status {
                return last;
            }
        }
        panic!("not {status}: {last}");
    }

    /// Answers the one question that is open.
    pub(crate) async fn answer(&self, task: &str, content: Value) {
        let asking = self.until(task, "input_required").await;
        let open = asking["inputRequests"].as_object().expect("questions");
        let (key, _) = open.iter().next().expect("one");
        let responses = json!({key: {"action": "accept", "content": content}});
        self.update(task, responses).await;
    }

    pub(crate) async fn update(&self, task: &str, responses: Value) {
        let more = json!({"inputResponses": responses});
        acknowledged(&self.ask("tasks/update", task, more).await);
    }

    pub(crate) async fn cancel(&self, task: &str) {
        acknowledged(&self.ask("tasks/cancel", task, json!({})).await);
    }
}

fn acknowledged(reply: &Reply) {
    let result = reply.body["result"].as_object().expect("a result");
    let members: Vec<&String> = result.keys().collect();
    assert_eq!(members, ["resultType", "_meta"], "{}", reply.text);
    assert_eq!(result["resultType"], "complete");
}
