//! Who reads the numbers: Prometheus, when it asks, and a collector, to which they are sent.
//!
//! What the collector's exporter needs is checked when the server is made, so that a faulty setting
//! ends the start; the thread that sends runs from the moment there is something to observe. A
//! reader would ask why the exporter is wrapped: the SDK keeps to itself whether an export went well.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::{MetricExporter, WithExportConfig as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, Temporality};

use crate::record::TracingError;
use crate::record::exports::{Exports, METRICS};

/// A way to read the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricReader {
    /// `/metrics` on the admin listener.
    Prometheus,
    /// OTLP over HTTP with protobuf, as the `OTEL_EXPORTER_OTLP_*` variables say.
    Otlp,
}

/// When numbers are sent, and how long that may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportTimes {
    /// Between two exports. Default 60 s.
    pub interval: Duration,
    /// For one try of one export. Default 10 s.
    pub timeout: Duration,
}

impl Default for ExportTimes {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
        }
    }
}

/// The readers of one server. Clones are the same.
#[derive(Clone, Default)]
pub struct MetricReaders {
    pub(super) prometheus: bool,
    pub(super) otlp: Option<Otlp>,
}

impl MetricReaders {
    /// The readers that are `wanted`.
    ///
    /// # Errors
    /// [`TracingError`] when the OTLP exporter cannot be made from the environment's settings.
    pub fn new(wanted: &[MetricReader], times: ExportTimes) -> Result<Self, TracingError> {
        let otlp = wanted.contains(&MetricReader::Otlp);
        Ok(Self {
            prometheus: wanted.contains(&MetricReader::Prometheus),
            otlp: otlp.then(|| Otlp::new(times)).transpose()?,
        })
    }

    /// Those that there are where nothing is listening for Prometheus.
    pub fn without_prometheus(&self) -> Self {
        Self {
            prometheus: false,
            otlp: self.otlp.clone(),
        }
    }

    /// Whether nobody reads.
    pub fn is_empty(&self) -> bool {
        !self.prometheus && self.otlp.is_none()
    }
}

/// Sends to a collector, and notes how that goes.
#[derive(Clone)]
pub(super) struct Otlp {
    exporter: Arc<MetricExporter>,
    pub(super) exports: Arc<Exports>,
    interval: Duration,
}

impl Otlp {
    fn new(times: ExportTimes) -> Result<Self, TracingError> {
        let exporter = MetricExporter::builder()
            .with_http()
            .with_timeout(times.timeout)
            .build()?;
        Ok(Self {
            exporter: Arc::new(exporter),
            exports: Arc::new(Exports::new(METRICS)),
            interval: times.interval,
        })
    }

    /// Starts the thread that sends.
    pub(super) fn reader(&self) -> PeriodicReader<Self> {
        PeriodicReader::builder(self.clone())
            .with_interval(self.interval)
            .build()
    }
}

impl PushMetricExporter for Otlp {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        let result = self.exporter.export(metrics).await;
        self.exports.ended(&result, 0);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.exporter.temporality()
    }
}
