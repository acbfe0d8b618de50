//! A server for anonymous callers on loopback, for protocol test suites that bring no token.
//!
//! `cargo run --release --example conformance -- --port 0` prints the address it listens on.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::auth::Principal;
use tollgate::server::Server;
use tollgate::tool::Arguments;
use tollgate::{CallContext, Resource, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
struct NoArgs {}

async fn simple_text(_call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    Ok("This is a simple text response for testing.".to_owned())
}

async fn static_text(_call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    Ok("This is the content of the static text resource.".to_owned())
}

#[derive(Deserialize, JsonSchema)]
struct Region {
    #[schemars(extend("x-mcp-header" = "Region"))]
    region: String,
}

async fn header_text(_call: CallContext, args: Region) -> Result<String, ToolError> {
    Ok(args.region)
}

async fn arguments_text(_call: CallContext, args: Arguments) -> Result<String, ToolError> {
    Ok(Value::Object(args).to_string())
}

/// Of the scenario `json-schema-2020-12`.
fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {"address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }},
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": false,
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let port = match (args.next().as_deref(), args.next()) {
        (Some("--port"), Some(port)) => port.parse()?,
        (None, _) => 0,
        _ => return Err("usage: conformance [--port N]".into()),
    };
    let nobody: [&str; 0] = [];
    let server = Server::builder()
        .anonymous(Principal::configured("conformance", "anonymous", nobody)?)
        .tool(
            Tool::new("test_simple_text", "Returns a simple text.")
                .any_authenticated()
                .handler(simple_text),
        )
        .tool(
            Tool::new("test_x_mcp_header", "Returns the region that it got.")
                .any_authenticated()
                .handler(header_text),
        )
        .tool(
            Tool::new(
                "json_schema_2020_12_tool",
                "Tool with JSON Schema 2020-12 features",
            )
            .any_authenticated()
            .input_schema(schema_2020_12())
            .handler(arguments_text),
        )
        .resource(
            Resource::new("test://static-text", "static-text")
                .description("A text that never changes.")
                .mime_type("text/plain")
                .any_authenticated()
                .handler(static_text),
        )
        .build()?;
    let bound = server
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await?;
    eprintln!("listening on http://{}", bound.local_addr());
    bound
        .serve(async {
            // Without a signal handler there is only the signal's default: the process ends.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await;
    Ok(())
}
