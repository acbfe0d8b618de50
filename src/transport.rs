//! Bytes in, bytes out: the surfaces that Tollgate is reached by.
//!
//! A transport frames messages, checks what belongs to its wire, finds the credential, and hands
//! the rest to [`mcp`](crate::mcp) or straight to the [`pipeline`](crate::pipeline). It decides
//! nothing about who may call what.

pub mod admin;
pub mod http;
#[cfg(feature = "lambda")]
pub mod lambda;
mod readiness;
pub mod stdio;
