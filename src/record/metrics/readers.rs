//! Who reads the numbers: Prometheus, when it asks, and a collector, to which they are sent.
//!
//! What the collector's exporter needs is checked when the server is made, so that a faulty setting
//! ends the start; the thread that sends runs from the moment there is something to observe. A
//! reader would ask why the exporter is wrapped: the SDK keeps to itself whether an export went well.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::{PeriodicReader, Temporality};

use crate::record::exports::{Exports, METRICS};
use crate::record::otlp::{self, Link, OtlpSettings, TracingError};

/// A way to read the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricReader {
    /// `/metrics` on the admin listener.
    Prometheus,
    /// A collector, by OTLP, as the `OTEL_EXPORTER_OTLP_*` variables say.
    Otlp,
}

/// When numbers are sent, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricSettings {
    /// Between two exports. Default 60 s.
    pub interval: Duration,
    /// How a collector is spoken to.
    pub otlp: OtlpSettings,
}

impl Default for MetricSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            otlp: OtlpSettings::default(),
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
    pub fn new(wanted: &[MetricReader], settings: &MetricSettings) -> Result<Self, TracingError> {
        let otlp = wanted.contains(&MetricReader::Otlp);
        Ok(Self {
            prometheus: wanted.contains(&MetricReader::Prometheus),
            otlp: otlp.then(|| Otlp::new(settings)).transpose()?,
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
    link: Arc<Link<MetricExporter>>,
    pub(super) exports: Arc<Exports>,
    interval: Duration,
}

impl Otlp {
    fn new(settings: &MetricSettings) -> Result<Self, TracingError> {
        Ok(Self {
            link: Arc::new(otlp::metrics(&settings.otlp)?),
            exports: Arc::new(Exports::new(METRICS)),
            interval: settings.interval,
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
        let exporter = self.link.exporter();
        let result = self.link.send(exporter.export(metrics)).await;
        self.exports.ended(&result, 0);
        result
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.link.exporter().force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.link.exporter().shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.link.exporter().temporality()
    }
}
