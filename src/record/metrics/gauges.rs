//! What is not counted but looked at, whenever the numbers are read.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::super::{ExporterState, names};
use super::audit;
use super::caches::{self, CacheState};
use super::exporters;
use super::sources;
pub use super::sources::SourceState;
use crate::audit::AuditState;
use crate::auth::KeyState;
use crate::quota::StoreState;

/// How the server stands at one moment.
pub struct State {
    /// Calls that run.
    pub in_flight: u64,
    /// How many may.
    pub in_flight_limit: u64,
    /// Tenants whose calls they are.
    pub tenants: u64,
    /// How many of them each tool and resource has.
    pub targets: Vec<TargetState>,
    /// Subscriptions that are open.
    pub listeners: u64,
    /// Tasks that this process made and that are still kept.
    pub tasks: u64,
    /// Bytes of answers that wait to be read.
    pub unsent: u64,
    /// How each issuer's keys stand.
    pub keys: Vec<KeyState>,
    /// Addresses with recent failed authentications.
    pub failing_sources: u64,
    /// Buckets of quotas in this process.
    pub quota_buckets: u64,
    /// How many there may be.
    pub quota_buckets_limit: u64,
    /// How it stands with the store of the counts, where replicas share one.
    pub quota_store: Option<StoreState>,
    /// Failed authentications that there was no room to count.
    pub uncounted_failures: u64,
    /// How each source stands.
    pub sources: Vec<SourceState>,
    /// Callers with recent refused calls.
    pub denied_callers: u64,
    /// Refused calls that there was no room to count.
    pub uncounted_denials: u64,
    /// How often each cache was asked.
    pub caches: Vec<CacheState>,
    /// How it goes with sending to a collector, for each signal.
    pub exporters: Vec<ExporterState>,
    /// How it stands with the audit log, if there is one.
    pub audit: Option<AuditState>,
    /// Which configuration is served.
    pub config: ConfigState,
}

/// How what is served stands to the configuration.
#[derive(Clone, Copy)]
pub struct ConfigState {
    /// Counts from 1, the one of the start.
    pub generation: u64,
    /// Whether it is what the operator last asked for.
    pub is_current: bool,
    /// Reloads that were carried out.
    pub done: u64,
    /// Reloads that were refused.
    pub failed: u64,
}

/// How many calls of one tool or resource there are.
pub struct TargetState {
    /// The tool's name or the resource's URI template.
    pub target: Arc<str>,
    /// Calls that hold a place.
    pub running: u64,
    /// Calls that wait for one.
    pub waiting: u64,
}

pub(super) type Observe = Arc<dyn Fn() -> Option<State> + Send + Sync>;

pub(super) fn register(meter: &Meter, observe: impl Fn() -> Option<State> + Send + Sync + 'static) {
    let observe: Observe = Arc::new(observe);
    meter
        .u64_observable_gauge(names::IN_FLIGHT)
        .with_description("Calls that run now")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.in_flight, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::CALLS_LIMIT)
        .with_description("Calls that may run at once")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.in_flight_limit, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::TENANTS)
        .with_description("Tenants whose calls run now")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.tenants, &[]);
        }))
        .build();
    register_targets(meter, &observe);
    meter
        .u64_observable_gauge(names::LISTENERS)
        .with_description("Subscriptions that are open now")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.listeners, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::TASKS)
        .with_description("Tasks that are kept")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.tasks, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::UNSENT)
        .with_unit("By")
        .with_description("Answers that wait to be read")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.unsent, &[]);
        }))
        .build();
    register_floods(meter, &observe);
    register_keys(meter, &observe);
    register_config(meter, &observe);
    register_store(meter, &observe);
    sources::register(meter, &observe);
    caches::register(meter, &observe);
    exporters::register(meter, &observe);
    audit::register(meter, &observe);
}

