//! Where traces go, as the file says, and as OpenTelemetry's variables say of this instance.

use crate::config::{Otel, OtlpProtocol, TraceExporter};
use crate::record::{Exporter, TracingSettings};
use crate::server::{ServerBuilder, StartError};

impl From<TraceExporter> for Exporter {
    fn from(exporter: TraceExporter) -> Self {
        match exporter {
            TraceExporter::Console => Self::Console,
            TraceExporter::Otlp => Self::Otlp,
        }
    }
}

impl ServerBuilder {
    /// Does as OpenTelemetry's environment variables say, where the file says otherwise as well.
    ///
    /// # Errors
    /// [`StartError::NoGrpc`].
    pub fn otel(mut self, otel: Otel) -> Result<Self, StartError> {
        if let Some(name) = otel.service {
            self = self.service_name(name);
        }
        match otel.traces {
            Some(only) => self = self.trace_only(only.into_iter().map(Exporter::from).collect()),
            None if otel.names_endpoint => self = self.trace(Exporter::Otlp),
            None => {}
        }
        if otel.protocol == OtlpProtocol::Grpc && self.exporters.contains(&Exporter::Otlp) {
            return Err(StartError::NoGrpc);
        }
        let sampling = self.tracing_settings.sampling;
        Ok(self.tracing_settings(TracingSettings {
            sampling: sampling.filter(|_| !otel.samples),
            propagates: otel.propagates,
            max_queue: otel.max_queue,
            max_text: otel.max_text,
            max_attributes: otel.max_attributes,
            timeout: otel.timeout,
            certificates: otel.certificates,
            identity: otel.identity,
        }))
    }
}
