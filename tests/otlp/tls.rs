//! Whom to trust and who we are, in files that the variables name, over HTTP and over gRPC.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::receiver::Receiver;
use super::{PROTOCOLS, SIGNALS, once};

/// An authority, and a server that asks for its certificates and has one.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        let issuer = Issuer::new(params, key);
        Self {
            certificate,
            issuer,
        }
    }

    /// A certificate and its key.
    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let signed = params.signed_by(&key, &self.issuer);
        (signed.expect("a certificate"), key)
    }

    fn server(&self) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        let own = self.certificate.der().clone();
        roots.add(own).expect("a certificate");
        let asks = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let (certificate, key) = self.issue("127.0.0.1");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(asks.build().expect("a verifier"))
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("a pair");
        config.alpn_protocols = ["h2", "http/1.1"].map(|name| name.into()).to_vec();
        config
    }

    /// Writes a file for each variable; the name of the certificate's, and ours with its key.
    fn write(&self, folder: &Path) -> [(&'static str, String); 3] {
        let (certificate, key) = self.issue("tollgate");
        let files = [
            ("CERTIFICATE", "ca.pem", self.certificate.pem()),
            ("CLIENT_CERTIFICATE", "own.pem", certificate.pem()),
            ("CLIENT_KEY", "own.key", key.serialize_pem()),
        ];
        files.map(|(name, file, pem)| {
            let path = folder.join(file);
            std::fs::write(&path, pem).expect("a file");
            (name, path.to_str().expect("text").to_owned())
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_trusted_and_told_who_we_are_by_the_files_that_are_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (right, wrong) = (tempfile::tempdir(), tempfile::tempdir());
    let (right, wrong) = (right.expect("a folder"), wrong.expect("a folder"));
    let files = authority.write(right.path());
    let [(_, others), ..] = other.write(wrong.path());
    for protocol in PROTOCOLS {
        for of in ["", "TRACES_", "METRICS_"] {
            let receiver = Receiver::start_tls(authority.server()).await;
            // Over gRPC, without a scheme, that is encrypted.
            let is_bare = *protocol == "grpc" && of.is_empty();
            let scheme = if is_bare { "" } else { "https://" };
            let endpoint = format!("{scheme}{}", receiver.address);
            let mut variables = vec![
                ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), endpoint.as_str()),
                ("OTEL_EXPORTER_OTLP_PROTOCOL".to_owned(), protocol),
                // Holds for the signal that has none of its own.
                ("OTEL_EXPORTER_OTLP_CERTIFICATE".to_owned(), &others),
            ];
            for (name, path) in &files {
                variables.push((format!("OTEL_EXPORTER_OTLP_{of}{name}"), path));
            }
            once(
                variables
                    .iter()
                    .map(|(name, value)| (name.as_str(), *value)),
            );
            for (infix, signal) in SIGNALS {
                let arrived = !receiver.got(signal).is_empty();
                let wanted = of.is_empty() || of == infix;
                assert_eq!(arrived, wanted, "{protocol} {of} {signal}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_asks_who_we_are_gets_nothing_from_nobody() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let [(_, trusted), ..] = authority.write(folder.path());
    for protocol in PROTOCOLS {
        let receiver = Receiver::start_tls(authority.server()).await;
        once([
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                format!("https://{}", receiver.address).as_str(),
            ),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", &trusted),
        ]);
        for (_, signal) in SIGNALS {
            assert!(receiver.got(signal).is_empty(), "{protocol} {signal}");
        }
    }
}
