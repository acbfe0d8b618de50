//! The `telemetry` section: what the server tells about itself, and where.
//!
//! A reader would ask where the collector's address is: OTLP exporters have standard environment variables.

use super::document::At;
use super::faults::Faults;
use super::raw::{RawTelemetry, RawTraceExporter};

/// The checked `telemetry` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// Where spans go, each destination once; default nowhere.
    pub traces: Vec<TraceExporter>,
    /// The OpenTelemetry `service.name`; not empty, default `tollgate`.
    pub service: String,
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
    }
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
