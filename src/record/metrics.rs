//! Closed records become numbers: how many calls, how they ended, how long they took.
//!
//! Instruments are OpenTelemetry's, read out in Prometheus' text format; another exporter is another
//! reader of the same provider. Every label comes from the catalogue, the error table or the
//! configuration, never from a caller, so that nobody can make series. A reader would ask why the
//! SDK's experimental bound instruments are used: a counter takes 7 ns instead of 85, a histogram
//! 16 instead of 95, and the whole governed call about a microsecond. [`series`] alone binds.

mod audit;
mod caches;
mod edge;
mod exporters;
mod gauges;
mod process;
mod readers;
mod series;
mod sources;
mod tenants;

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded as bounded_channel};
use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use prometheus::{Encoder as _, Registry, TextEncoder};

use super::exports::{ExporterState, Exports};
use super::{CallRecord, names, resource};
use crate::auth::AuthError;
use crate::error::{CallError, EdgeError, Outcome, Row};
use crate::tool::Target;
pub use caches::CacheState;
use edge::Edge;
pub use gauges::{ConfigState, SourceState, State, TargetState};
pub use readers::{MetricReader, MetricReaders, MetricSettings};
use series::Series;
pub use tenants::TenantLabel;

/// Series that one target may have: surfaces × reasons, with room.
const SERIES_PER_TARGET: usize = 64;
/// Reloads add targets, and those they remove keep their series: room for as many again.
const GROWTH: usize = 2;
/// What is allowed where tenants are told apart, however many there are; what goes beyond is counted
/// in a series with `otel.metric.overflow`.
const SERIES_WITH_TENANTS: usize = 50_000;
/// In seconds; a call waits for the store no longer than a second.
const STORE_BOUNDARIES: [f64; 10] = [
    0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.075, 0.25,
];
/// What the SDK allows each instrument unless told otherwise.
const USUAL_SERIES: usize = 2_000;

/// The numbers of one server.
pub struct Metrics {
    series: Series,
    shadow_denials: Counter<u64>,
    approvals: Counter<u64>,
    edge_refusals: Counter<u64>,
    edge: Edge,
    store_latency: Histogram<f64>,
    unauthenticated: Unauthenticated,
    /// Where Prometheus reads.
    registry: Option<Registry>,
    /// How it goes with sending to a collector.
    exports: Option<Arc<Exports>>,
    /// Holds the instruments' readers.
    provider: SdkMeterProvider,
}

/// Whose numbers they are.
#[derive(Clone, Copy)]
pub struct Measured<'a> {
    /// The OpenTelemetry `service.name`.
    pub service: &'a str,
    /// How many tools and resources there are.
    pub targets: usize,
    /// Which tenants are told apart; `None` for none.
    pub tenants: Option<&'a TenantLabel>,
    /// When the process began, after the Unix epoch.
    pub started: Duration,
}

/// Requests that stayed without an identity, by reason.
struct Unauthenticated {
    missing: BoundCounter<u64>,
    invalid: BoundCounter<u64>,
    unavailable: BoundCounter<u64>,
    flood: BoundCounter<u64>,
}

impl Metrics {
    /// The numbers of what is `measured`, for `readers`. `observe` tells the current state whenever
    /// the numbers are read.
    ///
    /// # Errors
    /// Never with a registry of its own; the SDK's signature has one.
    pub fn new(
        measured: Measured<'_>,
        readers: &MetricReaders,
        observe: impl Fn() -> Option<State> + Send + Sync + 'static,
    ) -> Result<Self, OTelSdkError> {
        let mut builder = SdkMeterProvider::builder()
            .with_resource(resource::of(measured.service))
            .with_view(bounded(measured));
        let registry = readers.prometheus.then(Registry::new);
        if let Some(registry) = &registry {
            let exporter = opentelemetry_prometheus::exporter()
                .with_registry(registry.clone())
                .scope_info_enabled(false)
                .build()?;
            builder = builder.with_reader(exporter);
        }
        if let Some(otlp) = &readers.otlp {
            builder = builder.with_reader(otlp.reader());
        }
        let provider = builder.build();
        let meter = provider.meter("tollgate");
        gauges::register(&meter, observe);
        process::register(&meter, measured.started);
        Ok(Self {
            series: Series::new(&meter, measured.tenants),
            shadow_denials: meter
                .u64_counter(names::SHADOW_DENIALS)
                .with_description("Refusals that shadow mode did not carry out")
                .build(),
            approvals: meter
                .u64_counter(names::APPROVALS)
                .with_description("Calls that needed approval")
                .build(),
            edge_refusals: meter
                .u64_counter(names::EDGE_REFUSALS)
                .with_description("Requests that the HTTP edge refused")
                .build(),
            edge: Edge::new(&meter),
            store_latency: meter
                .f64_histogram(names::QUOTA_STORE_LATENCY)
                .with_unit("s")
                .with_description("How long the quota store took to count a call")
                .with_boundaries(STORE_BOUNDARIES.to_vec())
                .build(),
            unauthenticated: Unauthenticated::new(&meter),
            registry,
            exports: readers.otlp.as_ref().map(|otlp| Arc::clone(&otlp.exports)),
            provider,
        })
    }

