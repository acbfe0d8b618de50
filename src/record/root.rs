//! The span of a request: begun when it is known whose trace it belongs to, ended with the record.
//!
//! Whether a call is sampled is decided then, once, and before texts are made. A request that is
//! refused before, or that has nothing to wait for, begins and ends at its end: nobody sees the
//! difference, and times are those that were noted.

use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use opentelemetry::trace::{Span as _, Status};

use super::attributes::attributes;
use super::{CallRecord, Tracing};
use crate::error::{Outcome, Row};
use crate::trace::{Remote, Span, Timeline, Trace, attribute, begin};

/// What came with a request that its span should tell. What few have is boxed: each call carries it.
#[derive(Clone, Debug, Default)]
pub(super) struct Origin {
    /// The caller's span, named in the message itself.
    pub(super) message: Option<Box<Remote>>,
    /// The span of the HTTP request that carried the message.
    pub(super) transport: Option<Box<Remote>>,
    pub(super) http_version: Option<&'static str>,
    pub(super) address: Option<IpAddr>,
    /// What identifying the caller waited for.
    pub(super) wait: Option<Box<Wait>>,
}

/// A wait before the trace began.
#[derive(Clone, Debug)]
pub struct Wait {
    /// What for; the span's name.
    pub what: &'static str,
    /// The issuer whose keys or whose word were waited for.
    pub issuer: Option<String>,
    /// When, on the monotonic clock.
    pub time: (Duration, Duration),
    /// Whether it was in vain.
    pub in_vain: bool,
}

impl CallRecord {
    /// The trace of the call, at its own span; begins it where that was not done. Whatever says whose
    /// trace it belongs to has to be noted before.
    pub fn trace(&mut self) -> Trace {
        if !self.closed {
            self.begin_trace();
        }
        let root = self.root.as_ref();
        root.map_or_else(Trace::default, |root| root.trace().clone())
    }

    /// The id of the trace, once it has begun and where it is sampled.
    pub(super) fn trace_id(&self) -> Option<String> {
        let root = self.root.as_ref().filter(|root| root.is_recorded());
        root?.trace().trace_id()
    }

    pub(super) fn begin_trace(&mut self) {
        if self.root.is_none() {
            self.root = self.recorder.tracing.as_ref().map(|on| self.opened(on));
        }
    }

    /// The caller's span, as the message names it (`_meta` in MCP, headers in REST).
    pub fn belongs_to(&mut self, caller: Option<Remote>) {
        self.origin.message = caller.map(Box::new);
    }

    /// The version of HTTP, and the span of the HTTP request that carries a message.
    pub fn came_over(&mut self, http_version: Option<&'static str>, span: Option<Remote>) {
        self.origin.http_version = http_version;
        self.origin.transport = span.map(Box::new);
    }

    /// What identifying the caller had to wait for.
    pub fn waited(&mut self, wait: Wait) {
        self.origin.wait = Some(Box::new(wait));
    }

    /// A caller's unsampled span is a link and no parent: as a parent it would switch our sampling off,
    /// and a caller must not be able to go unseen.
    fn opened(&self, tracing: &Tracing) -> Span {
        let Origin {
            message, transport, ..
        } = &self.origin;
        let (named, carried) = (message.as_deref(), transport.as_deref());
        let (parent, link) = match (named, carried) {
            (Some(named), carried) => (named, carried),
            (None, Some(carried)) => (carried, None),
            (None, None) => return self.rooted(tracing, None, &[]),
        };
        let is_parent = parent.is_sampled();
        let links: &[&Remote] = match (is_parent, link) {
            (true, None) => &[],
            (true, Some(link)) => &[link],
            (false, None) => &[parent],
            (false, Some(link)) => &[parent, link],
        };
        self.rooted(tracing, is_parent.then_some(parent), links)
    }

    fn rooted(&self, tracing: &Tracing, parent: Option<&Remote>, links: &[&Remote]) -> Span {
        let timeline = Timeline {
            clock: self.recorder.clock.clone(),
            started: self.started,
            started_unix: self.started_unix,
        };
        let root = begin(&tracing.tracer, timeline, parent, links);
        if let Some(wait) = &self.origin.wait {
            let mut span = root.trace().past(wait.what, wait.time);
            if let Some(issuer) = wait.issuer.as_ref().filter(|_| span.is_recorded()) {
                span.set(attribute::ISSUER, issuer.clone());
            }
            if wait.in_vain {
                span.fail("unavailable");
            }
        }
        root
    }

    /// Ends the span, with all that is known now.
    pub(super) fn end_trace(
        &mut self,
        now: Duration,
        outcome: Outcome,
        error: Option<Row>,
        cause: Option<&str>,
    ) {
        let Some(mut root) = self.root.take() else {
            return;
        };
        let Some(span) = root.recorded() else {
            return;
        };
        span.update_name(self.name());
        let request = mem::take(&mut self.request);
        span.set_attributes(attributes(self, request, outcome, error, cause));
        // By the convention for MCP: whenever there is an `error.type`.
        if error.is_some() {
            span.set_status(Status::error(cause.unwrap_or_default().to_owned()));
        }
        root.end_at(now);
    }
}
