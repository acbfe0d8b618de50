//! `tollgate schema`: the configuration's JSON Schema, for editors and CI.

use std::process::ExitCode;

use super::CliError;
use crate::config::schema::json_schema;

pub(super) fn run() -> Result<ExitCode, CliError> {
    println!("{:#}", json_schema());
    Ok(ExitCode::SUCCESS)
}
