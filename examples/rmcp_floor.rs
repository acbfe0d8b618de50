//! The other floor that `scripts/bench` measures us against: the official Rust SDK without governance.
//!
//! A bare rmcp server answers the same `tools/call` and `tools/list` as `examples/bench_server.rs`: no
//! authentication, no quota, no schema check, no record. It is set up for speed: no sessions, JSON answers,
//! `TCP_NODELAY`, its schemas made once. Run with `cargo run --release --example rmcp_floor -- --port 8080`;
//! port 0 lets the system choose, `--stdio` speaks on stdin and stdout, `--tools N` adds tools to the list.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::serve::ListenerExt;
use rmcp::handler::server::tool::{schema_for_input, schema_for_output};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData,
    Implementation, JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler, ServiceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::net::TcpListener;

#[derive(Deserialize, JsonSchema)]
struct Args {
    /// Customer id, such as c-42
    #[schemars(regex(pattern = "^c-[a-z0-9]+$"))]
    customer_id: String,
}

#[derive(Serialize, JsonSchema)]
struct Customer {
    id: String,
    name: &'static str,
    tier: &'static str,
}

/// A server of `get_customer`; clones share the list.
#[derive(Clone)]
struct Shop {
    tools: Arc<[Tool]>,
}

impl Shop {
    fn new(more: usize) -> Result<Self, Box<dyn Error>> {
        let (input, output) = (schema_for_input::<Args>()?, schema_for_output::<Customer>());
        let tool = |name: String| {
            Tool::new(
                name,
                "Return a customer's profile (read-only).",
                input.clone(),
            )
            .with_raw_output_schema(output.clone())
        };
        let names = (0..more).map(|number| format!("get_customer_{number:04}"));
        let tools = std::iter::once("get_customer".to_owned()).chain(names);
        Ok(Self {
            tools: tools.map(tool).collect(),
        })
    }
}

impl ServerHandler for Shop {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("rmcp_floor", env!("CARGO_PKG_VERSION")))
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.to_vec()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if request.name != "get_customer" {
            return Err(ErrorData::invalid_params("Unknown tool", None));
        }
        answer(request.arguments.unwrap_or_default())
            .map(Into::into)
            .map_err(|fault| ErrorData::invalid_params(fault.to_string(), None))
    }
}

fn answer(arguments: JsonObject) -> Result<CallToolResult, serde_json::Error> {
    let args: Args = serde_json::from_value(Value::Object(arguments))?;
    let customer = Customer {
        id: args.customer_id,
        name: "Jane Doe",
        tier: "gold",
    };
    let mut result =
        CallToolResult::success(vec![ContentBlock::text(serde_json::to_string(&customer)?)]);
    result.structured_content = Some(serde_json::to_value(&customer)?);
    Ok(result)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut port, mut stdio, mut more) = (0, false, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        match flag.as_str() {
            "--stdio" => stdio = true,
            "--port" => port = arguments.next().unwrap_or_default().parse()?,
            "--tools" => more = arguments.next().unwrap_or_default().parse()?,
            _ => return Err("usage: rmcp_floor [--port N | --stdio] [--tools N]".into()),
        }
    }
    let shop = Shop::new(more)?;
    if stdio {
        shop.serve(rmcp::transport::stdio())
            .await?
            .waiting()
            .await?;
        return Ok(());
    }
    let service = StreamableHttpService::new(
        move || Ok(shop.clone()),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true),
    );
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    eprintln!("listening on http://{}", listener.local_addr()?);
    // A socket that refuses the option still answers, only later: no reason to drop the caller.
    let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap_or_default());
    axum::serve(listener, Router::new().route_service("/mcp", service)).await?;
    Ok(())
}
