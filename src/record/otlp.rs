//! How a collector is spoken to, which is the same for spans and for numbers.
//!
//! The library reads endpoint, headers, compression and temporality from the environment itself. A
//! reader would ask who waits for the collector: the SDK's own threads do, one for each signal, and
//! nothing of the server's.

#[cfg(feature = "otlp-grpc")]
mod grpc;
mod http;

use std::time::Duration;

use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as ExportSpans};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// How a collector is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSettings {
    /// In what. Default: protobuf over HTTP.
    pub protocol: OtlpProtocol,
    /// Whether the endpoint is reached through TLS; over HTTP its URL says so alone.
    pub is_encrypted: bool,
    /// How long an export may take; over HTTP each of up to four tries. Default 10 s.
    pub timeout: Duration,
    /// The certificates (PEM) that a collector's must be issued by. Default: the system's.
    pub certificates: Option<Vec<u8>>,
    /// Our own certificate and key (PEM).
    pub identity: Option<Vec<u8>>,
}

/// What a collector is spoken to in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtlpProtocol {
    /// Protobuf over HTTP.
    #[default]
    HttpProtobuf,
    /// gRPC.
    #[cfg(feature = "otlp-grpc")]
    Grpc,
}

impl OtlpProtocol {
    /// gRPC, in a build that speaks it (feature `otlp-grpc`).
    pub const GRPC: Option<Self> = {
        #[cfg(feature = "otlp-grpc")]
        let grpc = Some(Self::Grpc);
        #[cfg(not(feature = "otlp-grpc"))]
        let grpc = None;
        grpc
    };
}

impl Default for OtlpSettings {
    fn default() -> Self {
        Self {
            protocol: OtlpProtocol::default(),
            is_encrypted: false,
            timeout: Duration::from_secs(10),
            certificates: None,
            identity: None,
        }
    }
}

/// Why traces or metrics cannot be sent.
#[derive(Debug, thiserror::Error)]
#[error("the OTLP exporter cannot be set up: {0}")]
pub struct TracingError(String);

impl From<ExporterBuildError> for TracingError {
    /// The library quotes the value of a setting, and the URL of a collector may hold a password: only
    /// the setting's name is kept.
    fn from(error: ExporterBuildError) -> Self {
        let name = match &error {
            ExporterBuildError::InvalidConfiguration(text) => text.split(':').next(),
            _ => None,
        };
        let is_variable = |name: &&str| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
        Self(match name.filter(is_variable) {
            Some(name) => format!("the environment variable {name} has a value that is not valid"),
            None => "check the OTEL_EXPORTER_OTLP_* environment variables".to_owned(),
        })
    }
}

/// What sends spans.
pub(super) fn spans(settings: &OtlpSettings) -> Result<Link<SpanExporter>, TracingError> {
    let builder = SpanExporter::builder();
    match settings.protocol {
        OtlpProtocol::HttpProtobuf => {
            let builder = http::over(builder.with_http(), settings)?;
            Ok(Link::blocking(builder.build()?))
        }
        #[cfg(feature = "otlp-grpc")]
        OtlpProtocol::Grpc => {
            let builder = grpc::over(builder.with_tonic(), settings);
            grpc::link(settings, || builder.build())
        }
    }
}

/// What sends numbers.
pub(super) fn metrics(settings: &OtlpSettings) -> Result<Link<MetricExporter>, TracingError> {
    let builder = MetricExporter::builder();
    match settings.protocol {
        OtlpProtocol::HttpProtobuf => {
            let builder = http::over(builder.with_http(), settings)?;
            Ok(Link::blocking(builder.build()?))
        }
        #[cfg(feature = "otlp-grpc")]
        OtlpProtocol::Grpc => {
            let builder = grpc::over(builder.with_tonic(), settings);
            grpc::link(settings, || builder.build())
        }
    }
}

/// An exporter, and what drives it.
#[derive(Debug)]
pub(super) struct Link<E> {
    pub(super) exporter: E,
    /// For one that is not blocking, and how long it may take.
    runtime: Option<(Runtime, Duration)>,
}

impl<E> Link<E> {
    /// An exporter that blocks the thread that it is polled on.
    fn blocking(exporter: E) -> Self {
        Self {
            exporter,
            runtime: None,
        }
    }

    /// Carries out an export on the thread that polls this, which is one of the SDK's own.
    pub(super) async fn send(
        &self,
        export: impl Future<Output = OTelSdkResult> + Send,
    ) -> OTelSdkResult {
        let Some((runtime, patience)) = &self.runtime else {
            return export.await;
        };
        let ended = runtime.block_on(async { timeout(*patience, export).await });
        ended.unwrap_or(Err(OTelSdkError::Timeout(*patience)))
    }
}

impl<E> Drop for Link<E> {
    /// Without waiting: whoever drops it may be on a thread that must not block.
    fn drop(&mut self) {
        if let Some((runtime, _)) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl ExportSpans for Link<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.send(self.exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
