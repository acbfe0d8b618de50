//! `tollgate check`: everything that `serve` would refuse, and the policy as a table.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, ConfigArgs, print};
use crate::config::format_duration;
use crate::tool::{Access, Target};

/// Loads the configuration as `serve` does: opens databases, checks statements, compiles schemas.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tollgate check --config tollgate.yaml")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let server = args.config.builder(args.config.load()?)?.build()?;
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
    Ok(ExitCode::SUCCESS)
}

fn row(target: &Target) -> [String; 5] {
    let scopes = match target.common_terms().access() {
        Access::Scopes(scopes) => scopes.to_string(),
        Access::AnyAuthenticated => "(any authenticated)".to_owned(),
    };
    let unlimited = || "unlimited".to_owned();
    let quota = target
        .common_terms()
        .quota()
        .map_or_else(unlimited, |(quota, _)| {
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
