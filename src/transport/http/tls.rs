//! The certificate and its key: read at start, and again whenever the files change.
//!
//! A pair that does not fit, as between the two writes of a renewal, leaves the old one in use. A
//! reader would ask why files are polled: watching a path through links that move needs more code
//! than a look every few seconds costs.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest::{Context, SHA256};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use secrecy::{ExposeSecret, SecretSlice};
use tokio::time::sleep;

use crate::files::read_bounded;
use crate::record::Recorder;

/// Longest file that is read.
const MAX_FILE_BYTES: usize = 1 << 20;

/// Why a certificate and its key cannot be used. Tells nothing of what is in the files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read.
    #[error("the certificate file cannot be read: {0}")]
    Certificate(io::Error),
    /// The key file cannot be read.
    #[error("the key file cannot be read: {0}")]
    Key(io::Error),
    /// No certificate in PEM.
    #[error("the certificate file holds no certificate: give the chain in PEM, the server's first")]
    NoCertificate,
    /// No private key in PEM.
    #[error("the key file holds no private key: give one in PEM, without a passphrase")]
    NoKey,
    /// A pair that is none, or of a kind that cannot be used.
    #[error(
        "the private key does not belong to the certificate, or is of a kind that is not supported"
    )]
    Mismatch,
    /// The TLS library refuses its own defaults.
    #[error("TLS cannot be set up")]
    Setup,
}

/// A certificate with its key, good for serving TLS 1.2 and 1.3.
#[derive(Clone)]
pub struct Tls {
    files: Arc<Files>,
    /// Of the pair that was loaded first.
    digest: Vec<u8>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Reads a certificate chain and its private key, both in PEM.
    ///
    /// # Errors
    /// [`TlsError`]: files that cannot be read, hold something else, or do not belong together.
    pub fn load(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = Files {
            certificate: certificate.into(),
            key: key.into(),
        };
        let pair = files.read()?;
        let current = Arc::new(Current(ArcSwap::from_pointee(pair.certified()?)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|_| TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            files: Arc::new(files),
            digest: pair.digest,
            current,
            config: Arc::new(config),
        })
    }

    /// Whether both come from the same files, whatever these hold.
    pub fn has_files_of(&self, other: &Self) -> bool {
        self.files == other.files
    }

    pub(super) fn config(&self) -> &Arc<ServerConfig> {
        &self.config
    }

    /// Looks at the files every `period`, for ever. What changed is logged once.
    pub(super) async fn keep_current(self, period: Duration, recorder: Arc<Recorder>) {
        let mut known = Ok(self.digest.clone());
        loop {
            let files = Arc::clone(&self.files);
            // Reading a file may block, on a network file system for long.
            let Ok(found) = tokio::task::spawn_blocking(move || files.read()).await else {
                return;
            };
            let seen = match &found {
                Ok(pair) => Ok(pair.digest.clone()),
                Err(error) => Err(error.to_string()),
            };
            if known != seen {
                known = seen;
                recorder.certificate_loaded(self.take(found));
            }
            sleep(period).await;
        }
    }

    /// Whether the pair can be used and is.
    fn take(&self, found: Result<Pair, TlsError>) -> bool {
        match found.and_then(|pair| pair.certified()) {
            Ok(certified) => {
                self.current.0.store(Arc::new(certified));
                tracing::info!("the TLS certificate was loaded again");
                true
            }
            Err(error) => {
                tracing::warn!(%error, "the TLS certificate on disk cannot be used; the one before stays in use");
                false
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

#[derive(PartialEq, Eq)]
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What the files hold.
struct Pair {
    certificate: Vec<u8>,
    key: SecretSlice<u8>,
    /// Tells this pair from another without keeping it.
    digest: Vec<u8>,
}

impl Files {
    fn read(&self) -> Result<Pair, TlsError> {
        let read = |path| read_bounded(path, MAX_FILE_BYTES);
        let certificate = read(&self.certificate).map_err(TlsError::Certificate)?;
        let key = SecretSlice::from(read(&self.key).map_err(TlsError::Key)?);
        let mut digest = Context::new(&SHA256);
        digest.update(&certificate.len().to_be_bytes());
        digest.update(&certificate);
        digest.update(key.expose_secret());
        Ok(Pair {
            certificate,
            key,
            digest: digest.finish().as_ref().to_vec(),
        })
    }
}

impl Pair {
    fn certified(&self) -> Result<CertifiedKey, TlsError> {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.map_err(|_| TlsError::NoCertificate)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(self.key.expose_secret());
        let key = key.map_err(|_| TlsError::NoKey)?;
        CertifiedKey::from_der(chain, key, &default_provider()).map_err(|_| TlsError::Mismatch)
    }
}

/// The pair in use.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
