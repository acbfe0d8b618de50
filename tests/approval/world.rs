//! A server whose tools need approval and count how often they ran, and callers whose clients can ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::server::ServerBuilder;
use tollgate::testing::TestServer;
use tollgate::tool::TenantPolicy;
use tollgate::{CallContext, Confirm, Tool, ToolError};

use crate::caller::{Answer, Caller};

/// What the question is called.
pub(crate) const KEY: &str = "tollgate/confirm";

#[derive(Deserialize, JsonSchema)]
struct Refund {
    amount: u32,
}

pub(crate) struct World {
    pub(crate) server: TestServer,
    runs: Arc<AtomicU32>,
}

/// `refund` needs approval above 100, but not for tenant `globex`; `close` always; `odd` by a
/// condition that cannot be evaluated; `wire` always, and asks something itself.
fn tools(server: ServerBuilder, runs: &Arc<AtomicU32>) -> ServerBuilder {
    let tool = |name: &str, confirm: Confirm| {
        Tool::new(name, "Moves money.")
            .scope("pay")
            .confirm(confirm)
    };
    let count = async |runs: Arc<AtomicU32>, _: CallContext, refund: Refund| {
        runs.fetch_add(1, Ordering::SeqCst);
        Ok::<_, ToolError>(format!("paid {}", refund.amount))
    };
    let wire = async |runs: Arc<AtomicU32>, call: CallContext, refund: Refund| {
        let seen: Option<u32> = call.remembered();
        call.remember(&(seen.unwrap_or_default() + 1))?;
        let schema = json!({"type": "object", "properties": {"account": {"type": "string"}}, "required": ["account"]});
        let form = call.elicit("account", "Which account?", schema).await?;
        runs.fetch_add(1, Ordering::SeqCst);
        let account = form.content["account"].as_str().unwrap_or_default();
        Ok::<_, ToolError>(format!("paid {} to {account}, {seen:?}", refund.amount))
    };
    let never = TenantPolicy {
        confirm: Some(Confirm::Never),
        ..TenantPolicy::default()
    };
    let refund = tool("refund", Confirm::when("args.amount > 100")).title("Refund an order");
    let odd = tool("odd", Confirm::when("args.amount / 0 == 1"));
    server
        .tool(
            refund
                .for_tenant("globex", never)
                .handler_with(Arc::clone(runs), count),
        )
        .tool(tool("close", Confirm::Always).handler_with(Arc::clone(runs), count))
        .tool(odd.handler_with(Arc::clone(runs), count))
        .tool(tool("wire", Confirm::Always).handler_with(Arc::clone(runs), wire))
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(|server| server).await
    }

    pub(crate) async fn with(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let runs = Arc::default();
        let server = TestServer::start(|server| set_up(tools(server, &runs))).await;
        Self { server, runs }
    }

    pub(crate) fn caller(&self, tenant: &str, subject: &str) -> Caller {
        let token = self.server.token_for(tenant, subject, &["pay"]);
        Caller::new(self.server.url(), token)
    }

    pub(crate) fn ada(&self) -> Caller {
        self.caller("acme", "ada")
    }

    /// How often a tool ran.
    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }
}

/// A call of 2026-07-28 from a client that can ask its user, with what it carries.
pub(crate) async fn call(caller: &Caller, tool: &str, amount: u32, carried: Value) -> Answer {
    let mut params = json!({"name": tool, "arguments": {"amount": amount}});
    for (name, value) in carried.as_object().expect("members") {
        params[name] = value.clone();
    }
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    });
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let request = caller
        .client
        .post(format!("{}/mcp", caller.url))
        .header("MCP-Protocol-Version", "2026-07-28")
        .header("Mcp-Method", "tools/call")
        .header("Mcp-Name", tool)
        .json(&message);
    caller.send(request).await
}

/// What a call carries whose user did this.
pub(crate) fn answered(state: &Value, action: &str) -> Value {
    json!({"requestState": state, "inputResponses": {KEY: {"action": action, "content": {}}}})
}

/// The state of a call that asks for approval.
#[track_caller]
pub(crate) fn asked(answer: &Answer) -> Value {
    let result = &answer.body["result"];
    assert_eq!(result["resultType"], "input_required", "{answer:?}");
    let question = &result["inputRequests"][KEY];
    assert_eq!(question["method"], "elicitation/create", "{answer:?}");
    assert!(result["requestState"].is_string(), "{answer:?}");
    result["requestState"].clone()
}

/// The call was served, and said so.
#[track_caller]
pub(crate) fn served(answer: &Answer, text: &str) {
    let result = &answer.body["result"];
    assert_eq!(result["structuredContent"], text, "{answer:?}");
}
