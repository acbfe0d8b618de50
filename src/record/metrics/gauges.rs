//! What is not counted but looked at, whenever the numbers are read.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::super::names;
use super::sources;
pub use super::sources::SourceState;
use crate::auth::KeyState;

/// How the server stands at one moment.
pub struct State {
    /// Calls that run.
    pub in_flight: u64,
    /// Bytes of answers that wait to be read.
    pub unsent: u64,
    /// How each issuer's keys stand.
    pub keys: Vec<KeyState>,
    /// Addresses with recent failed authentications.
    pub failing_sources: u64,
    /// Failed authentications that there was no room to count.
    pub uncounted_failures: u64,
    /// How each source stands.
    pub sources: Vec<SourceState>,
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
        .u64_observable_gauge(names::UNSENT)
        .with_unit("By")
        .with_description("Answers that wait to be read")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.unsent, &[]);
        }))
        .build();
    meter
        .u64_observable_gauge(names::FAILING_SOURCES)
        .with_description("Addresses whose failed authentications are being counted")
        .with_callback(of_state(&observe, |state, gauge| {
            gauge.observe(state.failing_sources, &[]);
        }))
        .build();
    meter
        .u64_observable_counter(names::UNCOUNTED_FAILURES)
        .with_description("Failed authentications beyond the addresses that can be counted")
        .with_callback(of_state(&observe, |state, counter| {
            counter.observe(state.uncounted_failures, &[]);
        }))
        .build();
    register_keys(meter, &observe);
    sources::register(meter, &observe);
    meter
        .u64_observable_gauge(names::BUILD_INFO)
        .with_description("Always 1; the label tells the version")
        .with_callback(|gauge| {
            gauge.observe(
                1,
                &[KeyValue::new(names::VERSION, env!("CARGO_PKG_VERSION"))],
            );
        })
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
