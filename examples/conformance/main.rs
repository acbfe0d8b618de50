//! A server for anonymous callers on loopback, for protocol test suites that bring no token: the
//! fixtures of the official suite (npm `@modelcontextprotocol/conformance`), by the public API alone.
//!
//! `cargo run --release --example conformance -- --port 0` prints the address it listens on.

mod asks;
mod contents;
mod lists;
mod prompts;
mod schemas;
mod tasks;

use std::net::{Ipv4Addr, SocketAddr};

use tollgate::auth::Principal;
use tollgate::server::{Server, ServerBuilder};

/// What is served, with what the test of changed lists adds to it.
fn server(extras: lists::Extras) -> Result<ServerBuilder, Box<dyn std::error::Error>> {
    let nobody: [&str; 0] = [];
    let mut builder = Server::builder()
        .anonymous(Principal::configured("conformance", "anonymous", nobody)?)
        // The suite tries out many names that are not there.
        .denial_limit(None);
    for tool in [
        contents::tools(),
        asks::tools(),
        schemas::tools(),
        tasks::tools(),
        lists::tools(extras),
    ]
    .concat_all()
    {
        builder = builder.tool(tool);
    }
    for resource in contents::resources() {
        builder = builder.resource(resource);
    }
    for prompt in [prompts::prompts(), lists::prompts(extras)].concat_all() {
        builder = builder.prompt(prompt);
    }
    Ok(builder)
}

/// Lists of things that cannot be cloned, one after the other.
trait ConcatAll<T> {
    fn concat_all(self) -> impl Iterator<Item = T>;
}

impl<T, const N: usize> ConcatAll<T> for [Vec<T>; N] {
    fn concat_all(self) -> impl Iterator<Item = T> {
        self.into_iter().flatten()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let port = match (args.next().as_deref(), args.next()) {
        (Some("--port"), Some(port)) => port.parse()?,
        (None, _) => 0,
        _ => return Err("usage: conformance [--port N]".into()),
    };
    let bound = server(lists::Extras::default())?
        .build()?
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await?;
    lists::changes_through(bound.reloader());
    eprintln!("listening on http://{}", bound.local_addr());
    bound
        .serve(async {
            // Without a signal handler there is only the signal's default: the process ends.
            let _ = tokio::signal::ctrl_c().await;
        })
        .await;
    Ok(())
}
