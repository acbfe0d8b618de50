//! A tool's call: the request is filled, sent, and its answer read; tried again where that helps.
//!
//! There is no timeout here: at the deadline, or when the caller leaves, the future is dropped, and
//! with it the connection, which is how the other side hears of it.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use ::http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE};
use ::http::{Method, StatusCode};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::HttpSource;
use super::answer::{self, Reading};
use super::request::{Filled, HttpSpec, RequestError, Template};
use super::status;
use crate::clock::instant_now;
use crate::source::resilience::{Failure, Resilience, Tries};
use crate::tool::{Arguments, CallContext, Handler, ToolError, ToolOutput};
use crate::trace::{Kind, Span, Trace, attribute};

/// A checked request, ready to serve calls.
pub struct HttpTool {
    source: HttpSource,
    resilience: Arc<Resilience>,
    method: Method,
    template: Template,
    reading: Reading,
    idempotent: bool,
}

impl HttpTool {
    /// Checks a request.
    ///
    /// # Errors
    /// [`RequestError`], in words for the author of the configuration.
    pub fn new(
        source: &HttpSource,
        resilience: &Arc<Resilience>,
        spec: &HttpSpec<'_>,
    ) -> Result<Self, RequestError> {
        Ok(Self {
            template: Template::new(spec, |name| source.headers.contains_key(name))?,
            source: source.clone(),
            resilience: Arc::clone(resilience),
            method: spec.method.clone(),
            reading: Reading {
                text: spec.text,
                max_bytes: spec.max_bytes,
            },
            idempotent: spec.idempotent,
        })
    }

    /// What the tool answers with, where that is known.
    pub fn output_schema(&self) -> Option<Value> {
        self.reading.text.then(|| json!({"type": "string"}))
    }

    async fn ask(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> Result<ToolOutput, ToolError> {
        let base = &self.source.base;
        let filled = self.template.fill(base, &arguments, context.principal())?;
        let call = Tries {
            deadline: context.deadline(),
            repeatable: self.idempotent,
            fair_time: Some(context.timeout() / 2),
        };
        let tries = AtomicU32::new(0);
        let attempt = || self.traced(&filled, &context, tries.fetch_add(1, Relaxed));
        let value = self.resilience.call(call, attempt).await?;
        Ok(ToolOutput::json(value))
    }

    /// One try, in a span of its own, whose context the other side gets.
    async fn traced(
        &self,
        filled: &Filled,
        context: &CallContext,
        before: u32,
    ) -> Result<Value, Failure> {
        let span = context.trace().child(Kind::Client, || {
            format!("{} {}", self.method, self.template.shown())
        });
        let mut attempt = Attempt {
            span,
            deadline: context.deadline(),
            is_answered: false,
        };
        if attempt.span.is_recorded() {
            self.describe(&mut attempt.span, before);
        }
        let mut status = None;
        let answer = self.attempt(filled, attempt.span.trace(), &mut status);
        let answer = answer.await;
        attempt.is_answered = true;
        let span = &mut attempt.span;
        if let Some(status) = status {
            span.set(attribute::HTTP_STATUS, i64::from(status.as_u16()));
        }
        if let Err(failure) = &answer {
            match status.filter(|status| status.is_client_error() || status.is_server_error()) {
                Some(status) => span.fail(status.as_str().to_owned()),
                None => span.fail(failure.error.kind()),
            }
        }
        answer
    }

    /// OpenTelemetry, "HTTP client span". Without `url.full`, which holds arguments.
    fn describe(&self, span: &mut Span, before: u32) {
        let base = &self.source.base;
        span.set(attribute::SOURCE, self.resilience.name().to_owned());
        span.set(attribute::HTTP_METHOD, self.method.to_string());
        span.set(attribute::URL_TEMPLATE, self.template.shown().to_owned());
        if let Some(host) = base.host_str() {
            span.set(attribute::SERVER_ADDRESS, host.to_owned());
        }
        if let Some(port) = base.port_or_known_default() {
            span.set(attribute::SERVER_PORT, i64::from(port));
        }
        if before > 0 {
            span.set(attribute::HTTP_RESEND, i64::from(before));
        }
    }

    async fn attempt(
        &self,
        filled: &Filled,
        trace: &Trace,
        status: &mut Option<StatusCode>,
    ) -> Result<Value, Failure> {
        let client = &self.source.client;
        let mut request = client
            .request(self.method.clone(), filled.url.clone())
            .header(
                ACCEPT,
                if self.reading.text {
                    "*/*"
                } else {
                    "application/json"
                },
            )
            .header(ACCEPT_ENCODING, "identity");
        for (name, value) in &filled.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &filled.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        if self.source.propagates {
            for (name, value) in context_headers(trace) {
                request = request.header(name, value);
            }
        }
        // Last, since these stand instead of what was there: the operator may want another `Accept`.
        let request = request.headers(self.source.headers.clone());
        let response = request.send().await;
        let response = response.map_err(|error| answer::unanswered(&error))?;
        *status = Some(response.status());
        status::check(response.status(), response.headers(), &self.method)?;
        answer::read(response, self.reading).await
    }
}

/// A try on its way. The deadline ends it by dropping it.
struct Attempt {
    span: Span,
    deadline: Instant,
    is_answered: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_answered && instant_now() >= self.deadline {
            self.span.fail(ToolError::DeadlineExceeded.kind());
        }
    }
}

/// `traceparent` and `tracestate` (W3C Trace Context §3), where there is a trace.
fn context_headers(trace: &Trace) -> impl Iterator<Item = (&'static str, String)> {
    let parent = trace.traceparent().map(|parent| ("traceparent", parent));
    let state = trace.tracestate().map(|state| ("tracestate", state));
    parent.into_iter().chain(state)
}

impl Handler for HttpTool {
    fn call(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        self.ask(context, arguments).boxed()
    }
}
