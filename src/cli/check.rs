//! `tollgate check`: everything that `serve` would refuse, and the policy as a table.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, ConfigArgs, print, say};
use crate::config::{Config, IssuerKeys, KeySource, format_duration};
use crate::tool::{Access, Target};

/// Loads the configuration as `serve` does: opens databases, checks statements, compiles schemas.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tollgate check --config tollgate.yaml")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let config = args.config.load()?;
    let remote_keys = remote_keys(&config);
    let server = args.config.builder(config)?.build()?;
    let header = [
        "TOOL OR RESOURCE",
        "SCOPES",
        "QUOTA PER TENANT",
        "TIMEOUT",
        "AT ONCE",
    ]
    .map(str::to_owned);
    let mut rows = vec![header];
    rows.extend(
        server
            .pipeline()
            .catalog
            .targets()
            .iter()
            .map(|target| row(target)),
    );
    print(table(&rows).trim_end())?;
    for issuer in remote_keys {
        say(format_args!(
            "the keys of {issuer} were not checked: the server fetches them when it starts"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Issuers whose keys only the network can tell; a check does without it.
fn remote_keys(config: &Config) -> Vec<String> {
    let is_remote = |keys: &IssuerKeys| {
        matches!(
            keys,
            IssuerKeys::Public(KeySource::Discovery | KeySource::Url(_), _)
        )
    };
    let issuers = config.auth.issuers.iter();
    issuers
        .filter(|issuer| is_remote(&issuer.keys))
        .map(|issuer| issuer.issuer.escape_debug().to_string())
        .collect()
}

fn row(target: &Target) -> [String; 5] {
    let scopes = match target.access() {
        Access::Scopes(scopes) => scopes.join(" "),
        Access::AnyAuthenticated => "(any authenticated)".to_owned(),
    };
    let unlimited = || "unlimited".to_owned();
    let quota = target.quota().map_or_else(unlimited, |quota| {
        let rate = format!("{}/{}", quota.count(), format_duration(quota.period()));
        if quota.burst_size() == quota.count() {
            rate
        } else {
            format!("{rate} burst {}", quota.burst_size())
        }
    });
    let policy = target.policy();
    let at_once = policy
        .max_concurrent
        .map_or_else(unlimited, |calls| calls.to_string());
    [
        target.name().to_owned(),
        scopes,
        quota,
        format_duration(policy.timeout),
        at_once,
    ]
}

/// Columns as wide as their widest cell.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
