//! OpenTelemetry's own environment variables ("General SDK Configuration" and "OpenTelemetry Protocol
//! Exporter" of its specification).
//!
//! What the deployment says of this instance wins over what the file says of all. What holds for traces
//! and for metrics alike is read once, by `signal`; what is left is read here and in `spans`. A reader
//! would ask why values are checked that the SDK reads itself: it passes over what it does not
//! understand, and an operator would look for traces in vain. Faults name the variable and never the
//! value, which may hold a password.

mod signal;
mod spans;
mod variables;

use std::time::Duration;

use percent_encoding::percent_decode_str;
pub use signal::{OtelSignal, Otlp, OtlpProtocol};
pub use spans::OtelSpans;
pub use variables::OtelFault;

use super::environment::Environment;
use super::{MetricReader, TraceExporter};
use signal::{METRICS, TRACES};
use variables::Variables;

const DISABLED: &str = "OTEL_SDK_DISABLED";

/// What the variables say.
#[derive(Clone, Debug, PartialEq)]
pub struct Otel {
    /// `OTEL_SERVICE_NAME`, else the `service.name` of `OTEL_RESOURCE_ATTRIBUTES`.
    pub service: Option<String>,
    /// Whether nothing is to be made or sent (`OTEL_SDK_DISABLED`).
    pub is_disabled: bool,
    /// Which spans there are.
    pub spans: OtelSpans,
    /// Where spans go, and how.
    pub traces: OtelSignal<TraceExporter>,
    /// Where metrics go, and how.
    pub metrics: OtelSignal<MetricReader>,
    /// Between two exports of metrics (`OTEL_METRIC_EXPORT_INTERVAL`).
    pub interval: Option<Duration>,
}

impl Otel {
    /// Reads and checks them.
    ///
    /// # Errors
    /// [`OtelFault`] for the first one whose value cannot be used.
    pub fn read(environment: &dyn Environment) -> Result<Self, OtelFault> {
        let read = Variables(environment);
        let traces = [
            ("otlp", TraceExporter::Otlp),
            ("console", TraceExporter::Console),
        ];
        let metrics = [
            ("otlp", MetricReader::Otlp),
            ("prometheus", MetricReader::Prometheus),
        ];
        // The SDK reads it.
        read.one_of(
            "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
            &["cumulative", "delta", "lowmemory"],
            "must be cumulative, delta or lowmemory",
        )?;
        Ok(Self {
            service: read.text("OTEL_SERVICE_NAME").or_else(|| named(&read)),
            is_disabled: read.is_true(DISABLED),
            spans: OtelSpans::read(&read)?,
            traces: OtelSignal::read(
                &read,
                &TRACES,
                &traces,
                "must list otlp and console, or be none",
            )?,
            metrics: OtelSignal::read(
                &read,
                &METRICS,
                &metrics,
                "must list otlp and prometheus, or be none",
            )?,
            interval: read.millis("OTEL_METRIC_EXPORT_INTERVAL")?,
        })
    }
}

