//! How the sources behind tools stand: their breakers and further tries.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::super::names;
use super::gauges::{Observe, of_state};

/// How a source stands at one moment.
pub struct SourceState {
    /// Its name in the configuration.
    pub source: String,
    /// 0 closed, 1 half-open, 2 open; `None` without a breaker.
    pub breaker: Option<u64>,
    /// How often the breaker opened.
    pub opened: u64,
    /// How often it let one call through to see.
    pub half_opened: u64,
    /// How often it closed again.
    pub closed: u64,
    /// Further tries of calls.
    pub retries: u64,
}

pub(super) fn register(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_gauge(names::BREAKER_STATE)
        .with_description("0 while calls are let through, 1 while one is, 2 while they are refused")
        .with_callback(of_sources(observe, |state, tell| {
            if let Some(breaker) = state.breaker {
                tell(breaker, None);
            }
        }))
        .build();
    meter
        .u64_observable_counter(names::BREAKER_TRANSITIONS)
        .with_description("Changes of a breaker, by the state it went to")
        .with_callback(of_sources(observe, |state, tell| {
            if state.breaker.is_some() {
                tell(state.opened, Some("open"));
                tell(state.half_opened, Some("half-open"));
                tell(state.closed, Some("closed"));
            }
        }))
        .build();
    meter
        .u64_observable_counter(names::SOURCE_RETRIES)
        .with_description("Further tries of calls that failed in a way that may pass")
        .with_callback(of_sources(observe, |state, tell| tell(state.retries, None)))
        .build();
}

fn of_sources(
    observe: &Observe,
    values: impl Fn(&SourceState, &dyn Fn(u64, Option<&'static str>)) + Send + Sync + 'static,
) -> impl Fn(&dyn AsyncInstrument<u64>) + Send + Sync + 'static {
    of_state(observe, move |state, instrument| {
        for source in &state.sources {
            values(source, &|value, to| {
                let mut labels = vec![KeyValue::new(names::SOURCE, source.source.clone())];
                labels.extend(to.map(|to| KeyValue::new(names::STATE, to)));
                instrument.observe(value, &labels);
            });
        }
    })
}
