//! What the environment says of metrics, by OpenTelemetry's standard variables.
//!
//! The SDK reads the collector's address, headers, compression and protocol itself (`OTEL_EXPORTER_OTLP_*`). Read
//! here is what it does not read, and what it reads without a word when it is wrong. A reader would ask why a
//! value that is not valid ends the start, where the specification would go on with the default: nobody misses
//! metrics before they are needed. Faults name the variable and never its value.

use std::time::Duration;

use super::environment::{Environment, VariableFault};
use super::telemetry::MetricReader;

const EXPORTER: &str = "OTEL_METRICS_EXPORTER";
const INTERVAL: &str = "OTEL_METRIC_EXPORT_INTERVAL";
const TIMEOUT: &str = "OTEL_METRIC_EXPORT_TIMEOUT";
const OTLP_TIMEOUTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
];
const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
];
const DISABLED: &str = "OTEL_SDK_DISABLED";
/// The specification's defaults.
const USUAL_INTERVAL: Duration = Duration::from_secs(60);
const USUAL_TIMEOUT: Duration = Duration::from_secs(10);

/// What the environment says of metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtelMetrics {
    /// Where they go, instead of what the file says (`OTEL_METRICS_EXPORTER`).
    pub(crate) readers: Option<Vec<MetricReader>>,
    /// Whether there is a collector to send them to, besides what the file says.
    pub(crate) names_endpoint: bool,
    /// Whether nothing is to be sent (`OTEL_SDK_DISABLED`).
    pub(crate) is_disabled: bool,
    /// Between two exports.
    pub(crate) interval: Duration,
    /// For one try of one export.
    pub(crate) timeout: Duration,
}

impl OtelMetrics {
    /// Reads the variables. An empty one counts as unset (OpenTelemetry, "Environment Variable Specification").
    ///
    /// # Errors
    /// [`VariableFault`]: the first one that cannot be used.
    pub(crate) fn read(environment: &dyn Environment) -> Result<Self, VariableFault> {
        let variable = |name: &str| {
            let value = environment.variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let readers = variable(EXPORTER)
            .map(|value| readers(&value))
            .transpose()?;
        let time = |name| {
            variable(name)
                .map(|value| milliseconds(name, &value))
                .transpose()
        };
        let temporality = variable(TEMPORALITY).map(|value| value.to_ascii_lowercase());
        let known = ["cumulative", "delta", "lowmemory"];
        if temporality.is_some_and(|value| !known.contains(&value.as_str())) {
            return Err(VariableFault {
                name: TEMPORALITY,
                expected: "use cumulative, delta or lowmemory",
            });
        }
        let [of_metrics, of_all] = OTLP_TIMEOUTS;
        let (of_metrics, of_all, whole) = (time(of_metrics)?, time(of_all)?, time(TIMEOUT)?);
        let request = of_metrics.or(of_all).unwrap_or(USUAL_TIMEOUT);
        Ok(Self {
            readers,
            names_endpoint: ENDPOINTS.iter().any(|name| variable(name).is_some()),
            is_disabled: variable(DISABLED).is_some_and(|value| value.eq_ignore_ascii_case("true")),
            interval: time(INTERVAL)?.unwrap_or(USUAL_INTERVAL),
            timeout: whole.map_or(request, |whole| whole.min(request)),
        })
    }
}

fn readers(value: &str) -> Result<Vec<MetricReader>, VariableFault> {
    let fault = VariableFault {
        name: EXPORTER,
        expected: "use otlp, prometheus, both with a comma between, or none",
    };
    if value == "none" {
        return Ok(Vec::new());
    }
    let names = value.split(',').map(|name| match name.trim() {
        "otlp" => Some(MetricReader::Otlp),
        "prometheus" => Some(MetricReader::Prometheus),
        _ => None,
    });
    names.collect::<Option<_>>().ok_or(fault)
}

fn milliseconds(name: &'static str, value: &str) -> Result<Duration, VariableFault> {
    let number = value.parse().ok().filter(|millis| *millis > 0);
    number.map(Duration::from_millis).ok_or(VariableFault {
        name,
        expected: "use a whole number of milliseconds above 0",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fixed;

    fn read(variables: &[(&str, &str)]) -> Result<OtelMetrics, VariableFault> {
        let set = |all: Fixed, (name, value): &(&str, &str)| all.variable(name, value);
        OtelMetrics::read(&variables.iter().fold(Fixed::default(), set))
    }

    #[test]
    fn nothing_set_is_the_specifications_default() {
        let usual = OtelMetrics {
            readers: None,
            names_endpoint: false,
            is_disabled: false,
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
        };
        assert_eq!(read(&[]), Ok(usual.clone()));
        assert_eq!(
            read(&[(EXPORTER, ""), (INTERVAL, " "), (DISABLED, "no")]),
            Ok(usual)
        );
    }

    #[test]
    fn the_shorter_timeout_holds_and_that_of_metrics_goes_before_that_of_all() {
        let [of_metrics, of_all] = OTLP_TIMEOUTS;
        let timeout =
            |variables: &[(&str, &str)]| read(variables).map(|read| read.timeout.as_millis());
        assert_eq!(
            timeout(&[(of_all, "5000"), (of_metrics, "7000")]),
            Ok(7_000)
        );
        assert_eq!(timeout(&[(of_all, "5000"), (TIMEOUT, "6000")]), Ok(5_000));
        assert_eq!(timeout(&[(TIMEOUT, "300")]), Ok(300));
    }

    #[test]
    fn exporters_are_those_there_are() {
        let readers = |value| read(&[(EXPORTER, value)]).map(|read| read.readers);
        let (prometheus, otlp) = (MetricReader::Prometheus, MetricReader::Otlp);
        assert_eq!(readers("none"), Ok(Some(vec![])));
        assert_eq!(
            readers("otlp, prometheus"),
            Ok(Some(vec![otlp, prometheus]))
        );
        for bad in ["console", "otlp,", "none,otlp", "OTLP"] {
            assert_eq!(
                readers(bad).map_err(|fault| fault.name),
                Err(EXPORTER),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_value_that_is_not_valid_is_named_by_its_variable_alone() {
        for (name, value) in [
            (INTERVAL, "1m"),
            (INTERVAL, "0"),
            (TIMEOUT, "-5"),
            (OTLP_TIMEOUTS[1], "hunter2"),
            (TEMPORALITY, "hunter2"),
        ] {
            let fault = read(&[(name, value)]).unwrap_err().to_string();
            assert!(
                fault.contains(name) && !fault.contains("hunter2"),
                "{fault}"
            );
        }
    }
}
