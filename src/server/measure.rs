//! What a server counts, from the moment that there is something to observe.
//!
//! On HTTP and on stdio, if somebody reads the numbers. A reader would ask why this is not done where
//! the pipeline is made: `tollgate check` makes one as well, and must send nothing to a collector.

use std::sync::Arc;

use arc_swap::ArcSwap;
use opentelemetry_sdk::error::OTelSdkError;

use crate::pipeline::{Pipeline, Standing};
use crate::record::{
    CacheState, ConfigState, Measured, MetricReader, MetricReaders, MetricSettings, Metrics,
    SourceState, State, TargetState, TenantLabel, TracingError,
};
use crate::source::resilience::{BreakerState, Resilience};

/// How the sources of what is served take failures.
pub(super) type Sources = Arc<ArcSwap<Vec<Arc<Resilience>>>>;

/// What is to be counted, and for whom.
pub(super) struct Measuring {
    pub(super) readers: MetricReaders,
    service: String,
    tenants: Option<TenantLabel>,
}

impl Measuring {
    pub(super) fn new(
        wanted: &[MetricReader],
        settings: &MetricSettings,
        service: &str,
        tenants: Option<TenantLabel>,
    ) -> Result<Self, TracingError> {
        Ok(Self {
            readers: MetricReaders::new(wanted, settings)?,
            service: service.to_owned(),
            tenants,
        })
    }

    /// Starts to count in `pipeline` and those that follow it, if anybody among `readers` reads.
    /// `current` is the one that is served, as long as there is one; it must not keep it alive.
    pub(super) fn start(
        &self,
        readers: &MetricReaders,
        pipeline: &Pipeline,
        sources: &Sources,
        current: impl Fn() -> Option<Arc<Pipeline>> + Send + Sync + 'static,
    ) -> Result<(), OTelSdkError> {
        if readers.is_empty() {
            return Ok(());
        }
        let measured = Measured {
            service: &self.service,
            targets: pipeline.catalog.targets().len(),
            tenants: self.tenants.as_ref(),
            started: pipeline.recorder.now(),
        };
        let sources = Arc::clone(sources);
        let observe = move || current().map(|pipeline| state(&pipeline, &sources));
        let metrics = Metrics::new(measured, readers, observe)?;
        pipeline.recorder.measure(metrics);
        let recorder = Arc::downgrade(&pipeline.recorder);
        pipeline.quotas.tell_store_latency(move |took| {
            if let Some(recorder) = recorder.upgrade() {
                recorder.store_answered(took);
            }
        });
        Ok(())
    }
}

fn state(pipeline: &Pipeline, sources: &Sources) -> State {
    let reloads = pipeline.reloads.state();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let (buckets, buckets_limit) = pipeline.quotas.buckets();
    let targets = pipeline.places.states().into_iter();
    let targets = targets.map(|state| TargetState {
        target: state.target,
        running: count(state.running),
        waiting: count(state.waiting),
    });
    State {
        quota_buckets: count(buckets),
        quota_buckets_limit: count(buckets_limit),
        in_flight_limit: count(pipeline.load.cap()),
        caches: caches(pipeline),
        exporters: pipeline.recorder.exporters(),
        audit: pipeline.recorder.audit_state(),
        in_flight: count(pipeline.load.running()),
        tenants: count(pipeline.load.tenants()),
        targets: targets.collect(),
        listeners: count(pipeline.listeners.count()),
        tasks: count(pipeline.tasks.count()),
        unsent: count(pipeline.load.unsent()),
        keys: pipeline.authenticator.key_states(),
        quota_store: pipeline.quotas.store_state(),
        failing_sources: count(pipeline.failures.sources()),
        uncounted_failures: pipeline.failures.uncounted(),
        config: ConfigState {
            generation: reloads.generation(),
            is_current: reloads.standing == Standing::Current,
            done: reloads.done,
            failed: reloads.failed,
        },
        denied_callers: count(pipeline.denials.callers()),
        uncounted_denials: pipeline.denials.uncounted(),
        sources: sources
            .load()
            .iter()
            .map(|source| source_state(source))
            .collect(),
    }
}

fn caches(pipeline: &Pipeline) -> Vec<CacheState> {
    let (tokens, introspection) = pipeline.authenticator.lookups();
    let all = [
        ("tokens", Some(tokens)),
        ("introspection", introspection),
        ("lists", Some(pipeline.list_lookups.counts())),
    ];
    let asked = all.into_iter();
    let asked = asked.filter_map(|(cache, counts)| {
        let (hits, misses) = counts?;
        Some(CacheState {
            cache,
            hits,
            misses,
        })
    });
    asked.collect()
}

fn source_state(source: &Resilience) -> SourceState {
    let entered = |state| source.entered(state);
    SourceState {
        source: source.name().to_owned(),
        breaker: source.state().map(|state| match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        }),
        opened: entered(BreakerState::Open),
        half_opened: entered(BreakerState::HalfOpen),
        closed: entered(BreakerState::Closed),
        retries: source.retries(),
    }
}
