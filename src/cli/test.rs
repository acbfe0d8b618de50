//! `tollgate test`: decides written cases by a configuration's policies, for CI.
//!
//! It needs no secret and touches nothing but the files it reads: see [`Decider`]. A reader would ask
//! why cases are not run against a server: what is asked here is what the policies say, and a server
//! adds tokens, data and other people's calls to that.

mod junit;
mod play;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{CONFIG_FILE, CliError, print};
use crate::config::{Config, Faults, load_cases};
use crate::server::Decider;

/// Decides the calls in a file of cases and tells which of them go otherwise than expected. Runs no
/// tool, opens no source, and of the configuration reads only what decides, so it needs no secret.
/// Exit 0: all as expected; 1: not, or a faulty file.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tollgate test cases.yaml\n  tollgate test policies/*.yaml --config tollgate.yaml --format junit > report.xml"
)]
pub(super) struct TestArgs {
    /// Files of cases; `tollgate schema --cases` describes them
    #[arg(required = true, value_name = "CASES")]
    cases: Vec<PathBuf>,
    /// The configuration file
    #[arg(long, short, value_name = "FILE", default_value = CONFIG_FILE)]
    config: PathBuf,
    /// How to tell what came of it
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A table, and below it what went otherwise
    Text,
    /// One JSON object
    Json,
    /// JUnit's XML, which most CI systems read
    Junit,
}

pub(super) fn run(args: &TestArgs) -> Result<ExitCode, CliError> {
    let mut faults = Faults::default();
    let mut cases = Vec::new();
    for path in &args.cases {
        match load_cases(path) {
            Ok(more) => cases.extend(more),
            Err(found) => faults.0.extend(found.0),
        }
    }
    faults.or(())?;
    let mut decider = Decider::new(&Config::load_deciding(&args.config)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut played = Vec::with_capacity(cases.len());
    for case in &cases {
        played.push(runtime.block_on(play::case(&mut decider, case))?);
    }
    match args.format {
        Format::Text => print(report::text(&played).trim_end())?,
        Format::Json => print(format_args!("{:#}", report::json(&played)))?,
        Format::Junit => print(junit::xml(&played).trim_end())?,
    }
    Ok(match played.iter().all(play::Played::is_as_expected) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}
