//! What `scripts/bench` drives: governed tools in Rust, with a token ready to use.
//!
//! `get_customer` is never refused, `limited` always is (its one call per day is spent at start),
//! `forbidden` demands a scope that the printed token lacks. Spans are sampled as
//! `OTEL_TRACES_SAMPLER` says and handed to a batch exporter that drops them. `--recording off` leaves
//! spans and numbers out; `best-effort` and `strict` add an audit log below the system's temporary
//! folder. `--tools N` adds tools to the list. `--stdio` serves on stdin and stdout instead, for a
//! caller that may use `get_customer`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tollgate::audit::{AuditSettings, Durability, Redaction, Rotation};
use tollgate::auth::{
    ClaimNames, Credentials, Issuer, LocalIdentity, MintRequest, Principal, mint, random_secret,
};
use tollgate::pipeline::CallRequest;
use tollgate::record::{Surface, Tracing};
use tollgate::server::{Server, ServerBuilder};
use tollgate::tool::TargetRef;
use tollgate::{CallContext, Clock, Quota, Tool, ToolError};

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

async fn get_customer(_call: CallContext, args: Args) -> Result<Customer, ToolError> {
    Ok(Customer {
        id: args.customer_id,
        name: "Jane Doe",
        tier: "gold",
    })
}

/// Takes spans off the queue, as a collector would, and forgets them.
#[derive(Debug)]
struct Dropped;

impl SpanExporter for Dropped {
    async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

/// Makes the one call that `limited` allows.
async fn spend(server: &Server, token: &str) {
    let mut call = server.pipeline().open(Surface::Cli);
    if let Ok(principal) = call.authenticate(&Credentials::Bearer(token)).await {
        let arguments = serde_json::json!({"customer_id": "c-42"})
            .as_object()
            .cloned()
            .unwrap_or_default();
        let target = TargetRef::Tool("limited");
        let _ = call
            .serve(&principal, CallRequest::new(target, arguments))
            .await;
    }
}

/// With what of calls is put on record; unless told otherwise, spans and numbers, as deployed.
fn recorded(
    builder: ServerBuilder,
    recording: Option<&str>,
) -> Result<ServerBuilder, Box<dyn std::error::Error>> {
    let durability = match recording {
        Some("off") => return Ok(builder),
        Some("best-effort") => Some(Durability::BestEffort),
        Some("strict") => Some(Durability::Strict),
        _ => None,
    };
    let spans = SdkTracerProvider::builder().with_batch_exporter(Dropped);
    let builder = builder
        .admin_listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .tracing(Tracing::over(spans.build()));
    let Some(durability) = durability else {
        return Ok(builder);
    };
    let name = format!("tollgate-bench-{}.jsonl", std::process::id());
    Ok(builder.audit(AuditSettings {
        file: Some(std::env::temp_dir().join(name)),
        key: secrecy::SecretString::from("a secret for a log that nobody verifies"),
        previous_key: None,
        durability,
        redaction: Redaction::default(),
        rotation: Rotation::default(),
    }))
}

/// What stands after a flag.
fn argument(flag: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != flag).nth(1)
}

/// Serves one client until its input ends. Lines are read by a thread that may block.
async fn on_stdio(server: Server) -> Result<(), tokio::task::JoinError> {
    let (surface, _reloader) = server.stdio(std::io::stdout());
    let runtime = tokio::runtime::Handle::current();
    let reading = move || surface.serve(std::io::stdin().lock(), &runtime);
    tokio::task::spawn_blocking(reading).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = argument("--port").map_or(Ok(0), |port| port.parse())?;
    let more: usize = argument("--tools").map_or(Ok(0), |tools| tools.parse())?;
    let secret = random_secret()?;
    let (issuer, audience) = ("https://bench.example.com/", "bench");
    let claims = ClaimNames::default();
    let request = MintRequest {
        issuer,
        audience,
        subject: "bench",
        tenant: "acme",
        scopes: &["customer:read".to_owned()],
        now: Clock::system().unix(),
        lifetime: Duration::from_secs(3_600),
        claims: &claims,
    };
    let token = mint(&request, &secret, jsonwebtoken::Algorithm::HS256)?;
    let tool = |name: &str, scope: &str, quota| {
        Tool::new(name, "Return a customer's profile (read-only).")
            .scope(scope)
            .quota(quota)
            .timeout(Duration::from_secs(2))
            .handler(get_customer)
    };
    let plenty = Quota::per_second(10_000_000);
    let mut builder = recorded(Server::builder(), argument("--recording").as_deref())?;
    for number in 0..more {
        let name = format!("get_customer_{number:04}");
        builder = builder.tool(tool(&name, "customer:read", plenty));
    }
    let caller = Principal::configured("acme", "bench", ["customer:read"])?;
    let server = builder
        .local(LocalIdentity::Principal(caller))
        .issuer(Issuer::hs256(issuer, [audience], &secret)?)
        .tool(tool("get_customer", "customer:read", plenty))
        .tool(tool(
            "limited",
            "customer:read",
            Quota::per(1, Duration::from_secs(86_400)),
        ))
        .tool(tool("forbidden", "customer:write", plenty))
        // The refusals that are measured are not those of a flood.
        .failure_limit(plenty)
        .denial_limit(None)
        .build()?;
    if std::env::args().any(|arg| arg == "--stdio") {
        return Ok(on_stdio(server).await?);
    }
    spend(&server, &token).await;
    let bound = server
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .await?;
    eprintln!("token: {token}");
    eprintln!("listening on http://{}", bound.local_addr());
    bound.serve(std::future::pending()).await;
    Ok(())
}