/// The `service.name` among the attributes of the resource (`key=value`, percent-encoded, with commas between).
fn named(variables: &Variables<'_>) -> Option<String> {
    let attributes = variables.text("OTEL_RESOURCE_ATTRIBUTES")?;
    let mut entries = attributes
        .split(',')
        .filter_map(|entry| entry.split_once('='));
    let (_, name) = entries.find(|(key, _)| key.trim() == "service.name")?;
    let name = percent_decode_str(name.trim()).decode_utf8().ok()?;
    (!name.is_empty()).then(|| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fixed;

    fn read(variables: &[(&str, &str)]) -> Result<Otel, String> {
        let set = |all: Fixed, (name, value): &(&str, &str)| all.variable(name, value);
        let environment = variables.iter().fold(Fixed::default(), set);
        let environment = environment.file("/words.pem", "no certificate");
        Otel::read(&environment).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_changes_nothing() {
        let nothing = read(&[]).unwrap();
        let empty = read(&[
            ("OTEL_TRACES_EXPORTER", ""),
            ("OTEL_METRIC_EXPORT_INTERVAL", ""),
            ("OTEL_SDK_DISABLED", "no"),
        ]);
        assert_eq!(empty, Ok(nothing.clone()));
        assert_eq!((nothing.service, nothing.is_disabled), (None, false));
        assert_eq!(nothing.traces, OtelSignal::default());
        assert_eq!(nothing.metrics, OtelSignal::default());
        assert_eq!(nothing.interval, None);
    }

    #[test]
    fn the_service_is_named_by_its_own_variable_else_among_the_attributes() {
        let attributes = (
            "OTEL_RESOURCE_ATTRIBUTES",
            "a=b,nothing, service.name = shop%20tools,c=",
        );
        let named = |variables: &[_]| read(variables).unwrap().service;
        assert_eq!(named(&[attributes]).as_deref(), Some("shop tools"));
        let own = ("OTEL_SERVICE_NAME", "till");
        assert_eq!(named(&[own, attributes]).as_deref(), Some("till"));
        for none in [
            "service.name=",
            "service.name",
            "my.service.name=x",
            "service.name=%ff",
        ] {
            assert_eq!(named(&[("OTEL_RESOURCE_ATTRIBUTES", none)]), None, "{none}");
        }
    }

    #[test]
    fn an_endpoint_matters_only_where_something_is_sent() {
        let bare = ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317");
        let grpc = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc");
        assert!(
            read(&[bare, grpc]).is_err(),
            "metrics would go there over HTTP"
        );
        let none = ("OTEL_METRICS_EXPORTER", "none");
        assert!(read(&[bare, grpc, none]).unwrap().traces.names_endpoint);
        let file = ("OTEL_METRICS_EXPORTER", "prometheus");
        assert!(read(&[bare, grpc, file]).is_ok());
        assert!(read(&[bare, ("OTEL_SDK_DISABLED", "true")]).is_ok());
    }

    #[test]
    fn exporters_are_those_there_are_each_once() {
        let both = read(&[
            ("OTEL_TRACES_EXPORTER", "otlp, console,otlp"),
            ("OTEL_METRICS_EXPORTER", "otlp,prometheus"),
            ("OTEL_SDK_DISABLED", "TRUE"),
        ])
        .unwrap();
        let traces = vec![TraceExporter::Otlp, TraceExporter::Console];
        let metrics = vec![MetricReader::Otlp, MetricReader::Prometheus];
        assert_eq!(both.traces.exporters, Some(traces));
        assert_eq!(both.metrics.exporters, Some(metrics));
        assert!(both.is_disabled);
        let none = read(&[("OTEL_TRACES_EXPORTER", "none")]).unwrap();
        assert_eq!(none.traces.exporters, Some(vec![]));
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_and_not_shown() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "otlp,sesame"),
            ("OTEL_TRACES_EXPORTER", "otlp,prometheus"),
            ("OTEL_METRICS_EXPORTER", "console"),
            ("OTEL_METRICS_EXPORTER", "otlp,"),
            ("OTEL_METRICS_EXPORTER", "none,otlp"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1m"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
            ("OTEL_METRIC_EXPORT_TIMEOUT", "-5"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                "sesame",
            ),
            ("OTEL_TRACES_SAMPLER", "sesame"),
            ("OTEL_PROPAGATORS", "tracecontext,sesame"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "100001"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "18446744073709551615"),
            ("OTEL_BSP_SCHEDULE_DELAY", "sesame"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "0"),
            ("OTEL_BSP_EXPORT_TIMEOUT", "sesame"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "sesame"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/sesame"),
            ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "sesame:4318"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://sesame:4318"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:sesame@:bad"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http:///sesame"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "sesame"),
            ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "0"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "sesame"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "zstd"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/sesame"),
            ("OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "/words.pem"),
            (
                "OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE",
                "/words.pem",
            ),
            ("OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "/words.pem"),
        ] {
            let told = read(&[(name, value)]).unwrap_err();
            assert!(told.contains(&format!(" {name} ")), "{told}");
            assert!(value.len() < 4 || !told.contains(value), "{told}");
        }
    }
}
