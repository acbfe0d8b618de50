//! A span that runs.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind, Status};
use opentelemetry::{KeyValue, Value};
use opentelemetry_sdk::trace::Span as SdkSpan;

use super::{At, Timeline, Trace, Tracer, attribute};

/// Which side of a call a span tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Work of this process.
    Internal,
    /// A request to another one, which may go on with the trace.
    Client,
}

impl From<Kind> for SpanKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Internal => Self::Internal,
            Kind::Client => Self::Client,
        }
    }
}

/// A span of a call's trace. Ends when it is dropped. Where nothing is traced, or this call is not
/// sampled, it does nothing.
#[must_use = "a span ends when it is dropped"]
pub struct Span {
    /// In a box, since it is large and most calls are not sampled.
    recorded: Option<Box<SdkSpan>>,
    end: Option<SystemTime>,
    trace: Trace,
}

impl Span {
    pub(super) fn started(span: SdkSpan, tracer: &Arc<Tracer>, timeline: Timeline) -> Self {
        let trace = Trace(Some(Arc::new(At {
            tracer: Arc::clone(tracer),
            current: span.span_context().clone(),
            timeline,
        })));
        Self {
            recorded: span.is_recording().then(|| Box::new(span)),
            end: None,
            trace,
        }
    }

    pub(super) fn unrecorded(trace: Trace) -> Self {
        Self {
            recorded: None,
            end: None,
            trace,
        }
    }

    /// Whether somebody will read it, so that texts for it are worth making.
    pub fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// The trace at this span: for spans below it, and for what is called on its behalf.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Notes a fact. Names are OpenTelemetry's where it has one for it. Never a secret, an argument or a
    /// result: traces go to other machines.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new(name, value));
        }
    }

    /// It failed; `kind` is one of few words (`error.type`).
    pub fn fail(&mut self, kind: impl Into<Cow<'static, str>>) {
        if let Some(span) = &mut self.recorded {
            span.set_attribute(KeyValue::new(attribute::ERROR_TYPE, kind.into()));
            span.set_status(Status::error(""));
        }
    }

    pub(crate) fn recorded(&mut self) -> Option<&mut SdkSpan> {
        self.recorded.as_deref_mut()
    }

    /// When it ends, if not when it is dropped.
    pub(super) fn ends_at(&mut self, end: SystemTime) {
        self.end = Some(end);
    }

    /// Ends it at a moment of the monotonic clock.
    pub(crate) fn end_at(mut self, at: Duration) {
        self.end = self.trace.0.as_ref().map(|trace| trace.timeline.wall(at));
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if let (Some(span), Some(at)) = (&mut self.recorded, &self.trace.0) {
            span.end_with_timestamp(self.end.unwrap_or_else(|| at.timeline.now()));
        }
    }
}
