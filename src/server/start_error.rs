//! Why a server cannot be made or started: one sentence for the operator each, with what to do.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use opentelemetry_sdk::error::OTelSdkError;

use crate::audit::AuditError;
use crate::auth::{IssuerError, NoRandomness};
use crate::config::{Faults, Origin};
use crate::record::TracingError;
use crate::tool::CatalogFault;

/// Why a server could not be made or started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Tools or resources that cannot be served; every one of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Catalog(Vec<CatalogFault>),
    /// The same, of a configuration: each with its place in the file.
    #[error(transparent)]
    Declared(#[from] Faults),
    /// Traces cannot be exported.
    #[error(transparent)]
    Tracing(#[from] TracingError),
    /// The audit log cannot be opened.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Traces or metrics by OTLP over gRPC, which is not built in.
    #[error(
        "the environment asks for {0} over gRPC (OTEL_EXPORTER_OTLP_PROTOCOL), which this build does not speak: build it with the feature otlp-grpc, or set http/protobuf and the collector's HTTP port (4318 by default) as the endpoint"
    )]
    NoGrpc(&'static str),
    /// Dev mode signs its tokens with a random secret.
    #[error("dev mode needs a secret: {0}")]
    DevSecret(#[from] NoRandomness),
    /// A secret for what clients carry that can be guessed.
    #[error("the state secret has {0} bytes: give it at least 32, at random")]
    ShortStateSecret(usize),
    /// An issuer that cannot be trusted as described.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// Dev mode or anonymous callers on an address that others can reach.
    #[error(
        "{0} is not a loopback address, and {1} must not be reachable from elsewhere: listen on 127.0.0.1"
    )]
    Exposed(SocketAddr, &'static str),
    /// Dev mode or anonymous callers behind a proxy, which others can reach.
    #[error(
        "a proxy stands in front, and {0} must not be reachable from elsewhere: remove `behindProxy: true`"
    )]
    Proxied(&'static str),
    /// Plain HTTP where others can reach it.
    #[error(
        "{0} is not a loopback address: set `tls`, or put a TLS-terminating proxy in front and say so with `behindProxy: true`"
    )]
    Unprotected(SocketAddr),
    /// Nobody knows the URL to publish.
    #[error("{0} is no address that clients can use: set `publicUrl` to the URL they know")]
    NoPublicUrl(SocketAddr),
    /// The Lambda Runtime API does not answer as it should.
    #[cfg(feature = "lambda")]
    #[error("the Lambda Runtime API failed: {0}")]
    Lambda(lambda_runtime::Error),
    /// Making it panicked.
    #[error("a fault of the server's own kept it from being made: please report this")]
    Aborted,
    /// The numbers cannot be read out.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] OTelSdkError),
    /// The admin listener's address cannot be listened on.
    #[error("cannot listen on {address} (server.adminListen): {source}")]
    BindAdmin {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl StartError {
    /// Faults of the catalogue, with the origins of what was declared in a file.
    pub(super) fn of_catalog(
        faults: Vec<CatalogFault>,
        origins: &BTreeMap<String, Origin>,
    ) -> Self {
        let placed = |fault: &CatalogFault| Some(origins.get(&fault.target)?.fault(&fault.fault));
        match faults.iter().map(placed).collect() {
            Some(placed) => Self::Declared(Faults(placed)),
            None => Self::Catalog(faults),
        }
    }
}
