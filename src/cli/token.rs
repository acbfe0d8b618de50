//! `tollgate token`: a token for trying things out and for CI.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use super::caller::CallerArgs;
use super::{CliError, ConfigArgs, misused, print};
use crate::auth::{MintRequest, mint};
use crate::clock::Clock;
use crate::config;
use crate::server::{claim_names, jws_algorithm};

/// A token cannot be taken back, so it ends within a year.
const LONGEST_TTL: Duration = Duration::from_secs(366 * 86_400);

/// Signs a token with the secret of a configured issuer and prints it.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tollgate token --tenant acme --subject ci --scope customer:read --ttl 15m"
)]
pub(super) struct TokenArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    caller: CallerArgs,
    /// How long the token is good: 90s, 15m, 2h, 7d
    #[arg(long, default_value = "1h", value_parser = config::parse_duration)]
    ttl: Duration,
    /// Which configured issuer signs; it must have a secret. Default: the first that has one
    #[arg(long)]
    issuer: Option<String>,
    /// For whom the token is. Default: the issuer's first audience
    #[arg(long)]
    audience: Option<String>,
}

pub(super) fn run(args: &TokenArgs) -> Result<ExitCode, CliError> {
    if args.config.dev {
        return Err(
            "dev mode signs with a secret of its own process: get a token from GET /mint-demo-jwt"
                .into(),
        );
    }
    let config = args.config.load()?;
    let (issuer, secret) = signer(&config.auth.issuers, args.issuer.as_deref())?;
    let audience = match &args.audience {
        Some(audience) if !issuer.audiences.contains(audience) => {
            return Err("the issuer's `audiences` do not hold this audience; the server would refuse the token".into());
        }
        Some(audience) => audience,
        None => issuer
            .audiences
            .first()
            .ok_or("the issuer has no audience")?,
    };
    if args.ttl.is_zero() || args.ttl > LONGEST_TTL {
        return Ok(misused("--ttl must be more than zero and at most 366d"));
    }
    args.caller.check()?;
    let algorithm = issuer
        .algorithms
        .first()
        .ok_or("the issuer has no algorithm")?;
    let request = MintRequest {
        issuer: &issuer.issuer,
        audience,
        subject: &args.caller.subject,
        tenant: &args.caller.tenant,
        scopes: &args.caller.scopes,
        now: Clock::system().unix(),
        lifetime: args.ttl,
        claims: &claim_names(&config.auth.claims),
    };
    print(mint(&request, secret, jws_algorithm(algorithm))?)?;
    Ok(ExitCode::SUCCESS)
}

fn signer<'c>(
    issuers: &'c [config::Issuer],
    name: Option<&str>,
) -> Result<(&'c config::Issuer, &'c SecretString), CliError> {
    let mut candidates = issuers
        .iter()
        .filter(|issuer| name.is_none_or(|name| issuer.issuer == name))
        .peekable();
    if candidates.peek().is_none() {
        return Err("no such issuer is configured: name one of auth.issuers with --issuer".into());
    }
    candidates
        .find_map(|issuer| match &issuer.keys {
            config::IssuerKeys::Secret(secret) => Some((issuer, secret)),
            config::IssuerKeys::Public(..) | config::IssuerKeys::Introspection(_) => None,
        })
        .ok_or_else(|| {
            "an issuer with public keys signs its tokens itself: get one there, or configure an issuer with a `secret` for trying things out".into()
        })
}
