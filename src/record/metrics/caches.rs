//! How often what was worked out before could be used again.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::super::names;
use super::gauges::{Observe, of_state};

/// How often a cache was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheState {
    /// Which cache, of a closed list.
    pub cache: &'static str,
    /// Questions that it had the answer to.
    pub hits: u64,
    /// Questions that it had not.
    pub misses: u64,
}

pub(super) fn register(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_counter(names::CACHE_LOOKUPS)
        .with_description("Questions to a cache, by whether it had the answer")
        .with_callback(of_state(observe, |state, counter| {
            for cache in &state.caches {
                for (result, count) in [("hit", cache.hits), ("miss", cache.misses)] {
                    let labels = [
                        KeyValue::new(names::CACHE, cache.cache),
                        KeyValue::new(names::RESULT, result),
                    ];
                    counter.observe(count, &labels);
                }
            }
        }))
        .build();
}
