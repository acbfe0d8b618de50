//! OTLP over gRPC.
//!
//! A reader would ask for the runtime: the SDK exports from a thread of its own, which has none, and
//! the connection has to be looked after between two exports, too, lest the collector gives it up. The
//! server's will not do: it may be gone when the last spans are sent.

use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
use tokio::runtime::{Builder, Runtime};

use super::{OtlpSettings, TracingError};

/// `builder` with the settings.
pub(super) fn over<B: WithExportConfig + WithTonicConfig>(
    builder: B,
    settings: &OtlpSettings,
) -> B {
    let builder = builder.with_timeout(settings.timeout);
    // The system's certificates are not read in vain: there may be none.
    if settings.is_encrypted {
        builder.with_tls_config(tls(settings))
    } else {
        builder
    }
}

/// A thread for a connection.
pub(super) fn runtime() -> Result<Runtime, TracingError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp-grpc")
        .enable_all()
        .build();
    runtime.map_err(|_| TracingError("there is no thread for it".to_owned()))
}

fn tls(settings: &OtlpSettings) -> ClientTlsConfig {
    let tls = ClientTlsConfig::new();
    let tls = match &settings.certificates {
        Some(pem) => tls.ca_certificate(Certificate::from_pem(pem)),
        None => tls.with_native_roots(),
    };
    match &settings.identity {
        Some(pem) => tls.identity(Identity::from_pem(pem, pem)),
        None => tls,
    }
}
