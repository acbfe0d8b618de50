//! Closed records become numbers: how many calls, how they ended, how long they took.
//!
//! Instruments are OpenTelemetry's, read out in Prometheus' text format; another exporter is another
//! reader of the same provider. Every label comes from the catalogue, the error table or the
//! configuration, never from a caller, so that nobody can make series. A reader would ask why the
//! SDK's experimental bound instruments are used: a counter takes 7 ns instead of 85, a histogram
//! 16 instead of 95, and the whole governed call about a microsecond. [`series`] alone binds.

mod edge;
mod gauges;
mod series;
mod sources;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, Counter, Histogram, Meter, MeterProvider as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream};
use prometheus::{Encoder as _, Registry, TextEncoder};

use super::{CallRecord, names};
use crate::auth::AuthError;
use crate::error::{CallError, EdgeError, Outcome, Row};
use crate::tool::Target;
use edge::Edge;
pub use gauges::{ConfigState, SourceState, State, TargetState};
use series::Series;

/// Series that one target may have: surfaces × reasons, with room.
const SERIES_PER_TARGET: usize = 64;
/// Reloads add targets, and those they remove keep their series: room for as many again.
const GROWTH: usize = 2;
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
    edge_refusals: Counter<u64>,
    edge: Edge,
    store_latency: Histogram<f64>,
    unauthenticated: Unauthenticated,
    registry: Registry,
    /// Holds the instruments' readers.
    _provider: SdkMeterProvider,
}

/// Requests that stayed without an identity, by reason.
struct Unauthenticated {
    missing: BoundCounter<u64>,
    invalid: BoundCounter<u64>,
    unavailable: BoundCounter<u64>,
    flood: BoundCounter<u64>,
}

impl Metrics {
    /// Numbers of `service`, which has `targets` tools and resources. `observe` tells the current
    /// state whenever the numbers are read.
    ///
    /// # Errors
    /// Never with a registry of its own; the SDK's signature has one.
    pub fn new(
        service: &str,
        targets: usize,
        observe: impl Fn() -> Option<State> + Send + Sync + 'static,
    ) -> Result<Self, OTelSdkError> {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()?;
        let limit = USUAL_SERIES.max((targets + 1) * SERIES_PER_TARGET * GROWTH);
        let provider = SdkMeterProvider::builder()
            .with_resource(
                Resource::builder()
                    .with_service_name(service.to_owned())
                    .build(),
            )
            .with_view(move |instrument: &Instrument| {
                let by_target = [
                    names::CALLS,
                    names::DURATION,
                    names::TARGET_RUNNING,
                    names::TARGET_WAITING,
                ];
                let grows = by_target.contains(&instrument.name());
                let stream = Stream::builder().with_cardinality_limit(limit);
                grows.then(|| stream.build().ok()).flatten()
            })
            .with_reader(exporter)
            .build();
        let meter = provider.meter("tollgate");
        gauges::register(&meter, observe);
        Ok(Self {
            series: Series::new(&meter),
            shadow_denials: meter
                .u64_counter(names::SHADOW_DENIALS)
                .with_description("Refusals that shadow mode did not carry out")
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
            _provider: provider,
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
            for would_deny in &record.would_deny {
                self.shadow_denied(target, would_deny.kind());
            }
        }
    }

    /// All numbers in Prometheus' text format, version 0.0.4.
    ///
    /// # Errors
    /// What keeps a family from being written.
    pub fn prometheus(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
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
