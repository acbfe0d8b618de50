//! Spans on their way to a collector: how many wait, how many arrived, how many are lost.
//!
//! The SDK exports from a thread of its own and drops what does not fit into its queue; neither is
//! told to anybody. So the queue is counted here, in front of the SDK's, and results behind it. What
//! a collector says is never repeated: it may quote a URL, and that a password.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry::{Context, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

/// How the export of spans stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportState {
    /// Spans that wait.
    pub queued: usize,
    /// Spans that a collector took.
    pub exported: u64,
    /// Spans that were sent in vain.
    pub failed: u64,
    /// Spans for which there was no room.
    pub dropped: u64,
    /// Whether the last ones were lost.
    pub is_failing: bool,
}

#[derive(Debug, Default)]
pub(super) struct Exports {
    queued: AtomicUsize,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    is_failing: AtomicBool,
}

impl Exports {
    pub(super) fn state(&self) -> ExportState {
        ExportState {
            queued: self.queued.load(Relaxed),
            exported: self.exported.load(Relaxed),
            failed: self.failed.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            is_failing: self.is_failing.load(Relaxed),
        }
    }

    /// Once when it begins.
    fn lost(&self, why: &str) {
        // Looked at first: a full queue is met by every call.
        if !self.is_failing.load(Relaxed) && !self.is_failing.swap(true, Relaxed) {
            tracing::warn!("spans cannot be exported and are lost, calls go on: {why}");
        }
    }

    /// And once when it ends.
    fn arrived(&self) {
        if self.is_failing.swap(false, Relaxed) {
            let lost = self.failed.load(Relaxed) + self.dropped.load(Relaxed);
            tracing::info!(lost, "spans are exported again");
        }
    }
}

/// Lets no more spans in than fit, and shortens their texts.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) inner: BatchSpanProcessor,
    pub(super) exports: Arc<Exports>,
    pub(super) capacity: usize,
    /// Most characters of a text.
    pub(super) max_text: Option<usize>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        let room = |queued| (queued < self.capacity).then_some(queued + 1);
        let entered = self.exports.queued.fetch_update(Relaxed, Relaxed, room);
        if entered.is_err() {
            self.exports.dropped.fetch_add(1, Relaxed);
            self.exports.lost("the collector does not keep up");
            return;
        }
        if let Some(max) = self.max_text {
            shorten(&mut span, max);
        }
        self.inner.on_end(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn shorten(span: &mut SpanData, max: usize) {
    for pair in &mut span.attributes {
        if let Value::String(text) = &pair.value
            && let Some((end, _)) = text.as_str().char_indices().nth(max)
        {
            let short = text.as_str()[..end].to_owned();
            pair.value = Value::String(StringValue::from(short));
        }
    }
}

/// An exporter whose results are counted.
#[derive(Debug)]
pub(super) struct Watched<E> {
    pub(super) inner: E,
    pub(super) exports: Arc<Exports>,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        // They have left the SDK's queue, so that as many fit into it again.
        self.exports.queued.fetch_sub(spans, Relaxed);
        let result = self.inner.export(batch).await;
        match &result {
            Ok(()) => {
                self.exports.exported.fetch_add(spans as u64, Relaxed);
                self.exports.arrived();
            }
            Err(error) => {
                self.exports.failed.fetch_add(spans as u64, Relaxed);
                self.exports.lost(match error {
                    OTelSdkError::Timeout(_) => "the collector does not answer in time",
                    _ => "the collector cannot be reached or does not take them; see OTEL_EXPORTER_OTLP_*",
                });
            }
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use opentelemetry::trace::{Tracer as _, TracerProvider as _};
    use opentelemetry_sdk::trace::{BatchConfigBuilder, SdkTracerProvider};

    use super::*;

    /// A collector that answers a batch when it is told how.
    #[derive(Debug)]
    struct Held {
        asked: Sender<usize>,
        answers: Mutex<Receiver<OTelSdkResult>>,
    }

    impl SpanExporter for Held {
        async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
            let _ = self.asked.send(batch.len());
            self.answers.lock().unwrap().recv().unwrap()
        }
    }

    #[test]
    fn no_more_spans_wait_than_there_is_room_for_and_all_are_counted() {
        let ((asked, was_asked), (answer, answers)) = (channel(), channel());
        let exports = Arc::<Exports>::default();
        let exporter = Watched {
            inner: Held {
                asked,
                answers: Mutex::new(answers),
            },
            exports: Arc::clone(&exports),
        };
        let one = BatchConfigBuilder::default().with_max_queue_size(2);
        let config = one.with_max_export_batch_size(1).build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded {
                inner: processor.build(),
                exports: Arc::clone(&exports),
                capacity: 2,
                max_text: None,
            })
            .build();
        let tracer = provider.tracer("test");
        drop(tracer.start("first"));
        assert_eq!(was_asked.recv(), Ok(1));
        for _ in 0..5 {
            drop(tracer.start("further"));
        }
        let state = exports.state();
        assert_eq!(
            (state.queued, state.dropped, state.is_failing),
            (2, 3, true)
        );
        answer.send(Err(OTelSdkError::AlreadyShutdown)).unwrap();
        answer.send(Ok(())).unwrap();
        answer.send(Ok(())).unwrap();
        provider.shutdown().unwrap();
        let ended = ExportState {
            queued: 0,
            exported: 2,
            failed: 1,
            dropped: 3,
            is_failing: false,
        };
        assert_eq!(exports.state(), ended);
    }
}
