//! Where spans go, and which ones.
//!
//! Export goes through the SDK: to the console in dev mode, to a collector by OTLP. What its standard
//! variables say and the SDK reads itself (batches, sampler) is not repeated here.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider, TracerProviderBuilder,
};

use super::console::ConsoleExporter;
use super::export::{Bounded, Queue, Watched};
use super::otlp::{self, Link, OtlpSettings, TracingError};
use super::{ExporterState, resource};
use crate::trace::Tracer;

/// How long a span may wait for others before its line is written.
const CONSOLE_DELAY: Duration = Duration::from_millis(100);
/// The specification's default for `OTEL_BSP_MAX_QUEUE_SIZE`.
const MAX_QUEUE: usize = 2_048;

/// Where spans go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exporter {
    /// One readable line a span, on standard error.
    Console,
    /// A collector, by OTLP, as the `OTEL_EXPORTER_OTLP_*` variables say.
    Otlp,
}

/// Which spans there are, and how they get away. The default is what the SDK makes of its variables.
#[derive(Clone, Debug, PartialEq)]
pub struct TracingSettings {
    /// The share of traces that is sampled, from 0 to 1, of those that begin here; one that a caller
    /// samples always is. `None`: as `OTEL_TRACES_SAMPLER` says.
    pub sampling: Option<f64>,
    /// Whether callers' trace context is read, and our own sent on.
    pub propagates: bool,
    /// Most spans that wait for the collector; more are dropped. Default 2048.
    pub max_queue: Option<usize>,
    /// Most characters of an attribute's text. Default: any.
    pub max_text: Option<usize>,
    /// Most attributes of a span, of an event and of a link. Default 128.
    pub max_attributes: [Option<u32>; 3],
    /// How a collector is spoken to.
    pub otlp: OtlpSettings,
}

impl Default for TracingSettings {
    fn default() -> Self {
        Self {
            sampling: None,
            propagates: true,
            max_queue: None,
            max_text: None,
            max_attributes: [None; 3],
            otlp: OtlpSettings::default(),
        }
    }
}

/// Builds and exports spans.
pub struct Tracing {
    provider: SdkTracerProvider,
    pub(super) tracer: Arc<Tracer>,
    /// On the way to a collector.
    queue: Option<Arc<Queue>>,
}

impl Tracing {
    /// Spans of `service`, to each of `exporters`.
    ///
    /// # Errors
    /// [`TracingError`] when the OTLP exporter cannot be made from the settings and the environment.
    pub fn new(
        service: &str,
        exporters: &[Exporter],
        settings: &TracingSettings,
    ) -> Result<Self, TracingError> {
        let builder = SdkTracerProvider::builder().with_resource(resource::of(service));
        let mut builder = bounded(builder, settings);
        let mut queue = None;
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
                    let watched = Watched {
                        inner: otlp::spans(&settings.otlp)?,
                        queue: Arc::clone(queue.get_or_insert_default()),
                    };
                    builder.with_span_processor(batches(watched, settings))
                }
            };
        }
        let mut tracing = Self::over(builder.build());
        tracing.queue = queue;
        tracing.tracer = tracing.tracer_that(settings.propagates);
        Ok(tracing)
    }

    /// Spans through a provider of the embedding program's own making.
    pub fn over(provider: SdkTracerProvider) -> Self {
        Self {
            tracer: Arc::new(Tracer::new(tracer(&provider), true)),
            provider,
            queue: None,
        }
    }

    fn tracer_that(&self, propagates: bool) -> Arc<Tracer> {
        Arc::new(Tracer::new(tracer(&self.provider), propagates))
    }

    /// How it goes with sending to a collector, where there is one.
    pub(super) fn exporter(&self) -> Option<ExporterState> {
        self.queue.as_ref().map(|queue| queue.exports.state())
    }

    /// Exports what is held; failures are told by the exporter.
    #[cfg(feature = "lambda")]
    pub(super) fn send(&self) {
        let _ = self.provider.force_flush();
    }

    /// Exports what is held and stops, within `patience`.
    pub(super) fn shutdown(&self, patience: Duration) {
        if self.provider.shutdown_with_timeout(patience).is_err() {
            tracing::warn!("the last spans could not be exported in time");
        }
    }
}

fn bounded(
    mut builder: TracerProviderBuilder,
    settings: &TracingSettings,
) -> TracerProviderBuilder {
    // A caller that samples its trace has ours sampled; one that does not is a link, and no parent.
    if let Some(share) = settings.sampling {
        let root = Box::new(Sampler::TraceIdRatioBased(share));
        builder = builder.with_sampler(Sampler::ParentBased(root));
    }
    let [span, event, link] = settings.max_attributes;
    if let Some(most) = span {
        builder = builder.with_max_attributes_per_span(most);
    }
    if let Some(most) = event {
        builder = builder.with_max_attributes_per_event(most);
    }
    if let Some(most) = link {
        builder = builder.with_max_attributes_per_link(most);
    }
    builder
}

/// What makes the spans, and in which version, is told beside them.
fn tracer(provider: &SdkTracerProvider) -> opentelemetry_sdk::trace::SdkTracer {
    let scope = InstrumentationScope::builder("tollgate").with_version(env!("CARGO_PKG_VERSION"));
    provider.tracer_with_scope(scope.build())
}

fn batches(exporter: Watched<Link<SpanExporter>>, settings: &TracingSettings) -> Bounded {
    let capacity = settings.max_queue.unwrap_or(MAX_QUEUE);
    let config = BatchConfigBuilder::default().with_max_queue_size(capacity);
    Bounded {
        queue: Arc::clone(&exporter.queue),
        inner: BatchSpanProcessor::builder(exporter)
            .with_batch_config(config.build())
            .build(),
        capacity,
        max_text: settings.max_text,
    }
}
