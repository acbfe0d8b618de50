//! OTLP over gRPC.
//!
//! A reader would ask for the runtime: the SDK exports from a thread of its own, which has none, and
//! the connection has to be looked after between two exports, too, lest the collector gives it up. The
//! server's will not do: it may be gone when the last spans are sent.

use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig, WithTonicConfig};
use tokio::runtime::Builder;

use super::{Link, OtlpSettings, TracingError};

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

/// What `build` makes, with a thread for its connection.
pub(super) fn link<E>(
    settings: &OtlpSettings,
    build: impl FnOnce() -> Result<E, ExporterBuildError>,
) -> Result<Link<E>, TracingError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("otlp-grpc")
        .enable_all()
        .build();
    let runtime = runtime.map_err(|_| TracingError("there is no thread for it".to_owned()))?;
    // Connecting begins with the first export; the task that will do it is started here.
    let entered = runtime.enter();
    let exporter = build()?;
    drop(entered);
    Ok(Link {
        exporter,
        runtime: Some((runtime, settings.timeout)),
    })
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
