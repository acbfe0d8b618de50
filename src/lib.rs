//! Tollgate: an MCP server that governs every call.
//!
//! ```text
//! HTTP /mcp ─┐
//! REST ──────┼─ authenticate ─ find ─ authorize ─ admit ─ validate ─ run ─ record
//! stdio ─────┘   Principal            Permit      Admission  Valid-   deadline
//!                                                            Arguments
//! ```
//!
//! Whatever way a call comes in, it passes the same checks in the same order ([`pipeline`]). Each
//! returns evidence that the next one demands, so that a check cannot be skipped. Tools are typed
//! functions with their policy beside them:
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use tollgate::server::Server;
//! use tollgate::{CallContext, Quota, Tool, ToolError};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Args {
//!     /// City name in English, for example "Paris".
//!     city: String,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Weather {
//!     celsius: f64,
//! }
//!
//! async fn current(_call: CallContext, args: Args) -> Result<Weather, ToolError> {
//!     match args.city.as_str() {
//!         "Paris" => Ok(Weather { celsius: 21.5 }),
//!         other => Err(ToolError::not_found(format!("no weather for {other}"))),
//!     }
//! }
//!
//! let server = Server::builder()
//!     .tool(
//!         Tool::new("weather.current", "Current weather for a city.")
//!             .scope("weather:read")
//!             .quota(Quota::per_minute(60).burst(10))
//!             .handler(current),
//!     )
//!     .build()?;
//! # Ok::<(), tollgate::server::StartError>(())
//! ```
//!
//! `server.bind(address)` then serves HTTP, `server.stdio(output)` a client on a pair of streams;
//! `examples/shop.rs` is a whole program. With the feature `lambda`, `server.serve_lambda(stop)` answers events of AWS
//! Lambda.
//!
//! What else authors have, each with a program in `examples/`:
//!
//! - [`Content`] and [`ToolOutput`]: pictures, sound, links and resources beside a value (`contents`).
//! - [`CallContext`] speaks before the answer: [`progress`](CallContext::progress),
//!   [`log`](CallContext::log), and questions to the user ([`elicit`](CallContext::elicit)), to the
//!   client's model ([`sample`](CallContext::sample)), for its folders ([`roots`](CallContext::roots)).
//!   A call that asks may run again from the top: ask before you act (`talking`).
//! - [`Prompt`] and [`Suggestions`]: texts that people pick and fill in (`prompts`).
//! - [`Resource`], [`ResourceContents`] and [`ResourceUpdates`]: data by URI, and word that it changed
//!   (`resources`).
//!
//! Tests of tools run a real server with `testing` (a feature). The rooms of the crate and the rules
//! between them are in `ARCHITECTURE.md`.

pub mod access;
pub mod approval;
pub mod audit;
pub mod auth;
pub mod build;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod error;
mod files;
mod json;
pub mod log;
pub mod mcp;
mod network;
pub mod pipeline;
pub mod quota;
pub mod record;
pub mod run;
pub mod seal;
pub mod server;
pub mod source;
pub mod stderr;
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;
pub mod tool;
pub mod trace;
pub mod transport;

pub use clock::Clock;
pub use pipeline::ResourceUpdates;
pub use tool::{
    Action, Annotations, CallContext, Capability, Confirm, Content, FormReply, Limit, Link,
    LogLevel, Per, Progress, Prompt, PromptMessage, PromptOutput, Question, Quota, Replies, Reply,
    Resource, ResourceContents, Role, Root, Rule, SampleRequest, Sampled, Suggestions, TaskPolicy,
    Tool, ToolError, ToolOutput, Typing,
};
