//! A server for anonymous callers on loopback, for protocol test suites that bring no token.
//!
//! `cargo run --release --example conformance -- --port 0` prints the address it listens on.

mod tasks;

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::Deserialize;
use tollgate::auth::Principal;
use tollgate::server::Server;
use tollgate::{CallContext, Resource, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
struct NoArgs {}

async fn simple_text(_call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    Ok("This is a simple text response for testing.".to_owned())
}

async fn static_text(_call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    Ok("This is the content of the static text resource.".to_owned())
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
    let server = tasks::tools()
        .into_iter()
        .fold(Server::builder(), |server, tool| server.tool(tool));
    let server = server
        .anonymous(Principal::configured("conformance", "anonymous", nobody)?)
        .tool(
            Tool::new("test_simple_text", "Returns a simple text.")
                .any_authenticated()
                .handler(simple_text),
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
