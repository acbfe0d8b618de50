//! What traces and metrics have in common: where they go, and how a collector is spoken to.
//!
//! `OTEL_EXPORTER_OTLP_TRACES_…` and `…_METRICS_…` go before `OTEL_EXPORTER_OTLP_…`, one by one. The
//! exporter reads endpoint, headers and compression itself; the last is checked here, because it would
//! pass over one that it does not know.

use std::time::Duration;

use http::Uri;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::DISABLED;
use super::variables::{OtelFault, Variables, fault};

/// Where a signal goes, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct OtelSignal<E> {
    /// Where it goes, instead of what the file says (`OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`).
    pub exporters: Option<Vec<E>>,
    /// Whether an endpoint for OTLP is named, which asks for OTLP besides what the file says.
    pub names_endpoint: bool,
    /// How a collector is spoken to.
    pub otlp: Otlp,
}

impl<E> Default for OtelSignal<E> {
    fn default() -> Self {
        Self {
            exporters: None,
            names_endpoint: false,
            otlp: Otlp::default(),
        }
    }
}

/// How a collector is spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Otlp {
    /// In what.
    pub protocol: OtlpProtocol,
    /// Whether through TLS.
    pub is_encrypted: bool,
    /// How long an export may take.
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

/// What the variables of a signal are called.
pub(super) struct Signal {
    /// Between `OTEL_EXPORTER_OTLP_` and the rest.
    infix: &'static str,
    exporters: &'static str,
    /// Bounds an export beside the exporter's own timeout.
    timeout: &'static str,
}

pub(super) const TRACES: Signal = Signal {
    infix: "TRACES_",
    exporters: "OTEL_TRACES_EXPORTER",
    timeout: "OTEL_BSP_EXPORT_TIMEOUT",
};
pub(super) const METRICS: Signal = Signal {
    infix: "METRICS_",
    exporters: "OTEL_METRICS_EXPORTER",
    timeout: "OTEL_METRIC_EXPORT_TIMEOUT",
};

impl<E: Copy + PartialEq> OtelSignal<E> {
    pub(super) fn read(
        variables: &Variables<'_>,
        signal: &Signal,
        known: &[(&str, E)],
        advice: &'static str,
    ) -> Result<Self, OtelFault> {
        let read = Reader { variables, signal };
        let exporters = variables.list(signal.exporters, known, advice)?;
        let (_, otlp) = known
            .iter()
            .find(|(word, _)| *word == OTLP)
            .copied()
            .unzip();
        let may_send = match &exporters {
            Some(listed) => otlp.is_some_and(|otlp| listed.contains(&otlp)),
            None => true,
        };
        let names_endpoint = match may_send && !variables.is_true(DISABLED) {
            true => read.names_endpoint()?,
            false => false,
        };
        Ok(Self {
            exporters,
            names_endpoint,
            otlp: read.otlp()?,
        })
    }
}

/// What an exporter is called that needs an endpoint.
const OTLP: &str = "otlp";

struct Reader<'a> {
    variables: &'a Variables<'a>,
    signal: &'a Signal,
}

impl Reader<'_> {
    /// The name of the variable that holds: the signal's own where it is set, else that of all.
    fn name(&self, name: &str) -> String {
        let own = format!("OTEL_EXPORTER_OTLP_{}{name}", self.signal.infix);
        match self.variables.text(&own) {
            Some(_) => own,
            None => format!("OTEL_EXPORTER_OTLP_{name}"),
        }
    }

    fn names_endpoint(&self) -> Result<bool, OtelFault> {
        let name = self.name("ENDPOINT");
        let Some(endpoint) = self.variables.text(&name) else {
            return Ok(false);
        };
        // Over gRPC it may be without a scheme.
        let is_bare = self.protocol()? == OtlpProtocol::Grpc && !endpoint.contains("://");
        let scheme = if is_bare { "http://" } else { "" };
        match [scheme, &endpoint]
            .concat()
            .parse()
            .is_ok_and(leads_somewhere)
        {
            true => Ok(true),
            false => Err(fault(&name, "must be an http or https URL with a host")),
        }
    }

    fn otlp(&self) -> Result<Otlp, OtelFault> {
        let compression = self.name("COMPRESSION");
        let advice = "must be none or gzip";
        self.variables
            .one_of(&compression, &["none", "gzip"], advice)?;
        Ok(Otlp {
            protocol: self.protocol()?,
            is_encrypted: self.is_encrypted(),
            timeout: self.timeout()?,
            certificates: self.certificates()?,
            identity: self.identity()?,
        })
    }

    fn protocol(&self) -> Result<OtlpProtocol, OtelFault> {
        let known = ["http/protobuf", "grpc"];
        let advice = "must be http/protobuf, or grpc in a build that has it";
        let protocol = self
            .variables
            .one_of(&self.name("PROTOCOL"), &known, advice)?;
        Ok(match protocol {
            Some("grpc") => OtlpProtocol::Grpc,
            _ => OtlpProtocol::HttpProtobuf,
        })
    }

    /// Over gRPC an endpoint may be without a scheme, and is encrypted then, unless it is said not to be.
    fn is_encrypted(&self) -> bool {
        let Some(endpoint) = self.variables.text(&self.name("ENDPOINT")) else {
            return false;
        };
        match endpoint.split_once("://") {
            Some((scheme, _)) => scheme.eq_ignore_ascii_case("https"),
            None => !self.variables.is_true(&self.name("INSECURE")),
        }
    }

    /// The shorter one, if there are two.
    fn timeout(&self) -> Result<Option<Duration>, OtelFault> {
        let of_export = self.variables.millis(self.signal.timeout)?;
        let of_exporter = self.variables.millis(&self.name("TIMEOUT"))?;
        let timeouts = of_export.into_iter().chain(of_exporter);
        Ok(timeouts.min())
    }

    fn certificates(&self) -> Result<Option<Vec<u8>>, OtelFault> {
        let name = self.name("CERTIFICATE");
        let file = self.variables.file(&name)?;
        file.map(|pem| with_certificates(&name, pem)).transpose()
    }

    fn identity(&self) -> Result<Option<Vec<u8>>, OtelFault> {
        let (certificate, key) = (self.name("CLIENT_CERTIFICATE"), self.name("CLIENT_KEY"));
        match (
            self.variables.file(&certificate)?,
            self.variables.file(&key)?,
        ) {
            (None, None) => Ok(None),
            (Some(chain), Some(secret)) => {
                let chain = with_certificates(&certificate, chain)?;
                if PrivateKeyDer::from_pem_slice(&secret).is_err() {
                    return Err(fault(&key, "names a file that holds no private key (PEM)"));
                }
                Ok(Some([secret, chain].join(&b'\n')))
            }
            (Some(_), None) => Err(fault(&certificate, "is set, and the …CLIENT_KEY is not")),
            (None, Some(_)) => Err(fault(&key, "is set, and the …CLIENT_CERTIFICATE is not")),
        }
    }
}

