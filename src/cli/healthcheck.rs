//! `tollgate healthcheck`: asks a running server how it is, for containers without a shell or curl.
//!
//! A reader would ask why the admin listener is asked before the one for calls: it has no certificate
//! to trust and no crowd in front of it, so that a flood of callers does not look like a sick server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Builder;

use super::{CliError, ConfigArgs};
use crate::config::{self, AdminListen};

/// How long the server may take to answer. Below the usual patience of container runtimes, so that
/// the reason is told and not just that time ran out.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// Exit code 0 when the server takes calls (`/readyz`), otherwise 1; with --alive, when it lives
/// (`/healthz`).
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate healthcheck --config tollgate.yaml\n  tollgate healthcheck --alive --url http://127.0.0.1:9090"
)]
pub(super) struct HealthcheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Ask whether the server lives, not whether it takes calls
    #[arg(long)]
    alive: bool,
    /// Where the server is; without it the configuration tells
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

pub(super) fn run(args: &HealthcheckArgs) -> Result<ExitCode, CliError> {
    let base = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => configured(&args.config.load()?.server)?,
    };
    let path = if args.alive { "/healthz" } else { "/readyz" };
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(ask(&format!("{base}{path}")))?;
    Ok(ExitCode::SUCCESS)
}

/// The listener to ask.
fn configured(server: &config::Server) -> Result<String, CliError> {
    let address = match server.admin_listen {
        AdminListen::At(address) => address,
        // The default one may be another server's; it is there for certain only where nothing else is.
        _ if server.tls.is_none() => server.listen,
        AdminListen::Default(address) => address,
        AdminListen::Off => {
            return Err("the server ends TLS and has no admin listener: name it with --url, or set server.adminListen".into());
        }
    };
    if address.port() == 0 {
        return Err("the configuration takes any free port: name the server with --url".into());
    }
    Ok(format!("http://{}", from_here(address)))
}

/// A server that listens everywhere is reached on this machine.
fn from_here(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

async fn ask(url: &str) -> Result<(), CliError> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(ANSWER_TIMEOUT)
        .build()?;
    // A URL may hold a password, so it is not repeated.
    let answer = client.get(url).send().await.map_err(|error| {
        if error.is_timeout() {
            "the server did not answer within 2 s"
        } else if error.is_builder() {
            "--url must be an http or https URL"
        } else {
            "the server cannot be reached"
        }
    })?;
    let status = answer.status();
    if !status.is_success() {
        return Err(format!("the server answered {}", status.as_u16()).into());
    }
    Ok(())
}
