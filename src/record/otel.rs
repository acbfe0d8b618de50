//! Where spans go.
//!
//! Export goes through the SDK: to the console in dev mode, to OTLP over HTTP by the standard
//! `OTEL_EXPORTER_OTLP_*` variables. Sampling follows `OTEL_TRACES_SAMPLER`.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};

use super::console::ConsoleExporter;

/// How long a span may wait for others before its line is written.
const CONSOLE_DELAY: Duration = Duration::from_millis(100);

/// Where spans go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exporter {
    /// One readable line a span, on standard error.
    Console,
    /// OTLP over HTTP with protobuf, as the `OTEL_EXPORTER_OTLP_*` variables say.
    Otlp,
}

/// Why tracing could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("the OTLP exporter cannot be set up: {0}")]
pub struct TracingError(String);

impl From<ExporterBuildError> for TracingError {
    /// The library quotes the value of a setting, and the URL of a collector may hold a password: only
    /// the setting's name is kept.
    fn from(error: ExporterBuildError) -> Self {
        let name = match &error {
            ExporterBuildError::InvalidConfiguration(text) => text.split(':').next(),
            _ => None,
        };
        let is_variable = |name: &&str| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        Self(match name.filter(is_variable) {
            Some(name) => format!("the environment variable {name} has a value that is not valid"),
            None => "check the OTEL_EXPORTER_OTLP_* environment variables".to_owned(),
        })
    }
}

/// Builds and exports spans.
pub struct Tracing {
    provider: SdkTracerProvider,
    pub(super) tracer: Arc<SdkTracer>,
}

impl Tracing {
    /// Spans of `service`, to each of `exporters`.
    ///
    /// # Errors
    /// [`TracingError`] when the OTLP exporter cannot be made from the environment's settings.
    pub fn new(service: &str, exporters: &[Exporter]) -> Result<Self, TracingError> {
        let mut builder = SdkTracerProvider::builder().with_resource(
            Resource::builder()
                .with_service_name(service.to_owned())
                .build(),
        );
        for exporter in exporters {
            builder = match exporter {
                Exporter::Console => {
                    // From a thread of its own: a terminal that stands still must not hold up calls.
                    let soon = BatchConfigBuilder::default().with_scheduled_delay(CONSOLE_DELAY);
                    let lines = BatchSpanProcessor::builder(ConsoleExporter::stderr())
                        .with_batch_config(soon.build())
                        .build();
                    builder.with_span_processor(lines)
                }
                Exporter::Otlp => {
                    let otlp = opentelemetry_otlp::SpanExporter::builder()
                        .with_http()
                        .build()?;
                    builder.with_batch_exporter(otlp)
                }
            };
        }
        Ok(Self::over(builder.build()))
    }

    /// Spans through a provider of the embedding program's own making.
    pub fn over(provider: SdkTracerProvider) -> Self {
        Self {
            tracer: Arc::new(provider.tracer("tollgate")),
            provider,
        }
    }

    /// Exports what is held and stops, within `patience`.
    pub(super) fn shutdown(&self, patience: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(patience) {
            tracing::warn!(%error, "some spans could not be exported");
        }
    }
}
