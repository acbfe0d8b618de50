//! The `telemetry` section: what the server tells about itself, and where.
//!
//! A reader would ask where the collector's address is: OTLP exporters have standard environment variables.

use super::document::At;
use super::faults::Faults;
use super::raw::{RawShare, RawTelemetry, RawTraceExporter};

/// The checked `telemetry` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// Where spans go, each destination once; default nowhere.
    pub traces: Vec<TraceExporter>,
    /// The OpenTelemetry `service.name`; not empty, default `tollgate`.
    pub service: String,
    /// The share of traces that is kept, from 0 to 1; `None`: not said.
    pub sampling: Option<f64>,
}

/// A destination of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TraceExporter {
    /// Printed for a person to read.
    Console,
    /// Sent to an OpenTelemetry collector.
    Otlp,
}

pub(super) fn check(raw: RawTelemetry, at: &At<'_>, faults: &mut Faults) -> Telemetry {
    if raw.service.chars().any(char::is_control) {
        at.key("service")
            .fault(faults, "must not hold control characters");
    }
    let exporter = |raw: &RawTraceExporter| match raw {
        RawTraceExporter::Console => TraceExporter::Console,
        RawTraceExporter::Otlp => TraceExporter::Otlp,
    };
    Telemetry {
        traces: raw.traces.iter().map(exporter).collect(),
        service: raw.service,
        sampling: raw.sampling.and_then(|share| {
            let share = share_of(&share);
            if share.is_none() {
                let message = "must be a number from 0 to 1, or a percentage such as 1%";
                at.key("sampling").fault(faults, message);
            }
            share
        }),
    }
}

fn share_of(raw: &RawShare) -> Option<f64> {
    let share = match raw {
        RawShare::Number(share) => *share,
        RawShare::Percent(text) => text.strip_suffix('%')?.parse::<f64>().ok()? / 100.0,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{faults, good};

    #[test]
    fn nothing_is_traced_by_default() {
        let wanted = Telemetry {
            traces: vec![],
            service: "tollgate".into(),
            sampling: None,
        };
        assert_eq!(good("telemetry: {}").telemetry, wanted);
        assert_eq!(
            good("telemetry: {traces: [otlp, console]}")
                .telemetry
                .traces
                .len(),
            2
        );
    }

    #[test]
    fn a_share_is_a_number_or_a_percentage() {
        for (text, share) in [
            ("1%", 0.01),
            ("0.01", 0.01),
            ("0", 0.0),
            ("1", 1.0),
            ("12.5%", 0.125),
        ] {
            let read = good(&format!("telemetry: {{sampling: {text}}}")).telemetry;
            assert_eq!(read.sampling, Some(share), "{text}");
        }
        for bad in ["101%", "1.5", "-0.1", "many", "'5'", "1 %"] {
            let told = faults(&format!("telemetry:\n  sampling: {bad}\n"));
            assert!(
                told[0].starts_with("tollgate.yaml:2: telemetry.sampling: "),
                "{told:?}"
            );
        }
    }

    #[test]
    fn destinations_are_known_and_named_once() {
        assert_eq!(
            faults("telemetry:\n  traces: [jaeger]\n  service: \"a\\tb\"\n"),
            ["tollgate.yaml:2: telemetry.traces[0]: expected one of: console, otlp"]
        );
        assert_eq!(
            faults("telemetry:\n  traces: [otlp, otlp]\n"),
            ["tollgate.yaml:2: telemetry.traces: holds the same entry twice"]
        );
        assert_eq!(
            faults("telemetry: {service: \"a\\tb\"}"),
            ["tollgate.yaml:1: telemetry.service: must not hold control characters"]
        );
    }
}
