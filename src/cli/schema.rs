//! `tollgate schema`: the JSON Schema of the configuration or of policy cases, for editors and CI.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, print};
use crate::config::schema::{cases_schema, json_schema};

/// Prints the JSON Schema of the configuration file.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tollgate schema > tollgate.schema.json")]
pub(super) struct SchemaArgs {
    /// Print that of the files that `tollgate test` reads instead
    #[arg(long)]
    cases: bool,
}

pub(super) fn run(args: &SchemaArgs) -> Result<ExitCode, CliError> {
    let schema = match args.cases {
        true => cases_schema(),
        false => json_schema(),
    };
    print(format_args!("{schema:#}"))?;
    Ok(ExitCode::SUCCESS)
}
