//! The trace of a call, for those who serve it: spans for what takes time, and the context that is
//! sent on.
//!
//! A leaf, so that whoever waits for something can say so: sources, the quota store, the tools of an
//! embedding program. The record opens a call's trace and ends it (`record`). A reader would ask why
//! there is no ambient context, as `tracing` has: it costs every call, and what runs on threads of its
//! own would lose it.

pub(crate) mod attribute;
mod remote;
mod span;

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanBuilder, SpanContext, SpanKind, TraceContextExt, Tracer as _};
use opentelemetry_sdk::trace::SdkTracer;

pub use remote::Remote;
pub use span::{Kind, Span};

use crate::clock::Clock;

/// A call's trace, at the span that is current where it was handed out. Empty where nothing is traced.
///
/// ```
/// use schemars::JsonSchema;
/// use serde::Deserialize;
/// use tollgate::trace::Kind;
/// use tollgate::{CallContext, Tool, ToolError};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Place {
///     name: String,
/// }
///
/// async fn locate(call: CallContext, place: Place) -> Result<String, ToolError> {
///     let mut span = call.trace().child(Kind::Client, || "geocode");
///     span.set("server.address", "geo.example.com");
///     // What the other side needs to go on with this trace.
///     let traceparent = span.trace().traceparent();
///     let found = ask(&place.name, traceparent).await;
///     if found.is_none() {
///         span.fail("unreachable");
///     }
///     // The span ends here, when it is dropped.
///     found.ok_or_else(|| ToolError::Failed("no answer".to_owned()))
/// }
/// # async fn ask(_: &str, _: Option<String>) -> Option<String> { None }
/// # let _ = Tool::new("locate", "Finds a place.").any_authenticated().handler(locate);
/// ```
#[derive(Clone, Default)]
pub struct Trace(Option<Arc<At>>);

/// What begins spans; one per server.
pub(crate) struct Tracer {
    sdk: SdkTracer,
    /// Whether callers' context is read and ours sent on.
    propagates: bool,
}

impl Tracer {
    pub(crate) fn new(sdk: SdkTracer, propagates: bool) -> Self {
        Self { sdk, propagates }
    }
}

/// Shared, since every stage of a call is handed its trace.
struct At {
    tracer: Arc<Tracer>,
    current: SpanContext,
    timeline: Timeline,
}

/// Turns readings of the monotonic clock into times of day that do not jump within a call.
#[derive(Clone)]
pub(crate) struct Timeline {
    pub(crate) clock: Clock,
    /// When the call began, on the monotonic clock.
    pub(crate) started: Duration,
    /// The same moment since the Unix epoch.
    pub(crate) started_unix: Duration,
}

impl Timeline {
    pub(crate) fn wall(&self, at: Duration) -> SystemTime {
        UNIX_EPOCH + self.started_unix + at.saturating_sub(self.started)
    }

    fn now(&self) -> SystemTime {
        self.wall(self.clock.monotonic())
    }
}

impl Trace {
    /// Whether spans of this call are exported, so that texts for them are worth making.
    pub fn is_sampled(&self) -> bool {
        self.context().is_some_and(SpanContext::is_sampled)
    }

    /// The value of a `traceparent` header (W3C Trace Context §3.2) for what is called from here. Also
    /// where the call is not sampled: then it says so.
    pub fn traceparent(&self) -> Option<String> {
        self.sent_on().map(|current| {
            let (trace, span) = (current.trace_id(), current.span_id());
            format!("00-{trace}-{span}-{:02x}", u8::from(current.is_sampled()))
        })
    }

    /// The value of the `tracestate` header (W3C Trace Context §3.3) that goes with it, if there is one.
    pub fn tracestate(&self) -> Option<String> {
        let state = self.sent_on()?.trace_state().header();
        Some(state).filter(|state| !state.is_empty())
    }

    /// The id of the trace, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<String> {
        Some(self.context()?.trace_id().to_string())
    }

    /// Begins a span below the current one; it ends when it is dropped. `name` is only asked for where
    /// somebody will read it; few different names are best, and nothing of a caller's.
    pub fn child<N: Into<Cow<'static, str>>>(&self, kind: Kind, name: impl FnOnce() -> N) -> Span {
        match &self.0 {
            Some(at) if at.current.is_sampled() => at.begin(name().into(), kind, None),
            _ => Span::unrecorded(self.clone()),
        }
    }

    /// A span of something that was over before the trace began.
    pub(crate) fn past(&self, name: &'static str, (from, until): (Duration, Duration)) -> Span {
        match &self.0 {
            Some(at) if at.current.is_sampled() => {
                let mut span = at.begin(name.into(), Kind::Internal, Some(from));
                span.ends_at(at.timeline.wall(until));
                span
            }
            _ => Span::unrecorded(self.clone()),
        }
    }

    /// Does `work`, in a span of its own if that has to wait for something. By reference, since its room
    /// would else be there twice.
    pub(crate) async fn if_it_waits<F: Future>(
        &self,
        name: &'static str,
        mut work: Pin<&mut F>,
    ) -> F::Output {
        let mut span = None;
        poll_fn(|context| {
            let polled = work.as_mut().poll(context);
            if polled.is_pending() && span.is_none() {
                span = Some(self.child(Kind::Internal, || name));
            }
            polled
        })
        .await
    }

    fn sent_on(&self) -> Option<&SpanContext> {
        let propagates = self.0.as_ref()?.tracer.propagates;
        self.context().filter(|_| propagates)
    }

    fn context(&self) -> Option<&SpanContext> {
        let at = self.0.as_deref()?;
        Some(&at.current).filter(|current| current.is_valid())
    }
}

impl At {
    fn begin(&self, name: Cow<'static, str>, kind: Kind, from: Option<Duration>) -> Span {
        let timeline = &self.timeline;
        let start = from.map_or_else(|| timeline.now(), |from| timeline.wall(from));
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind.into())
            .with_start_time(start);
        let parent = opentelemetry::Context::new().with_remote_span_context(self.current.clone());
        let span = self.tracer.sdk.build_with_context(builder, &parent);
        Span::started(span, &self.tracer, timeline.clone())
    }
}

/// Begins a call's trace: below `parent` or, without one, as a trace of its own. Whether it is sampled
/// is decided here, before anything is written down.
pub(crate) fn begin(
    tracer: &Arc<Tracer>,
    timeline: Timeline,
    parent: Option<&Remote>,
    links: &[&Remote],
) -> Span {
    let (parent, links) = match tracer.propagates {
        true => (parent, links),
        false => (None, &[][..]),
    };
    let mut builder = SpanBuilder::from_name("")
        .with_kind(SpanKind::Server)
        .with_start_time(timeline.wall(timeline.started));
    if !links.is_empty() {
        builder = builder.with_links(links.iter().map(|remote| remote.link()).collect());
    }
    let mut context = opentelemetry::Context::new();
    if let Some(parent) = parent {
        context = context.with_remote_span_context(parent.context().clone());
    }
    let span = tracer.sdk.build_with_context(builder, &context);
    Span::started(span, tracer, timeline)
}
