//! Tollgate: a governed MCP server.

pub mod access;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
mod json;
pub mod mcp;
pub mod pipeline;
pub mod quota;
pub mod record;
pub mod run;
pub mod server;
pub mod source;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tool;
pub mod transport;

pub use clock::Clock;
pub use tool::{CallContext, Quota, Resource, Tool, ToolError};
