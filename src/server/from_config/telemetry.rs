//! Where traces and metrics go, as the file says, and as OpenTelemetry's variables say of this instance.

use crate::config::{self, Otel, OtelSignal, Otlp, TraceExporter};
use crate::record::{
    Exporter, MetricReader, MetricSettings, OtlpProtocol, OtlpSettings, TracingSettings,
};
use crate::server::{ServerBuilder, StartError};

impl From<TraceExporter> for Exporter {
    fn from(exporter: TraceExporter) -> Self {
        match exporter {
            TraceExporter::Console => Self::Console,
            TraceExporter::Otlp => Self::Otlp,
        }
    }
}

impl From<config::MetricReader> for MetricReader {
    fn from(reader: config::MetricReader) -> Self {
        match reader {
            config::MetricReader::Prometheus => Self::Prometheus,
            config::MetricReader::Otlp => Self::Otlp,
        }
    }
}

impl ServerBuilder {
    /// Does as OpenTelemetry's environment variables say, where the file says otherwise as well.
    /// `OTEL_SDK_DISABLED` keeps spans from being made and numbers from being sent, and leaves
    /// `/metrics`, which has a switch of its own.
    ///
    /// # Errors
    /// [`StartError::NoGrpc`].
    pub fn otel(mut self, otel: Otel) -> Result<Self, StartError> {
        if let Some(name) = otel.service {
            self = self.service_name(name);
        }
        let (traces, metrics) = (otel.traces, otel.metrics);
        if let Some(exporters) = said(&traces, || self.exporters.clone(), Exporter::Otlp) {
            self = self.trace_only(exporters);
        }
        if let Some(readers) = said(&metrics, || self.metric_readers(), MetricReader::Otlp) {
            self = self.metrics(readers);
        }
        if otel.is_disabled {
            let served = self.metric_readers().into_iter();
            let served: Vec<_> = served.filter(|to| *to != MetricReader::Otlp).collect();
            self = self.trace_only(Vec::new()).metrics(served);
        }
        let sends_traces = self.exporters.contains(&Exporter::Otlp);
        let sends_metrics = self.metric_readers().contains(&MetricReader::Otlp);
        let sampling = self.tracing_settings.sampling;
        let tracing = TracingSettings {
            sampling: sampling.filter(|_| !otel.spans.samples),
            propagates: otel.spans.propagates,
            max_queue: otel.spans.max_queue,
            max_text: otel.spans.max_text,
            max_attributes: otel.spans.max_attributes,
            otlp: settings(traces.otlp, "traces", sends_traces)?,
        };
        let usual = MetricSettings::default();
        let measuring = MetricSettings {
            interval: otel.interval.unwrap_or(usual.interval),
            otlp: settings(metrics.otlp, "metrics", sends_metrics)?,
        };
        Ok(self.tracing_settings(tracing).metric_settings(measuring))
    }
}

/// Where a signal goes, where the variables say anything of it: there, or to `otlp` besides the `usual`.
fn said<N: Copy, E: From<N> + PartialEq>(
    signal: &OtelSignal<N>,
    usual: impl FnOnce() -> Vec<E>,
    otlp: E,
) -> Option<Vec<E>> {
    match &signal.exporters {
        Some(named) => Some(named.iter().copied().map(E::from).collect()),
        None if signal.names_endpoint => {
            let mut all = usual();
            if !all.contains(&otlp) {
                all.push(otlp);
            }
            Some(all)
        }
        None => None,
    }
}

/// How a collector is spoken to, if `signal` is sent to one.
fn settings(said: Otlp, signal: &'static str, is_sent: bool) -> Result<OtlpSettings, StartError> {
    let protocol = match said.protocol {
        config::OtlpProtocol::Grpc if is_sent => {
            OtlpProtocol::GRPC.ok_or(StartError::NoGrpc(signal))?
        }
        _ => OtlpProtocol::HttpProtobuf,
    };
    let usual = OtlpSettings::default();
    Ok(OtlpSettings {
        protocol,
        is_encrypted: said.is_encrypted,
        timeout: said.timeout.unwrap_or(usual.timeout),
        certificates: said.certificates,
        identity: said.identity,
    })
}
