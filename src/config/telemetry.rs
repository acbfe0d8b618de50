//! The `telemetry` section: what the server tells about itself, and where.
//!
//! A reader would ask where the collector's address is: OTLP exporters have standard environment variables.

use super::admin::AdminListen;
use super::document::At;
use super::faults::Faults;
use super::raw::{RawLogs, RawMetricReader, RawShare, RawTelemetry, RawTraceExporter};

/// The checked `telemetry` section.
#[derive(Debug, Clone, PartialEq)]
pub struct Telemetry {
    /// Where spans go, each destination once; default nowhere.
    pub traces: Vec<TraceExporter>,
    /// Where metrics go, each destination once; `None` where the file does not say.
    pub metrics: Option<Vec<MetricReader>>,
    /// How many tenants metrics name; `None` for none.
    pub tenant_label: Option<usize>,
    /// The form of log lines.
    pub logs: LogFormat,
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

/// A destination of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MetricReader {
    /// Served at `/metrics` of the admin listener.
    Prometheus,
    /// Sent to an OpenTelemetry collector.
    Otlp,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text where a person reads along, JSON elsewhere.
    #[default]
    Auto,
    /// One object a line.
    Json,
    /// For a person.
    Text,
}

pub(super) fn check(
    raw: RawTelemetry,
    admin: AdminListen,
    at: &At<'_>,
    faults: &mut Faults,
) -> Telemetry {
    if raw.service.chars().any(char::is_control) {
        at.key("service")
            .fault(faults, "must not hold control characters");
    }
    let exporter = |raw: &RawTraceExporter| match raw {
        RawTraceExporter::Console => TraceExporter::Console,
        RawTraceExporter::Otlp => TraceExporter::Otlp,
    };
    let reader = |raw: RawMetricReader| match raw {
        RawMetricReader::Prometheus => MetricReader::Prometheus,
        RawMetricReader::Otlp => MetricReader::Otlp,
    };
    let metrics = raw.metrics.map(|raw| raw.into_iter().map(reader).collect());
    let wants = |metrics: &Vec<MetricReader>| metrics.contains(&MetricReader::Prometheus);
    if admin == AdminListen::Off && metrics.as_ref().is_some_and(wants) {
        at.key("metrics").fault(
            faults,
            "prometheus is served on the admin listener, which is off: set server.adminListen to an address",
        );
    }
    Telemetry {
        metrics,
        tenant_label: raw.tenant_label.map(|label| label.max),
        logs: match raw.logs {
            RawLogs::Auto => LogFormat::Auto,
            RawLogs::Json => LogFormat::Json,
            RawLogs::Text => LogFormat::Text,
        },
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
            metrics: None,
            tenant_label: None,
            logs: LogFormat::Auto,
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

    #[test]
    fn metrics_go_where_somebody_can_read_them() {
        let telemetry =
            good("telemetry: {metrics: [otlp, prometheus], tenantLabel: {max: 3}}").telemetry;
        let both = vec![MetricReader::Prometheus, MetricReader::Otlp];
        assert_eq!(telemetry.metrics, Some(both));
        assert_eq!(telemetry.tenant_label, Some(3));
        assert_eq!(
            good("telemetry: {metrics: []}").telemetry.metrics,
            Some(vec![])
        );
        assert_eq!(
            good("telemetry: {logs: json}").telemetry.logs,
            LogFormat::Json
        );
        assert_eq!(
            faults("server: {adminListen: off}\ntelemetry:\n  metrics: [prometheus]\n"),
            [
                "tollgate.yaml:3: telemetry.metrics: prometheus is served on the admin listener, which is off: set server.adminListen to an address"
            ]
        );
        assert_eq!(
            faults("telemetry:\n  metrics: [statsd]\n"),
            ["tollgate.yaml:2: telemetry.metrics[0]: expected one of: prometheus, otlp"]
        );
    }
}
