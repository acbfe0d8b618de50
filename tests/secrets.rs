//! The canary of secrets: a text of its own in every place where a secret can stand, and a search of
//! everything that comes out for any part of it, as it is or encoded.
#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "secrets/canary.rs"]
mod canary;
#[path = "secrets/commands.rs"]
mod commands;
#[path = "secrets/embedded.rs"]
mod embedded;
#[path = "secrets/faults.rs"]
mod faults;
#[path = "support/frames.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod frames;
#[path = "support/introspection_server.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod introspection_server;
#[path = "support/key_server.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod key_server;
#[path = "support/log.rs"]
mod log;
#[path = "secrets/served.rs"]
mod served;
#[path = "support/spans.rs"]
mod spans;
#[path = "support/tls.rs"]
mod tls;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "secrets/world.rs"]
mod world;