    /// A shadowed policy would have refused a call of `target`, for a reason of a closed list.
    fn shadow_denied(&self, target: &Target, reason: &'static str) {
        let labels = [
            KeyValue::new(names::TARGET, target.name().to_owned()),
            KeyValue::new(names::REASON, reason),
        ];
        self.shadow_denials.add(1, &labels);
    }

    /// A call of `target` needed approval; what came of that is of a closed list.
    fn approval(&self, target: &Target, state: &'static str) {
        let labels = [
            KeyValue::new(names::TARGET, target.name().to_owned()),
            KeyValue::new(names::RESULT, state),
        ];
        self.approvals.add(1, &labels);
    }

    /// The quota store answered.
    pub(super) fn store_answered(&self, took: Duration) {
        self.store_latency.record(took.as_secs_f64(), &[]);
    }

    /// The edge refused a request.
    pub(super) fn refused_at_edge(&self, error: EdgeError) {
        let labels = [KeyValue::new(names::REASON, error.row().kind)];
        self.edge_refusals.add(1, &labels);
    }

    /// There was no place for a connection.
    pub(super) fn connection_refused(&self) {
        self.edge.refused.add(1);
    }

    /// Nobody read a connection's answers.
    pub(super) fn connection_cut(&self) {
        self.edge.cut.add(1);
    }

    /// A certificate changed on disk.
    pub(super) fn certificate_loaded(&self, usable: bool) {
        let loads = &self.edge.certificate_loads;
        let loads = if usable { &loads.used } else { &loads.refused };
        loads.add(1);
    }

    /// A request stayed without an identity, if that is what the error says.
    pub(super) fn unidentified(&self, error: &CallError) {
        match error {
            CallError::Unauthenticated(AuthError::Missing) => self.unauthenticated.missing.add(1),
            CallError::Unauthenticated(_) => self.unauthenticated.invalid.add(1),
            CallError::KeysUnavailable => self.unauthenticated.unavailable.add(1),
            CallError::TooManyFailures { .. } => self.unauthenticated.flood.add(1),
            _ => {}
        }
    }

    /// A request of an identified caller ended. The others are told by
    /// [`unidentified`](Self::unidentified) alone: a flood must not blur how long calls take.
    pub(super) fn ended(
        &self,
        record: &CallRecord,
        took: Duration,
        outcome: Outcome,
        error: Option<Row>,
    ) {
        if record.principal.is_some() {
            self.series.add(record, took, outcome, error);
        }
        if let Some(target) = &record.target {
            if let Some(approval) = &record.approval {
                self.approval(target, approval.state);
            }
            for would_deny in &record.would_deny {
                self.shadow_denied(target, would_deny.kind());
            }
        }
    }

    /// Whether [`prometheus`](Self::prometheus) has numbers.
    pub fn are_served(&self) -> bool {
        self.registry.is_some()
    }

    /// All numbers in Prometheus' text format, version 0.0.4; `None` where it is no reader.
    ///
    /// # Errors
    /// What keeps a family from being written.
    pub fn prometheus(&self) -> Result<Option<Vec<u8>>, prometheus::Error> {
        let Some(registry) = &self.registry else {
            return Ok(None);
        };
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&registry.gather(), &mut text)?;
        Ok(Some(text))
    }

    /// How it goes with sending to a collector, where there is one.
    pub(super) fn exporter(&self) -> Option<ExporterState> {
        self.exports.as_ref().map(|exports| exports.state())
    }

    /// Sends the numbers as they are; failures are told by `Exports`.
    #[cfg(feature = "lambda")]
    pub(super) fn send(&self) {
        let _ = self.provider.force_flush();
    }

    /// Sends the last numbers on a thread of its own, since a collector that hangs would hold this
    /// one; tells when it is done.
    pub(super) fn finish(&self) -> Receiver<()> {
        let (done, finished) = bounded_channel(1);
        let provider = self.provider.clone();
        let last = std::thread::Builder::new().name("last-metrics".to_owned());
        // Whoever waits learns from the closed channel as well; failures were told by `Exports`.
        let _ = last.spawn(move || {
            let _ = provider.shutdown();
            let _ = done.try_send(());
        });
        finished
    }
}

/// Bounds the series of what is counted by target.
fn bounded(
    measured: Measured<'_>,
) -> impl Fn(&Instrument) -> Option<Stream> + Send + Sync + 'static {
    let by_target = (measured.targets + 1) * SERIES_PER_TARGET * GROWTH;
    let by_target = by_target.max(USUAL_SERIES);
    let by_tenant = match measured.tenants {
        Some(_) => by_target.max(SERIES_WITH_TENANTS),
        None => by_target,
    };
    move |instrument: &Instrument| {
        let limit = match instrument.name() {
            names::CALLS | names::DURATION => by_tenant,
            names::TARGET_RUNNING | names::TARGET_WAITING => by_target,
            _ => return None,
        };
        Stream::builder().with_cardinality_limit(limit).build().ok()
    }
}

impl Unauthenticated {
    /// All reasons are there from the start, as zeros, so that the first flood shows as an increase.
    fn new(meter: &Meter) -> Self {
        let counter = meter
            .u64_counter(names::UNAUTHENTICATED)
            .with_description("Requests refused before authentication, or by it")
            .build();
        let of = |reason| counter.bind(&[KeyValue::new(names::REASON, reason)]);
        Self {
            missing: of("missing"),
            invalid: of("invalid"),
            unavailable: of("unavailable"),
            flood: of("flood"),
        }
    }
}
