//! What a governed call costs, in process: the pipeline alone, one MCP message, its parts.
//!
//! `cargo bench --bench call`. Whole-server figures with real connections: `scripts/bench`.

use std::hint::black_box;
use std::time::Duration;

use criterion::async_executor::AsyncExecutor;
use criterion::{Criterion, criterion_group, criterion_main};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tollgate::auth::{ClaimNames, Credentials, Issuer, MintRequest, mint, random_secret};
use tollgate::mcp::{Header, McpHeaders, Peer};
use tollgate::pipeline::CallRequest;
use tollgate::record::{Measured, MetricReader, MetricReaders, MetricSettings, Metrics, Surface};
use tollgate::server::Server;
use tollgate::tool::TargetRef;
use tollgate::{CallContext, Clock, Quota, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
struct Args {
    #[schemars(regex(pattern = "^c-[a-z0-9]+$"))]
    customer_id: String,
}

#[derive(Serialize, JsonSchema)]
struct Customer {
    id: String,
    name: &'static str,
    tier: &'static str,
}

async fn get_customer(_call: CallContext, args: Args) -> Result<Customer, ToolError> {
    Ok(Customer {
        id: args.customer_id,
        name: "Jane Doe",
        tier: "gold",
    })
}

/// A server with one tool, and a good token for it.
fn governed() -> (Server, String) {
    let secret = random_secret().expect("random bytes");
    let (name, audience) = ("https://bench.example.com/", "bench");
    let request = MintRequest {
        issuer: name,
        audience,
        subject: "bench",
        tenant: "acme",
        scopes: &["customer:read".to_owned()],
        now: Clock::system().unix(),
        lifetime: Duration::from_secs(3_600),
        claims: &ClaimNames::default(),
    };
    let token = mint(&request, &secret, jsonwebtoken::Algorithm::HS256).expect("a token");
    let tool = Tool::new("get_customer", "Return a customer's profile (read-only).")
        .scope("customer:read")
        .quota(Quota::per_second(100_000_000))
        .handler(get_customer);
    let issuer = Issuer::hs256(name, [audience], &secret).expect("an issuer");
    let server = Server::builder()
        .issuer(issuer)
        .tool(tool)
        .build()
        .expect("a server");
    (server, token)
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn pipeline(c: &mut Criterion) {
    let runtime = runtime();
    let arguments = json!({"customer_id": "c-42"})
        .as_object()
        .cloned()
        .expect("an object");
    for (name, is_measured) in [
        ("pipeline, cached token", false),
        ("pipeline, cached token, with metrics", true),
    ] {
        let (server, token) = governed();
        if is_measured {
            let measured = Measured {
                service: "bench",
                targets: 1,
                tenants: None,
                started: server.pipeline().recorder.now(),
            };
            let readers =
                MetricReaders::new(&[MetricReader::Prometheus], &MetricSettings::default());
            let readers = readers.expect("readers");
            let metrics = Metrics::new(measured, &readers, || None).expect("metrics");
            server.pipeline().recorder.measure(metrics);
        }
        c.bench_function(name, |bencher| {
            bencher.to_async(Local(&runtime)).iter(|| async {
                let mut call = server.pipeline().open(Surface::McpHttp);
                let credentials = Credentials::Bearer(&token);
                let principal = call.authenticate(&credentials).await.expect("known");
                let arguments = arguments.clone();
                let target = TargetRef::Tool("get_customer");
                black_box(
                    call.serve(&principal, CallRequest::new(target, arguments))
                        .await
                        .expect("served"),
                )
            });
        });
    }
}

fn message(c: &mut Criterion) {
    let ((server, token), runtime) = (governed(), runtime());
    let params = json!({"name": "get_customer", "arguments": {"customer_id": "c-42"}});
    let legacy = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let mut modern = legacy.clone();
    modern["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1.0.0"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "sampling": {}},
    });
    let modern_headers = McpHeaders {
        protocol_version: Header::Is("2026-07-28"),
        method: Header::Is("tools/call"),
        name: Header::Is("get_customer"),
        ..McpHeaders::default()
    };
    let legacy_headers = McpHeaders {
        protocol_version: Header::Is("2025-11-25"),
        ..McpHeaders::default()
    };
    for (name, message, headers) in [
        (
            "/mcp tools/call, modern",
            modern.to_string(),
            modern_headers,
        ),
        (
            "/mcp tools/call, legacy",
            legacy.to_string(),
            legacy_headers,
        ),
    ] {
        c.bench_function(name, |bencher| {
            bencher.to_async(Local(&runtime)).iter(|| async {
                let mut call = server.pipeline().open(Surface::McpHttp);
                let credentials = Credentials::Bearer(&token);
                let principal = call.authenticate(&credentials).await.expect("known");
                let message = message.as_bytes();
                black_box(
                    server
                        .mcp()
                        .handle(&mut call, &principal, message, Peer::over_http(&headers))
                        .await,
                )
            });
        });
    }
}

/// Drives a bench's futures on a runtime of its own.
struct Local<'r>(&'r Runtime);

impl AsyncExecutor for Local<'_> {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

criterion_group!(benches, pipeline, message);
criterion_main!(benches);
