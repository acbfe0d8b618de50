//! Finished spans, handed to the test as they end.

use std::time::Duration;

use opentelemetry::trace::SpanKind;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tollgate::record::Tracing;

#[derive(Debug)]
struct ToTest(UnboundedSender<SpanData>);

impl SpanExporter for ToTest {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            // The test may have seen enough.
            let _ = self.0.send(span);
        }
        Ok(())
    }
}

/// The spans of one server.
pub(crate) struct Spans(UnboundedReceiver<SpanData>);

/// Tracing for a server, and its spans.
pub(crate) fn watched() -> (Tracing, Spans) {
    let (sender, receiver) = unbounded_channel();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(ToTest(sender))
        .build();
    (Tracing::over(provider), Spans(receiver))
}

impl Spans {
    /// The next span of a request; those of the tools inside are passed over.
    pub(crate) async fn next_request(&mut self) -> SpanData {
        loop {
            let next = timeout(Duration::from_secs(10), self.0.recv()).await;
            let span = next.expect("a span in time").expect("a running server");
            if span.span_kind == SpanKind::Server {
                return span;
            }
        }
    }
}

/// An attribute's text, empty when it is not there.
pub(crate) fn attribute(span: &SpanData, name: &str) -> String {
    let found = span
        .attributes
        .iter()
        .find(|pair| pair.key.as_str() == name);
    found.map_or_else(String::new, |pair| pair.value.as_str().into_owned())
}