/// Whether a request can be sent there. The library finds out only when it sends one.
fn leads_somewhere(url: Uri) -> bool {
    let has_port = |host: &str| {
        host.rsplit_once(']')
            .map_or(host, |(_, rest)| rest)
            .contains(':')
    };
    let Some(authority) = url.authority() else {
        return false;
    };
    let of_host = authority.as_str().rsplit('@').next().unwrap_or_default();
    matches!(url.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && (authority.port_u16().is_some() || !has_port(of_host))
}

/// The same, if it holds certificates.
fn with_certificates(name: &str, pem: Vec<u8>) -> Result<Vec<u8>, OtelFault> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    if certificates.is_ok_and(|found| !found.is_empty()) {
        Ok(pem)
    } else {
        Err(fault(name, "names a file that holds no certificate (PEM)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fixed;

    /// Both signals, of the same variables with `@` for what is between.
    fn both(variables: &[(&str, &str)]) -> [Result<OtelSignal<u8>, OtelFault>; 2] {
        [TRACES, METRICS].map(|signal| {
            let made = rcgen::generate_simple_self_signed(["collector".to_owned()]).unwrap();
            let mut environment = Fixed::default()
                .file("/ca.pem", &made.cert.pem())
                .file("/key.pem", &made.signing_key.serialize_pem());
            for (name, value) in variables {
                environment = environment.variable(&name.replace('@', signal.infix), value);
            }
            OtelSignal::read(&Variables(&environment), &signal, &[("otlp", 1)], "")
        })
    }

    #[test]
    fn the_variables_of_a_signal_win_over_those_of_all_one_by_one() {
        for read in both(&[
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_@TIMEOUT", "2500"),
            ("OTEL_EXPORTER_OTLP_@PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_@ENDPOINT", ""),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_EXPORTER_OTLP_@CLIENT_CERTIFICATE", "/ca.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key.pem"),
        ]) {
            let read = read.unwrap();
            assert!(read.names_endpoint);
            assert_eq!(read.otlp.timeout, Some(Duration::from_millis(2_500)));
            assert_eq!(read.otlp.protocol, OtlpProtocol::HttpProtobuf);
            let holds = |pem: Option<Vec<u8>>, part: &str| {
                String::from_utf8(pem.unwrap()).unwrap().contains(part)
            };
            assert!(holds(read.otlp.certificates, "BEGIN CERTIFICATE"));
            assert!(holds(read.otlp.identity.clone(), "BEGIN CERTIFICATE"));
            assert!(holds(read.otlp.identity, "BEGIN PRIVATE KEY"));
        }
    }

    #[test]
    fn of_two_timeouts_the_shorter_one_holds() {
        let variables = |other| {
            let own = [TRACES.timeout, METRICS.timeout].map(|name| (name, other));
            let [traces, metrics] = own;
            both(&[("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"), traces, metrics])
        };
        for (other, millis) in [("6000", 5_000), ("300", 300), ("", 5_000)] {
            for read in variables(other) {
                let timeout = read.unwrap().otlp.timeout;
                assert_eq!(timeout, Some(Duration::from_millis(millis)), "{other}");
            }
        }
    }

    #[test]
    fn an_endpoint_without_a_scheme_is_encrypted_unless_it_is_said_not_to_be() {
        for (endpoint, insecure, encrypted) in [
            ("https://c:4317", "true", true),
            ("HTTPS://c:4317", "", true),
            ("http://c:4317", "false", false),
            ("c:4317", "", true),
            ("c:4317", "false", true),
            ("c:4317", "True", false),
            ("", "", false),
        ] {
            for read in both(&[
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
                ("OTEL_EXPORTER_OTLP_@ENDPOINT", endpoint),
                ("OTEL_EXPORTER_OTLP_INSECURE", insecure),
            ]) {
                let read = read.unwrap().otlp.is_encrypted;
                assert_eq!(read, encrypted, "{endpoint} {insecure}");
            }
        }
    }

    #[test]
    fn half_an_identity_is_a_fault_that_names_both_halves() {
        for (name, file) in [
            ("CLIENT_KEY", "/key.pem"),
            ("CLIENT_CERTIFICATE", "/ca.pem"),
        ] {
            for read in both(&[(&format!("OTEL_EXPORTER_OTLP_@{name}"), file)]) {
                let told = read.unwrap_err().to_string();
                let both = told.contains("CLIENT_KEY") && told.contains("CLIENT_CERTIFICATE");
                assert!(both, "{told}");
            }
        }
    }
}
