//! `tollgate schema`: the configuration's JSON Schema, for editors and CI.

use std::process::ExitCode;

use super::{CliError, print};
use crate::config::schema::json_schema;

pub(super) fn run() -> Result<ExitCode, CliError> {
    print(format_args!("{:#}", json_schema()))?;
    Ok(ExitCode::SUCCESS)
}
