//! How a collector is spoken to, which is the same for spans and for numbers.
//!
//! The library reads endpoint, headers, compression and temporality from the environment itself. A
//! reader would ask who waits for the collector: the SDK's own threads do, one for each signal, and
//! nothing of the server's.

#[cfg(feature = "otlp-grpc")]
mod grpc;
mod http;

use std::sync::{Arc, Mutex, PoisonError};
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
    Link::new(settings, span_exporter, ExportSpans::set_resource)
}

/// What sends numbers; each export says whose they are.
pub(super) fn metrics(settings: &OtlpSettings) -> Result<Link<MetricExporter>, TracingError> {
    Link::new(settings, metric_exporter, |_, _| ())
}

fn span_exporter(settings: &OtlpSettings) -> Result<SpanExporter, TracingError> {
    let builder = SpanExporter::builder();
    Ok(match settings.protocol {
        OtlpProtocol::HttpProtobuf => http::over(builder.with_http(), settings)?.build()?,
        #[cfg(feature = "otlp-grpc")]
        OtlpProtocol::Grpc => grpc::over(builder.with_tonic(), settings).build()?,
    })
}

fn metric_exporter(settings: &OtlpSettings) -> Result<MetricExporter, TracingError> {
    let builder = MetricExporter::builder();
    Ok(match settings.protocol {
        OtlpProtocol::HttpProtobuf => http::over(builder.with_http(), settings)?.build()?,
        #[cfg(feature = "otlp-grpc")]
        OtlpProtocol::Grpc => grpc::over(builder.with_tonic(), settings).build()?,
    })
}

/// An exporter, and what drives it.
#[derive(Debug)]
pub(super) struct Link<E> {
    exporter: Mutex<Arc<E>>,
    /// What makes it, and makes it know whose things it sends.
    build: fn(&OtlpSettings) -> Result<E, TracingError>,
    introduce: fn(&mut E, &Resource),
    settings: OtlpSettings,
    resource: Option<Resource>,
    /// For one that does not block.
    runtime: Option<Runtime>,
}

impl<E> Link<E> {
    fn new(
        settings: &OtlpSettings,
        build: fn(&OtlpSettings) -> Result<E, TracingError>,
        introduce: fn(&mut E, &Resource),
    ) -> Result<Self, TracingError> {
        let runtime = match settings.protocol {
            OtlpProtocol::HttpProtobuf => None,
            #[cfg(feature = "otlp-grpc")]
            OtlpProtocol::Grpc => Some(grpc::runtime()?),
        };
        // Connecting begins with the first export; the task that will do it is started here.
        let entered = runtime.as_ref().map(Runtime::enter);
        let exporter = build(settings)?;
        drop(entered);
        Ok(Self {
            exporter: Mutex::new(Arc::new(exporter)),
            build,
            introduce,
            settings: settings.clone(),
            resource: None,
            runtime,
        })
    }

    pub(super) fn exporter(&self) -> Arc<E> {
        let exporter = self.exporter.lock();
        Arc::clone(&exporter.unwrap_or_else(PoisonError::into_inner))
    }

    /// Carries out an export on the thread that polls this, which is one of the SDK's own.
    pub(super) async fn send(
        &self,
        export: impl Future<Output = OTelSdkResult> + Send,
    ) -> OTelSdkResult {
        let Some(runtime) = &self.runtime else {
            return export.await;
        };
        let patience = self.settings.timeout;
        let ended = runtime.block_on(async { timeout(patience, export).await });
        let result = ended.unwrap_or(Err(OTelSdkError::Timeout(patience)));
        if result.is_err() {
            self.connect_anew(runtime);
        }
        result
    }

    /// A connection whose other end is gone without a word, or that never comes about, would be held on
    /// to for as long as the system does, which is minutes.
    fn connect_anew(&self, runtime: &Runtime) {
        let entered = runtime.enter();
        let built = (self.build)(&self.settings);
        drop(entered);
        if let Ok(mut exporter) = built {
            if let Some(resource) = &self.resource {
                (self.introduce)(&mut exporter, resource);
            }
            let current = self.exporter.lock();
            *current.unwrap_or_else(PoisonError::into_inner) = Arc::new(exporter);
        }
    }
}

impl<E> Drop for Link<E> {
    /// Without waiting: whoever drops it may be on a thread that must not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl ExportSpans for Link<SpanExporter> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let exporter = self.exporter();
        self.send(exporter.export(batch)).await
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter().shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter().force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = Some(resource.clone());
        let exporter = self.exporter.get_mut();
        let exporter = exporter.unwrap_or_else(PoisonError::into_inner);
        // Nobody else has it before the first export.
        if let Some(exporter) = Arc::get_mut(exporter) {
            exporter.set_resource(resource);
        }
    }
}
