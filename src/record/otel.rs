//! Closed records become OpenTelemetry spans.
//!
//! One SERVER span per request and, where a tool's code ran, one INTERNAL child for the time it
//! took. Export goes through the SDK: to the console in dev mode, to OTLP over HTTP by the standard
//! `OTEL_EXPORTER_OTLP_*` variables. Sampling follows `OTEL_TRACES_SAMPLER`.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{
    Link, Span as _, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer as _,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider,
};

use super::console::ConsoleExporter;
use super::{CallRecord, RequestFacts, Surface, names};
use crate::error::{Outcome, Row};
use crate::quota::QuotaState;

/// How long a span may wait for others before its line is written.
const CONSOLE_DELAY: Duration = Duration::from_millis(100);

/// Where spans go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exporter {
    /// One readable line a span, on standard error.
    Console,
    /// OTLP over HTTP with protobuf, as the `OTEL_EXPORTER_OTLP_*` variables say.
    Otlp,
}

/// Why tracing could not be set up.
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

/// Builds and exports spans.
pub struct Tracing {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

impl Tracing {
    /// Spans of `service`, to each of `exporters`.
    ///
    /// # Errors
    /// [`TracingError`] when the OTLP exporter cannot be made from the environment's settings.
    pub fn new(service: &str, exporters: &[Exporter]) -> Result<Self, TracingError> {
        let mut builder = SdkTracerProvider::builder().with_resource(
            Resource::builder()
                .with_service_name(service.to_owned())
                .build(),
        );
        for exporter in exporters {
            builder = match exporter {
                Exporter::Console => {
                    // From a thread of its own: a terminal that stands still must not hold up calls.
                    let soon = BatchConfigBuilder::default().with_scheduled_delay(CONSOLE_DELAY);
                    let lines = BatchSpanProcessor::builder(ConsoleExporter::stderr())
                        .with_batch_config(soon.build())
                        .build();
                    builder.with_span_processor(lines)
                }
                Exporter::Otlp => {
                    let otlp = opentelemetry_otlp::SpanExporter::builder()
                        .with_http()
                        .build()?;
                    builder.with_batch_exporter(otlp)
                }
            };
        }
        Ok(Self::over(builder.build()))
    }

    /// Spans through a provider of the embedding program's own making.
    pub fn over(provider: SdkTracerProvider) -> Self {
        Self {
            tracer: provider.tracer("tollgate"),
            provider,
            propagator: TraceContextPropagator::new(),
        }
    }

    /// Exports what is held and stops, within `patience`.
    pub(super) fn shutdown(&self, patience: Duration) {
        if let Err(error) = self.provider.shutdown_with_timeout(patience) {
            tracing::warn!(%error, "some spans could not be exported");
        }
    }

    pub(super) fn write(
        &self,
        record: &CallRecord,
        now: Duration,
        outcome: Outcome,
        error: Option<Row>,
        cause: Option<&str>,
    ) {
        let wall = |at: Duration| -> SystemTime {
            UNIX_EPOCH + record.started_unix + at.saturating_sub(record.started)
        };
        let (parent, links) = self.parent(&record.request);
        // Sampling is decided before anything is written down: most calls of a busy server are not
        // sampled, and should not pay for texts that nobody reads.
        let builder = SpanBuilder::from_name("")
            .with_kind(SpanKind::Server)
            .with_links(links)
            .with_start_time(wall(record.started));
        let mut span = self.tracer.build_with_context(builder, &parent);
        if !span.is_recording() {
            return;
        }
        span.update_name(record.name());
        span.set_attributes(attributes(record, outcome, error));
        if let Some(cause) = cause {
            span.set_attribute(KeyValue::new(names::CAUSE, cause.to_owned()));
        }
        if matches!(outcome, Outcome::Failed | Outcome::TimedOut) {
            let text = cause.unwrap_or_default().to_owned();
            span.set_status(Status::Error {
                description: Cow::Owned(text),
            });
        }
        if let Some(run) = record.run {
            let until = run.until.unwrap_or(now);
            let context = parent.with_remote_span_context(span.span_context().clone());
            let name = record.target.as_ref().map_or("", |target| target.name());
            let mut child = self.tracer.build_with_context(
                SpanBuilder::from_name(format!(
                    "{} {name}",
                    if record.is_tool() {
                        "execute_tool"
                    } else {
                        "read_resource"
                    }
                ))
                .with_kind(SpanKind::Internal)
                .with_start_time(wall(run.from)),
                &context,
            );
            child.end_with_timestamp(wall(until));
        }
        span.end_with_timestamp(wall(now));
    }

