//! `tollgate check`: everything that `serve` would refuse, and the policies as a table.
//!
//! It fails as well on what `serve` serves and nobody can call: that is a mistake in nearly every
//! case, and one that no caller can tell from a tool that is not there. That everybody can call
//! something without the file saying so cannot be: loading refuses it.

mod matrix;
mod reach;

use std::process::ExitCode;

use clap::Args;

use super::{CliError, ConfigArgs, print};
use crate::config::Faults;

/// Loads the configuration as `serve` does, prints who may call what how often, fails on what nobody can call.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tollgate check --config tollgate.yaml")]
pub(super) struct CheckArgs {
    #[command(flatten)]
    config: ConfigArgs,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, CliError> {
    let config = args.config.load()?;
    let callers = reach::callers(&config, args.config.dev);
    let places = reach::places(&config);
    let server = args.config.builder(config)?.build()?;
    let targets = server.pipeline().catalog.targets();
    print(matrix::of(targets).trim_end())?;
    let faults = reach::faults(targets, callers.as_deref(), &places);
    Faults(faults).or(ExitCode::SUCCESS).map_err(Into::into)
}
