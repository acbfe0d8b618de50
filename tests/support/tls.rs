//! Certificates made for a test, and a client that trusts them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tollgate::testing::TestServer;
use tollgate::transport::http::Tls;

/// A certificate for `localhost` and `127.0.0.1` that signs itself.
pub(crate) struct Certificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let names = ["localhost", "127.0.0.1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            der: made.cert.der().clone(),
        }
    }

    /// Writes `tls.crt` and `tls.key`.
    pub(crate) fn write(&self, folder: &Path) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
        std::fs::write(&certificate, &self.certificate).expect("a file");
        std::fs::write(&key, &self.key).expect("a file");
        (certificate, key)
    }

    /// What `server` is set up with.
    pub(crate) fn load(&self) -> Tls {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificate, key) = self.write(folder.path());
        Tls::load(certificate, key).expect("a pair")
    }

    /// A connection that speaks the first of `protocols` that the server takes.
    pub(crate) async fn connect(
        &self,
        server: &TestServer,
        protocols: &[&str],
    ) -> TlsStream<TcpStream> {
        let stream = tcp(server).await;
        let name = ServerName::try_from("localhost").expect("a name");
        let connector = TlsConnector::from(Arc::new(self.client(protocols)));
        connector.connect(name, stream).await.expect("a handshake")
    }

    /// A client that trusts this certificate and no other.
    pub(crate) fn client(&self, protocols: &[&str]) -> ClientConfig {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder
            .with_safe_default_protocol_versions()
            .expect("versions");
        let mut config = builder
            .with_root_certificates(self.roots())
            .with_no_client_auth();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        config
    }

    /// This certificate alone.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).expect("a certificate");
        roots
    }

    /// reqwest, trusting this certificate.
    pub(crate) fn reqwest(&self) -> reqwest::Client {
        let config = self.client(&["http/1.1"]);
        let builder = reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(config);
        builder.build().expect("a client")
    }
}

/// A bare connection.
pub(crate) async fn tcp(server: &TestServer) -> TcpStream {
    let (_, address) = server.url().split_once("://").expect("a URL");
    TcpStream::connect(address).await.expect("a connection")
}
