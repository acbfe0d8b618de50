//! OpenTelemetry's own environment variables, as far as traces go ("General SDK Configuration" and
//! "OpenTelemetry Protocol Exporter" of its specification).
//!
//! What the deployment says of this instance wins over what the file says of all. A reader would ask
//! why values are checked that the SDK reads itself: it passes over what it does not understand, and
//! an operator would look for traces in vain. Faults name the variable and never the value, which may
//! hold a password.

use std::path::Path;
use std::time::Duration;

use super::TraceExporter;
use super::environment::Environment;

/// What the variables say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Otel {
    /// `OTEL_SERVICE_NAME`.
    pub service: Option<String>,
    /// Where spans go; `None`: as the file says. Nowhere with `OTEL_SDK_DISABLED`, else what
    /// `OTEL_TRACES_EXPORTER` lists.
    pub traces: Option<Vec<TraceExporter>>,
    /// Whether an endpoint for OTLP is named, which asks for OTLP besides what the file says.
    pub names_endpoint: bool,
    /// Whether `OTEL_TRACES_SAMPLER` says what is sampled. The SDK reads it.
    pub samples: bool,
    /// Whether trace context is read and sent on (`OTEL_PROPAGATORS`).
    pub propagates: bool,
    /// Most spans that wait for the exporter (`OTEL_BSP_MAX_QUEUE_SIZE`).
    pub max_queue: Option<usize>,
    /// Most characters of an attribute's text (`OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`).
    pub max_text: Option<usize>,
    /// Most attributes of a span, an event and a link; the SDK reads the other limits.
    pub max_attributes: [Option<u32>; 3],
    /// How the collector is spoken to.
    pub protocol: OtlpProtocol,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Certificates (PEM) that the collector's must be issued by.
    pub certificates: Option<Vec<u8>>,
    /// Our own certificate and its key (PEM).
    pub identity: Option<Vec<u8>>,
}

/// How a collector is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP.
    #[default]
    HttpProtobuf,
    /// gRPC.
    Grpc,
}

/// A variable whose value cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} {fault}")]
pub struct OtelFault {
    name: String,
    fault: &'static str,
}