    /// The caller's span, as the parent of ours.
    ///
    /// One that the caller does not sample becomes a link instead: as a parent it would switch our
    /// sampling off, and a caller must not be able to go unseen.
    fn parent(&self, request: &RequestFacts) -> (Context, Vec<Link>) {
        if request.traceparent.is_none() {
            return (Context::new(), Vec::new());
        }
        let mut carrier = HashMap::new();
        let pairs = [
            ("traceparent", &request.traceparent),
            ("tracestate", &request.tracestate),
        ];
        for (name, value) in pairs {
            if let Some(value) = value {
                carrier.insert(name.to_owned(), value.clone());
            }
        }
        let context = self
            .propagator
            .extract_with_context(&Context::new(), &carrier);
        let caller = context.span().span_context().clone();
        if caller.is_valid() && !caller.is_sampled() {
            return (Context::new(), vec![Link::with_context(caller)]);
        }
        (context, Vec::new())
    }
}

fn attributes(record: &CallRecord, outcome: Outcome, error: Option<Row>) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(16);
    all.push(KeyValue::new(names::OUTCOME, outcome.as_str()));
    if let Some(principal) = &record.principal {
        all.push(KeyValue::new(names::TENANT, principal.tenant().to_owned()));
        all.push(KeyValue::new(
            names::SUBJECT,
            principal.subject().to_owned(),
        ));
    }
    all.push(KeyValue::new(names::METHOD, record.method.to_string()));
    if let Some(target) = &record.target {
        if record.is_tool() {
            all.push(KeyValue::new(names::TOOL, target.name().to_owned()));
            all.push(KeyValue::new(names::OPERATION, "execute_tool"));
        } else {
            all.push(KeyValue::new(
                names::RESOURCE_URI_TEMPLATE,
                target.name().to_owned(),
            ));
        }
    }
    all.extend(quota(record, error).into_iter().flatten());
    if record.uncounted {
        all.push(KeyValue::new(names::QUOTA, "uncounted"));
    }
    if !record.would_deny.is_empty() {
        let reasons: Vec<String> = record.would_deny.iter().map(ToString::to_string).collect();
        all.push(KeyValue::new(names::WOULD_DENY, reasons.join(",")));
    }
    if let Some(row) = error {
        all.push(KeyValue::new(names::ERROR_TYPE, row.kind));
        all.push(KeyValue::new(names::RESPONSE_CODE, row.code.to_string()));
    }
    let request = &record.request;
    for (name, value) in [
        (names::PROTOCOL_VERSION, &request.protocol_version),
        (names::REQUEST_ID, &request.request_id),
    ] {
        if let Some(value) = value {
            all.push(KeyValue::new(name, value.clone()));
        }
    }
    all.push(KeyValue::new(names::SURFACE, record.surface.name()));
    all.push(KeyValue::new(names::TRANSPORT, transport(record.surface)));
    all.push(KeyValue::new(names::CALL_ID, record.call_id.to_string()));
    all
}

/// What the quota said: of several limits the tightest one, by name.
fn quota(record: &CallRecord, error: Option<Row>) -> Option<impl Iterator<Item = KeyValue>> {
    let state = tightest(&record.quota)?;
    let exceeded = error.is_some_and(|row| row.kind == "quota-exceeded");
    let decision = if exceeded { "exceeded" } else { "admitted" };
    let policy = (record.quota.len() > 1)
        .then(|| KeyValue::new(names::QUOTA_POLICY, state.limit.policy_name()));
    let numbers = [
        KeyValue::new(names::QUOTA, decision),
        KeyValue::new(
            names::QUOTA_LIMIT,
            i64::from(state.limit.quota().burst_size()),
        ),
        KeyValue::new(names::QUOTA_REMAINING, i64::from(state.remaining)),
    ];
    Some(numbers.into_iter().chain(policy))
}

/// The transport under a surface.
fn transport(surface: Surface) -> &'static str {
    match surface {
        Surface::Rest | Surface::McpHttp => "tcp",
        Surface::McpStdio | Surface::Cli => "pipe",
    }
}

/// The limit that leaves the caller least, and of those the one that does so longest.
fn tightest(states: &[QuotaState]) -> Option<&QuotaState> {
    let calls_left = |state: &QuotaState| state.remaining / state.limit.taken_by_a_call();
    let strictness = |state: &&QuotaState| (calls_left(state), Reverse(state.reset));
    states.iter().min_by_key(strictness)
}
