//! How it goes with sending traces and metrics to a collector.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::super::exports::TRACES;
use super::super::names;
use super::gauges::{Observe, of_state};

pub(super) fn register(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_gauge(names::EXPORTER_UP)
        .with_description("1 while the collector takes what is sent to it, else 0")
        .with_callback(of_state(observe, |state, gauge| {
            for exporter in &state.exporters {
                let signal = KeyValue::new(names::SIGNAL, exporter.signal);
                gauge.observe(u64::from(exporter.is_up), &[signal]);
            }
        }))
        .build();
    meter
        .u64_observable_counter(names::EXPORTS)
        .with_description("Requests to the collector, by whether it took what they held")
        .with_callback(of_state(observe, |state, counter| {
            for exporter in &state.exporters {
                for (result, count) in [("ok", exporter.done), ("failed", exporter.failed)] {
                    let labels = [
                        KeyValue::new(names::SIGNAL, exporter.signal),
                        KeyValue::new(names::RESULT, result),
                    ];
                    counter.observe(count, &labels);
                }
            }
        }))
        .build();
    meter
        .u64_observable_counter(names::SPANS_LOST)
        .with_description("Spans that were sent in vain, or that there was no room for")
        .with_callback(of_state(observe, |state, counter| {
            let exporters = state.exporters.iter();
            for traces in exporters.filter(|exporter| exporter.signal == TRACES) {
                counter.observe(traces.lost, &[]);
            }
        }))
        .build();
}