const SAMPLERS: &[&str] = &[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl Otel {
    /// Reads and checks them.
    ///
    /// # Errors
    /// [`OtelFault`] for the first one whose value cannot be used.
    pub fn read(environment: &dyn Environment) -> Result<Self, OtelFault> {
        let read = Reader(environment);
        for name in ["SCHEDULE_DELAY", "MAX_EXPORT_BATCH_SIZE", "EXPORT_TIMEOUT"] {
            read.number::<u64>(&format!("OTEL_BSP_{name}"))?;
        }
        for name in ["ATTRIBUTE", "EVENT", "LINK"] {
            read.number::<u32>(&format!("OTEL_SPAN_{name}_COUNT_LIMIT"))?;
        }
        read.otlp_one_of("COMPRESSION", &["none", "gzip"], "must be none or gzip")?;
        let general = read.number("OTEL_ATTRIBUTE_COUNT_LIMIT")?;
        let limit = |name: &str| Ok(read.number(name)?.or(general));
        Ok(Self {
            service: read.text("OTEL_SERVICE_NAME"),
            traces: read.traces()?,
            names_endpoint: read.otlp("ENDPOINT").is_some(),
            samples: read.sampler()?,
            propagates: read.propagates()?,
            max_queue: read.positive("OTEL_BSP_MAX_QUEUE_SIZE")?,
            max_text: read
                .number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")?
                .or(read.number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")?),
            max_attributes: [
                limit("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT")?,
                limit("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT")?,
                limit("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT")?,
            ],
            protocol: read.protocol()?,
            timeout: read.timeout()?,
            certificates: read.file("CERTIFICATE")?,
            identity: read.identity()?,
        })
    }
}

struct Reader<'a>(&'a dyn Environment);

impl Reader<'_> {
    /// An empty value is as good as none.
    fn text(&self, name: &str) -> Option<String> {
        self.0.variable(name).filter(|value| !value.is_empty())
    }

    /// The variable for traces, else the one for everything, and its name.
    fn otlp(&self, name: &str) -> Option<(String, String)> {
        let names = ["OTEL_EXPORTER_OTLP_TRACES_", "OTEL_EXPORTER_OTLP_"];
        let mut names = names.into_iter().map(|prefix| format!("{prefix}{name}"));
        names.find_map(|name| self.text(&name).map(|value| (name, value)))
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, OtelFault> {
        let value = self.text(name).map(|value| value.parse());
        let value = value.transpose();
        value.map_err(|_| fault(name, "must be a whole number that is not negative"))
    }

    fn positive(&self, name: &str) -> Result<Option<usize>, OtelFault> {
        match self.number(name)? {
            Some(0) => Err(fault(name, "must be more than 0")),
            number => Ok(number),
        }
    }

    fn traces(&self) -> Result<Option<Vec<TraceExporter>>, OtelFault> {
        const NAME: &str = "OTEL_TRACES_EXPORTER";
        let disabled = self.text("OTEL_SDK_DISABLED");
        if disabled.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Some(Vec::new()));
        }
        let Some(value) = self.text(NAME) else {
            return Ok(None);
        };
        let mut exporters = Vec::new();
        for name in value.split(',').map(str::trim) {
            exporters.push(match name {
                "otlp" => TraceExporter::Otlp,
                "console" => TraceExporter::Console,
                "none" => continue,
                _ => return Err(fault(NAME, "must list otlp, console or none")),
            });
        }
        Ok(Some(exporters))
    }

    fn sampler(&self) -> Result<bool, OtelFault> {
        const NAME: &str = "OTEL_TRACES_SAMPLER";
        const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
        let Some(sampler) = self.text(NAME) else {
            return Ok(false);
        };
        if !SAMPLERS.contains(&sampler.as_str()) {
            let known =
                "must be always_on, always_off, traceidratio, or one of these after parentbased_";
            return Err(fault(NAME, known));
        }
        let argument = self.text(ARGUMENT).map(|value| value.parse::<f64>());
        let is_ratio = |ratio: f64| (0.0..=1.0).contains(&ratio);
        match argument {
            _ if !sampler.ends_with("traceidratio") => Ok(true),
            None => Ok(true),
            Some(Ok(ratio)) if is_ratio(ratio) => Ok(true),
            Some(_) => Err(fault(ARGUMENT, "must be a number from 0 to 1")),
        }
    }

    /// `baggage` is taken, and has no effect: none is read, and none is sent on.
    fn propagates(&self) -> Result<bool, OtelFault> {
        const NAME: &str = "OTEL_PROPAGATORS";
        let Some(value) = self.text(NAME) else {
            return Ok(true);
        };
        let names: Vec<&str> = value.split(',').map(str::trim).collect();
        if names
            .iter()
            .all(|name| ["tracecontext", "baggage", "none"].contains(name))
        {
            Ok(names.contains(&"tracecontext"))
        } else {
            Err(fault(NAME, "must list tracecontext, baggage or none"))
        }
    }

    fn protocol(&self) -> Result<OtlpProtocol, OtelFault> {
        let known = ["http/protobuf", "grpc"];
        let advice = "must be http/protobuf, or grpc in a build that has it";
        let protocol = self.otlp_one_of("PROTOCOL", &known, advice)?;
        Ok(match protocol {
            Some("grpc") => OtlpProtocol::Grpc,
            _ => OtlpProtocol::HttpProtobuf,
        })
    }

    fn timeout(&self) -> Result<Option<Duration>, OtelFault> {
        let Some((name, value)) = self.otlp("TIMEOUT") else {
            return Ok(None);
        };
        let millis = value.parse().ok().filter(|millis| *millis > 0);
        let millis = millis.ok_or_else(|| fault(&name, "must be a number of milliseconds"))?;
        Ok(Some(Duration::from_millis(millis)))
    }

    fn otlp_one_of(
        &self,
        name: &str,
        known: &[&'static str],
        advice: &'static str,
    ) -> Result<Option<&'static str>, OtelFault> {
        let Some((name, value)) = self.otlp(name) else {
            return Ok(None);
        };
        let found = known.iter().find(|known| **known == value);
        found.copied().map(Some).ok_or_else(|| fault(&name, advice))
    }

    fn file(&self, name: &str) -> Result<Option<Vec<u8>>, OtelFault> {
        let Some((name, path)) = self.otlp(name) else {
            return Ok(None);
        };
        let text = self.0.file(Path::new(&path));
        let text = text.map_err(|_| fault(&name, "names a file that cannot be read"))?;
        Ok(Some(text.into_bytes()))
    }

    fn identity(&self) -> Result<Option<Vec<u8>>, OtelFault> {
        match (self.file("CLIENT_KEY")?, self.file("CLIENT_CERTIFICATE")?) {
            (None, None) => Ok(None),
            (Some(key), Some(certificate)) => Ok(Some([key, certificate].join(&b'\n'))),
            _ => Err(fault(
                "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                "and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE go together",
            )),
        }
    }
}

