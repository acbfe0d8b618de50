//! Spans on their way to a collector: no more wait than there is room for.
//!
//! The SDK exports from a thread of its own and drops what does not fit into its queue; neither is
//! told to anybody. So the queue is counted here, in front of the SDK's, and results behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use opentelemetry::{Context, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, Span, SpanData, SpanExporter, SpanProcessor};

use super::exports::{Exports, TRACES};

/// What waits for a collector, and what became of the rest.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: AtomicUsize,
    pub(super) exports: Exports,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            waiting: AtomicUsize::new(0),
            exports: Exports::new(TRACES),
        }
    }
}

/// Lets no more spans in than fit, and shortens their texts.
#[derive(Debug)]
pub(super) struct Bounded {
    pub(super) inner: BatchSpanProcessor,
    pub(super) queue: Arc<Queue>,
    pub(super) capacity: usize,
    /// Most characters of a text.
    pub(super) max_text: Option<usize>,
}

impl SpanProcessor for Bounded {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, mut span: SpanData) {
        let room = |queued| (queued < self.capacity).then_some(queued + 1);
        let entered = self.queue.waiting.fetch_update(Relaxed, Relaxed, room);
        if entered.is_err() {
            self.queue.exports.dropped();
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
    pub(super) queue: Arc<Queue>,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        // They have left the SDK's queue, so that as many fit into it again.
        self.queue.waiting.fetch_sub(spans, Relaxed);
        let result = self.inner.export(batch).await;
        self.queue.exports.ended(&result, spans);
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
    use opentelemetry_sdk::error::OTelSdkError;
    use opentelemetry_sdk::trace::{BatchConfigBuilder, SdkTracerProvider};

    use super::super::ExporterState;
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
        let queue = Arc::<Queue>::default();
        let exporter = Watched {
            inner: Held {
                asked,
                answers: Mutex::new(answers),
            },
            queue: Arc::clone(&queue),
        };
        let one = BatchConfigBuilder::default().with_max_queue_size(2);
        let config = one.with_max_export_batch_size(1).build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Bounded {
                inner: processor.build(),
                queue: Arc::clone(&queue),
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
        let state = queue.exports.state();
        assert_eq!((state.lost, state.is_up), (3, false));
        assert_eq!(queue.waiting.load(Relaxed), 2);
        answer.send(Err(OTelSdkError::AlreadyShutdown)).unwrap();
        answer.send(Ok(())).unwrap();
        answer.send(Ok(())).unwrap();
        provider.shutdown().unwrap();
        let ended = ExporterState {
            signal: TRACES,
            is_up: true,
            done: 2,
            failed: 1,
            lost: 4,
        };
        assert_eq!(queue.exports.state(), ended);
        assert_eq!(queue.waiting.load(Relaxed), 0);
    }
}
