//! The official Rust SDK with the tools that [`crate::ours`] serves, without sessions and answering in JSON, as we do.

use std::sync::Arc;

use axum::Router;
use rmcp::handler::server::tool::{schema_for_input, schema_for_output};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, JsonObject,
    ListResourcesResult, ListToolsResult, PaginatedRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, ReadResourceResult, Resource, ResourceContents, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{RoleServer, ServerHandler};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{ABOUT, Greeting, Name, Nothing, REFUSAL};

#[derive(Clone)]
struct Official;

/// What a handler of this SDK makes of an answer: its text form, and its structured one.
fn structured(answer: &impl Serialize) -> Result<CallToolResult, ErrorData> {
    let value = serde_json::to_value(answer)
        .map_err(|fault| ErrorData::internal_error(fault.to_string(), None))?;
    Ok(CallToolResult::structured(value))
}

fn arguments<T: serde::de::DeserializeOwned>(given: JsonObject) -> Result<T, ErrorData> {
    serde_json::from_value(Value::Object(given))
        .map_err(|fault| ErrorData::invalid_params(fault.to_string(), None))
}

impl ServerHandler for Official {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder();
        ServerConfig::new(capabilities.enable_tools().enable_resources().build())
    }

    async fn list_tools(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let nothing = schema_for_input::<Nothing>().expect("a schema of no arguments");
        let name = schema_for_input::<Name>().expect("a schema of arguments");
        let greet = Tool::new("greet", "Greets.", name);
        Ok(ListToolsResult::with_all_items(vec![
            greet.with_raw_output_schema(schema_for_output::<Greeting>()),
            Tool::new("numbers", "A list.", nothing.clone()),
            Tool::new("refuse", "Says no.", nothing),
        ]))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let given = request.arguments.unwrap_or_default();
        let result = match &*request.name {
            "greet" => structured(&Greeting::of(arguments(given)?))?,
            "numbers" => arguments::<Nothing>(given).and_then(|_| structured(&[1, 2, 3]))?,
            "refuse" => CallToolResult::error(vec![ContentBlock::text(REFUSAL)]),
            _ => return Err(ErrorData::invalid_params("Unknown tool", None)),
        };
        Ok(result.into())
    }

    async fn list_resources(
        &self,
        _page: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let about = Resource::new("about://shop", "about");
        Ok(ListResourcesResult::with_all_items(vec![about]))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        if request.uri != "about://shop" {
            return Err(ErrorData::resource_not_found("Resource not found", None));
        }
        let about = ResourceContents::text(ABOUT, request.uri);
        Ok(ReadResourceResult::new(vec![about]).into())
    }
}

/// Starts it on a free port; it ends with the test's runtime. Returns the URL of its endpoint.
pub(crate) async fn start() -> String {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let sessions = Arc::new(LocalSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Official), sessions, config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let router = Router::new().route_service("/mcp", service);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}/mcp")
}
