//! OTLP over HTTP with protobuf, by a client that blocks.

use opentelemetry_otlp::{Protocol, WithExportConfig, WithHttpConfig};
use reqwest::blocking::Client;
use reqwest::redirect::Policy;

use super::{OtlpSettings, TracingError};

/// `builder` with the settings.
pub(super) fn over<B: WithExportConfig + WithHttpConfig>(
    builder: B,
    settings: &OtlpSettings,
) -> Result<B, TracingError> {
    Ok(builder
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(settings.timeout)
        .with_http_client(client(settings)?))
}

/// A client that trusts whom it is told to. Not the library's own: that one fails without a reason.
fn client(settings: &OtlpSettings) -> Result<Client, TracingError> {
    let unusable = |what| move |_| TracingError(format!("{what} cannot be read (PEM)"));
    // What is sent, and the secrets in its headers, are for nobody else.
    let mut builder = Client::builder()
        .timeout(settings.timeout)
        .redirect(Policy::none());
    if let Some(pem) = &settings.certificates {
        let roots = reqwest::Certificate::from_pem_bundle(pem);
        builder = builder.tls_certs_only(roots.map_err(unusable("the collector's certificates"))?);
    }
    if let Some(pem) = &settings.identity {
        let own = reqwest::Identity::from_pem(pem);
        builder = builder.identity(own.map_err(unusable("our own certificate"))?);
    }
    // It waits for a runtime of its own, which no thread of another one may do.
    let built = std::thread::spawn(move || builder.build()).join();
    let built = built.ok().and_then(Result::ok);
    built.ok_or_else(|| {
        let fault = "its HTTP client cannot be made; are there root certificates on this machine?";
        TracingError(fault.to_owned())
    })
}
