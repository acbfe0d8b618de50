//! `TOLLGATE_LOG_FORMAT`: what log lines look like, wherever the file is the same for all deployments.

use super::environment::{Environment, VariableFault};
use super::telemetry::LogFormat;

const VARIABLE: &str = "TOLLGATE_LOG_FORMAT";

/// What the environment says, if anything.
///
/// # Errors
/// [`VariableFault`] for a value that is no form.
pub(crate) fn log_format(
    environment: &dyn Environment,
) -> Result<Option<LogFormat>, VariableFault> {
    match environment.variable(VARIABLE).as_deref() {
        None | Some("") => Ok(None),
        Some("auto") => Ok(Some(LogFormat::Auto)),
        Some("json") => Ok(Some(LogFormat::Json)),
        Some("text") => Ok(Some(LogFormat::Text)),
        Some(_) => Err(VariableFault {
            name: VARIABLE,
            expected: "use auto, json or text",
        }),
    }
}
