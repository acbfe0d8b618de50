//! What the environment says of metrics goes before the file: the deployment knows its collector.

use super::CliError;
use crate::config::{OtelMetrics, ProcessEnvironment};
use crate::record::{ExportTimes, MetricReader};
use crate::server::{ServerBuilder, metric_readers};

/// Applies OpenTelemetry's variables. A collector that is named gets the numbers besides whoever else
/// reads them; `OTEL_SDK_DISABLED` keeps them from being sent, and leaves `/metrics`, which has a
/// switch of its own.
pub(super) fn read_environment(builder: ServerBuilder) -> Result<ServerBuilder, CliError> {
    let said = OtelMetrics::read(&ProcessEnvironment)?;
    let builder = builder.export_times(ExportTimes {
        interval: said.interval,
        timeout: said.timeout,
    });
    if said.readers.is_none() && !said.names_endpoint && !said.is_disabled {
        return Ok(builder);
    }
    let mut readers = match said.readers {
        Some(readers) => metric_readers(&readers),
        None => {
            let mut readers = builder.metric_readers();
            readers.extend(said.names_endpoint.then_some(MetricReader::Otlp));
            readers
        }
    };
    if said.is_disabled {
        readers.retain(|reader| *reader != MetricReader::Otlp);
    }
    Ok(builder.metrics(readers))
}