fn fault(name: &str, fault: &'static str) -> OtelFault {
    OtelFault {
        name: name.to_owned(),
        fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fixed;

    fn read(variables: &[(&str, &str)]) -> Result<Otel, String> {
        let set = |all: Fixed, (name, value): &(&str, &str)| all.variable(name, value);
        let environment = variables.iter().fold(Fixed::default(), set);
        Otel::read(&environment.file("/ca.pem", "CA")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_variables_of_traces_win_over_those_of_everything() {
        let read = read(&[
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_TRACES_EXPORTER", "otlp, console"),
            ("OTEL_ATTRIBUTE_COUNT_LIMIT", "9"),
            ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "3"),
            ("OTEL_PROPAGATORS", "baggage"),
        ])
        .unwrap();
        assert_eq!(read.timeout, Some(Duration::from_millis(2_500)));
        let both = vec![TraceExporter::Otlp, TraceExporter::Console];
        assert_eq!(read.traces, Some(both));
        assert_eq!(read.max_attributes, [Some(9), Some(3), Some(9)]);
        assert_eq!(read.certificates.as_deref(), Some(&b"CA"[..]));
        assert!(read.names_endpoint && !read.propagates && !read.samples);
    }

    #[test]
    fn nothing_set_changes_nothing_and_disabled_means_nowhere() {
        let nothing = read(&[("OTEL_TRACES_EXPORTER", "")]).unwrap();
        assert_eq!((nothing.traces, nothing.propagates), (None, true));
        for off in [
            [
                ("OTEL_SDK_DISABLED", "TRUE"),
                ("OTEL_TRACES_EXPORTER", "otlp"),
            ],
            [
                ("OTEL_SDK_DISABLED", "false"),
                ("OTEL_TRACES_EXPORTER", "none"),
            ],
        ] {
            assert_eq!(read(&off).unwrap().traces, Some(vec![]));
        }
    }

    #[test]
    fn a_value_that_cannot_be_used_is_named_and_not_shown() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "otlp,sesame"),
            ("OTEL_TRACES_SAMPLER", "sesame"),
            ("OTEL_PROPAGATORS", "tracecontext,sesame"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "sesame"),
            ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "sesame"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/sesame"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "sesame"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "sesame"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/sesame"),
        ] {
            let told = read(&[(name, value)]).unwrap_err();
            assert!(told.contains(name) && !told.contains("sesame"), "{told}");
        }
        let ratio = [
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
        ];
        assert!(read(&ratio).unwrap_err().contains("_ARG must be"));
        let half = [("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/ca.pem")];
        assert!(read(&half).unwrap_err().contains("go together"));
    }
}
