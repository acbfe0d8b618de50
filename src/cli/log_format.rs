//! What the lines of `tollgate serve` look like.
//!
//! The environment goes before the file, since the deployment knows who reads. A reader would ask why
//! the console's traces decide as well: they are text, and one stream should not hold both.

use super::{CliError, ConfigArgs};
use crate::config::{LogFormat, ProcessEnvironment, Telemetry, TraceExporter, log_format};
use crate::log::{self, Format};

/// Chooses by the environment, then by what the file says, as soon as it is read.
pub(super) fn choose(file: Option<&Telemetry>, args: &ConfigArgs) -> Result<(), CliError> {
    let said = match log_format(&ProcessEnvironment)? {
        Some(said) => said,
        None => file.map_or(LogFormat::Auto, |file| file.logs),
    };
    let has_spans = |file: &Telemetry| file.traces.contains(&TraceExporter::Console);
    let is_for_people = args.dev || log::is_watched() || file.is_some_and(has_spans);
    let format = match said {
        LogFormat::Json => Format::Json,
        LogFormat::Auto if !is_for_people => Format::Json,
        LogFormat::Auto | LogFormat::Text => Format::Text,
    };
    format.choose();
    Ok(())
}