fn register_floods(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_gauge(names::FAILING_SOURCES)
        .with_description("Addresses whose failed authentications are being counted")
        .with_callback(of_state(observe, |state, gauge| {
            gauge.observe(state.failing_sources, &[]);
        }))
        .build();
    meter
        .u64_observable_counter(names::UNCOUNTED_FAILURES)
        .with_description("Failed authentications beyond the addresses that can be counted")
        .with_callback(of_state(observe, |state, counter| {
            counter.observe(state.uncounted_failures, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::DENIED_CALLERS)
        .with_description("Callers whose refused calls are being counted")
        .with_callback(of_state(observe, |state, gauge| {
            gauge.observe(state.denied_callers, &[]);
        }))
        .build();
    meter
        .u64_observable_counter(names::UNCOUNTED_DENIALS)
        .with_description("Refused calls beyond the callers that can be counted")
        .with_callback(of_state(observe, |state, counter| {
            counter.observe(state.uncounted_denials, &[]);
        }))
        .build();
}

fn register_targets(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_gauge(names::TARGET_RUNNING)
        .with_description("Calls of the target that run now")
        .with_callback(of_targets(observe, |target| target.running))
        .build();
    meter
        .u64_observable_gauge(names::TARGET_WAITING)
        .with_description("Calls that wait for a place at the target")
        .with_callback(of_targets(observe, |target| target.waiting))
        .build();
}

fn register_keys(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_gauge(names::KEYS_USABLE)
        .with_description("1 while tokens of the issuer can be verified, else 0")
        .with_callback(of_keys(observe, |keys| Some(u64::from(keys.usable))))
        .build();
    meter
        .f64_observable_gauge(names::KEYS_AGE)
        .with_unit("s")
        .with_description("Since the issuer's keys were last fetched")
        .with_callback(of_keys(observe, |keys| Some(keys.age?.as_secs_f64())))
        .build();
    meter
        .u64_observable_counter(names::KEYS_FAILURES)
        .with_description("Fetches of the issuer's keys that failed")
        .with_callback(of_keys(observe, |keys| Some(keys.failures)))
        .build();
}

fn register_config(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_counter(names::CONFIG_RELOADS)
        .with_description("Reloads of the configuration, by whether they were carried out")
        .with_callback(of_state(observe, |state, counter| {
            let label = |result| [KeyValue::new(names::RESULT, result)];
            counter.observe(state.config.done, &label("ok"));
            counter.observe(state.config.failed, &label("failed"));
        }))
        .build();
    meter
        .u64_observable_gauge(names::CONFIG_CURRENT)
        .with_description("1 while what is served is what the configuration says, else 0")
        .with_callback(of_state(observe, |state, gauge| {
            gauge.observe(u64::from(state.config.is_current), &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::CONFIG_GENERATION)
        .with_description("Which configuration is served; that of the start is 1")
        .with_callback(of_state(observe, |state, gauge| {
            gauge.observe(state.config.generation, &[]);
        }))
        .build();
}

fn register_store(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_gauge(names::QUOTA_BUCKETS)
        .with_description("Buckets of quotas that are not full, in this process")
        .with_callback(of_state(observe, |state, gauge| {
            gauge.observe(state.quota_buckets, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::QUOTA_BUCKETS_LIMIT)
        .with_description("Buckets that there may be in this process")
        .with_callback(of_state(observe, |state, gauge| {
            gauge.observe(state.quota_buckets_limit, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::QUOTA_STORE_UP)
        .with_description("1 while calls are counted in the quota store, 0 while it fails")
        .with_callback(of_store(observe, |store, gauge| {
            gauge.observe(u64::from(store.is_up), &[]);
        }))
        .build();
    meter
        .u64_observable_counter(names::QUOTA_STORE_TRANSITIONS)
        .with_description("How often the quota store became good or failed")
        .with_callback(of_store(observe, |store, counter| {
            counter.observe(store.transitions, &[]);
        }))
        .build();
    meter
        .u64_observable_counter(names::QUOTA_DECISIONS)
        .with_description("Calls with limits, by who decided them: the store, or without it this process or nobody")
        .with_callback(of_store(observe, |store, counter| {
            for (by, calls) in store.decisions {
                counter.observe(calls, &[KeyValue::new(names::DECIDED_BY, by.as_str())]);
            }
        }))
        .build();
}

fn of_store<T>(
    observe: &Observe,
    tell: impl Fn(StoreState, &dyn AsyncInstrument<T>) + Send + Sync + 'static,
) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
    of_state(observe, move |state, instrument| {
        if let Some(store) = state.quota_store {
            tell(store, instrument);
        }
    })
}

pub(super) fn of_state<T>(
    observe: &Observe,
    tell: impl Fn(State, &dyn AsyncInstrument<T>) + Send + Sync + 'static,
) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
    let observe = Arc::clone(observe);
    move |instrument| {
        if let Some(state) = observe() {
            tell(state, instrument);
        }
    }
}

fn of_targets(
    observe: &Observe,
    value: impl Fn(&TargetState) -> u64 + Send + Sync + 'static,
) -> impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync + 'static {
    of_state(observe, move |state, instrument| {
        for target in &state.targets {
            let name = KeyValue::new(names::TARGET, Arc::clone(&target.target));
            instrument.observe(value(target), &[name]);
        }
    })
}

fn of_keys<T>(
    observe: &Observe,
    value: impl Fn(&KeyState) -> Option<T> + Send + Sync + 'static,
) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
    of_state(observe, move |state, instrument| {
        for keys in &state.keys {
            if let Some(value) = value(keys) {
                instrument.observe(value, &[KeyValue::new(names::ISSUER, keys.issuer.clone())]);
            }
        }
    })
}
