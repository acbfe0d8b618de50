//! One call, one record, closed exactly once.
//!
//! A [`CallRecord`] is opened when a request arrives and gathers what each stage finds out. Closing
//! it ends the trace; if the future that serves the call is dropped instead, the record closes
//! itself as cancelled. What a span tells is put together at the end, and only for a call that is
//! sampled: one that nobody traces pays for two readings of the clock and nothing else.

mod approval;
mod attributes;
mod console;
mod explain;
mod export;
mod exports;
mod metrics;
mod names;
mod otel;
mod otlp;
mod resource;
mod root;
mod task;
mod trail;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{after, select};
use uuid::{NoContext, Timestamp, Uuid};

use approval::ApprovalFacts;
pub use explain::Explanation;
pub(crate) use explain::knows_error;
pub use exports::ExporterState;
pub use metrics::{
    CacheState, ConfigState, Measured, MetricReader, MetricReaders, MetricSettings, Metrics,
    SourceState, State, TargetState, TenantLabel,
};
pub use otel::{Exporter, Tracing, TracingSettings};
pub use otlp::{OtlpProtocol, OtlpSettings, TracingError};
use root::Origin;
pub use root::Wait;

use crate::access::{AllowedArguments, Permit, WouldDeny};
use crate::audit::{AuditSettings, AuditState, Log};
use crate::auth::Principal;
use crate::clock::Clock;
use crate::error::{CallError, EdgeError, Outcome, ProtocolError, Row};
use crate::quota::{Admission, QuotaError, QuotaState, QuotaStates};
use crate::tool::{Target, TargetKind};
use crate::trace::Span;
use trail::Trail;

/// So many requests without an identity get a line in the audit log in so long a time; the others are
/// counted by metrics alone.
const UNIDENTIFIED_LINES: u32 = 100;
const UNIDENTIFIED_PERIOD: Duration = Duration::from_secs(10);

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    /// The REST gateway.
    Rest,
    /// MCP over HTTP.
    McpHttp,
    /// MCP over stdio.
    McpStdio,
    /// `tollgate call`.
    Cli,
}

impl Surface {
    /// The surface as it stands in spans and metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::McpHttp | Self::McpStdio => "mcp",
            Self::Cli => "cli",
        }
    }
}

/// Makes records and sends closed ones on. One per server.
pub struct Recorder {
    clock: Clock,
    tracing: Option<Tracing>,
    metrics: OnceLock<Metrics>,
    audit: Option<Arc<Log>>,
    /// Lines of requests without an identity: since when they are counted, and how many.
    unidentified: Mutex<(Duration, u32)>,
}

impl Recorder {
    /// A recorder; without `tracing` no spans are built, without `audit` no lines written.
    pub fn new(clock: Clock, tracing: Option<Tracing>, audit: Option<Log>) -> Self {
        Self {
            clock,
            tracing,
            metrics: OnceLock::new(),
            audit: audit.map(Arc::new),
            unidentified: Mutex::default(),
        }
    }

    /// The audit log, if there is one.
    pub fn audit_log(&self) -> Option<&Arc<Log>> {
        self.audit.as_ref()
    }

    /// How the audit log stands, if there is one.
    pub fn audit_state(&self) -> Option<AuditState> {
        self.audit.as_ref().map(|log| log.state())
    }

    /// What of the audit log a reload can change, is changed.
    pub fn audit_follows(&self, settings: &AuditSettings) {
        if let Some(log) = &self.audit {
            log.follow(settings);
        }
    }

    /// Whether the audit log cannot be written, and calls are refused for it.
    pub fn is_refusing(&self) -> bool {
        let log = self.audit.as_ref();
        log.is_some_and(|log| log.is_strict() && !log.state().is_healthy)
    }

    /// Whether a request without an identity gets a line: who floods must not fill the log.
    fn takes_unidentified(&self) -> bool {
        let now = self.clock.monotonic();
        let mut counted = self
            .unidentified
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(counted.0) >= UNIDENTIFIED_PERIOD {
            *counted = (now, 0);
        }
        counted.1 = counted.1.saturating_add(1);
        counted.1 <= UNIDENTIFIED_LINES
    }

    /// Counts from now on. The first caller wins.
    pub fn measure(&self, metrics: Metrics) {
        // There is one set of numbers, and nobody calls this twice.
        let _ = self.metrics.set(metrics);
    }

    /// The numbers, if somebody reads them.
    pub fn metrics(&self) -> Option<&Metrics> {
        self.metrics.get()
    }

    /// Counts a request that the edge refused before a record was opened.
    pub fn refused_at_edge(&self, error: EdgeError) {
        if let Some(metrics) = self.metrics() {
            metrics.refused_at_edge(error);
        }
    }

    /// Counts a connection for which there was no place.
    pub fn connection_refused(&self) {
        if let Some(metrics) = self.metrics() {
            metrics.connection_refused();
        }
    }

    /// Counts a connection that was cut because nobody read its answers.
    pub fn connection_cut(&self) {
        if let Some(metrics) = self.metrics() {
            metrics.connection_cut();
        }
    }

    /// Counts an answer of the quota store.
    pub fn store_answered(&self, took: Duration) {
        if let Some(metrics) = self.metrics() {
            metrics.store_answered(took);
        }
    }

    /// Counts a certificate that was found changed, and whether it could be used.
    pub fn certificate_loaded(&self, usable: bool) {
        if let Some(metrics) = self.metrics() {
            metrics.certificate_loaded(usable);
        }
    }

    /// What the records' times are read from.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Time since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.clock.unix()
    }

    /// An id for a request that no record is opened for.
    pub fn new_call_id(&self) -> Uuid {
        call_id_at(self.clock.unix())
    }

    /// Opens the record of a request that has just arrived, to be decided by the configuration of this
    /// number.
    pub fn open(self: &Arc<Self>, surface: Surface, generation: u64) -> CallRecord {
        let (started, started_unix) = (self.clock.monotonic(), self.clock.unix());
        let trail = self.audit.as_ref();
        let trail = trail.map(|log| Box::new(Trail::new(log, generation, started)));
        CallRecord {
            recorder: Arc::clone(self),
            call_id: call_id_at(started_unix),
            surface,
            method: "(unread)",
            started,
            started_unix,
            request: RequestFacts::default(),
            principal: None,
            target: None,
            quota: QuotaStates::new(),
            uncounted: false,
            would_deny: Vec::new(),
            approval: None,
            is_running: false,
            task: None,
            trail,
            origin: Origin::default(),
            root: None,
            closed: false,
        }
    }

    /// Sends out what is still held. Blocks for at most `patience`.
    pub fn flush(&self, patience: Duration) {
        let end = after(patience);
        let last_metrics = self.metrics().map(Metrics::finish);
        // Beside each other: a disk and a collector that both hang must not take twice as long.
        thread::scope(|scope| {
            if let Some(tracing) = &self.tracing {
                // Without a thread the last spans are lost, and no more.
                let _ = thread::Builder::new().spawn_scoped(scope, || tracing.shutdown(patience));
            }
            if let Some(audit) = &self.audit {
                audit.close(patience);
            }
        });
        if let Some(last_metrics) = last_metrics {
            select! {
                recv(last_metrics) -> _ => {}
                recv(end) -> _ => {}
            }
        }
    }

    /// Sends out what is held, and goes on. Blocks as long as the exporters do.
    #[cfg(feature = "lambda")]
    pub fn send(&self) {
        if let Some(tracing) = &self.tracing {
            tracing.send();
        }
        if let Some(metrics) = self.metrics() {
            metrics.send();
        }
    }

    /// How it goes with sending to a collector, for each signal that is sent.
    pub fn exporters(&self) -> Vec<ExporterState> {
        let traces = self.tracing.as_ref().and_then(Tracing::exporter);
        let metrics = self.metrics().and_then(Metrics::exporter);
        traces.into_iter().chain(metrics).collect()
    }
}

/// A fresh id (UUIDv7, RFC 9562 §5.7): sorts by time, random enough to be unique everywhere.
fn call_id_at(now: Duration) -> Uuid {
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        now.as_secs(),
        now.subsec_nanos(),
    ))
}

/// What the protocol front knows of a request and spans should tell.
#[derive(Clone, Debug, Default)]
pub struct RequestFacts {
    /// JSON-RPC id as it was sent, a number or a quoted string.
    pub request_id: Option<String>,
    /// MCP revision.
    pub protocol_version: Option<String>,
    /// Whether that is one before 2026-07-28, which tells some errors otherwise.
    pub is_legacy: bool,
}

/// What is known about one call.
pub struct CallRecord {
    recorder: Arc<Recorder>,
    call_id: Uuid,
    surface: Surface,
    method: &'static str,
    started: Duration,
    started_unix: Duration,
    request: RequestFacts,
    principal: Option<Arc<Principal>>,
    target: Option<Arc<Target>>,
    quota: QuotaStates,
    uncounted: bool,
    would_deny: Vec<WouldDeny>,
    approval: Option<Box<ApprovalFacts>>,
    is_running: bool,
    /// The call that made the task which it is about.
    task: Option<Uuid>,
    trail: Option<Box<Trail>>,
    origin: Origin,
    /// The call's span, once it has begun.
    root: Option<Span>,
    closed: bool,
}

impl CallRecord {
    /// The call's id: in the response header, in every error, in the trace.
    pub fn call_id(&self) -> Uuid {
        self.call_id
    }

    /// The buckets, once they were looked at.
    pub fn quota(&self) -> &[QuotaState] {
        &self.quota
    }

    /// What kind of request it is: `tools/call`, `server/discover`, …
    pub fn method(&mut self, method: &'static str) {
        self.method = method;
    }

    /// Whether there may be a span, so that whose trace it belongs to is worth finding out.
    pub fn is_traced(&self) -> bool {
        self.recorder.tracing.is_some()
    }

    /// What the record's times are read from.
    pub(crate) fn clock(&self) -> Clock {
        self.recorder.clock.clone()
    }

    /// What the front read.
    pub fn request(&mut self, facts: RequestFacts) {
        self.request = facts;
    }

    /// Who calls.
    pub fn identify(&mut self, principal: &Arc<Principal>) {
        self.principal = Some(Arc::clone(principal));
        self.passed(|stages| &mut stages.authenticate);
    }

    /// What is called, once it was found.
    pub fn called(&self) -> Option<&Target> {
        self.target.as_deref()
    }

    /// What is called.
    pub fn target(&mut self, target: &Arc<Target>) {
        self.target = Some(Arc::clone(target));
    }

    /// The caller may call the target.
    pub fn permitted(&mut self, permit: &Permit) {
        self.would_deny.extend(permit.would_deny());
        self.passed(|stages| &mut stages.authorize);
    }

    /// What the quota said.
    pub fn admission(&mut self, admission: &Result<Admission, QuotaError>) {
        match admission {
            Ok(admission) => {
                self.quota = admission.states().clone();
                self.uncounted = !admission.is_counted();
                self.would_deny.extend(admission.would_deny());
                self.passed(|stages| &mut stages.admit);
            }
            Err(QuotaError::Exceeded { states, .. }) => self.quota = states.clone(),
            Err(QuotaError::Full | QuotaError::Unavailable) => {}
        }
    }

    /// The arguments fit the target's schema.
    pub fn validated(&mut self) {
        self.passed(|stages| &mut stages.validate);
    }

    /// No rule refuses the arguments.
    pub fn allowed(&mut self, arguments: &AllowedArguments) {
        self.would_deny.extend(arguments.would_deny());
        self.passed(|stages| &mut stages.allow);
    }

    /// All that would have refused the call, so far.
    pub fn would_deny(&self) -> &[WouldDeny] {
        &self.would_deny
    }

    /// The tool's code starts.
    pub fn run_started(&mut self) {
        self.is_running = true;
    }

    /// The tool's code ended, one way or another.
    pub fn run_ended(&mut self) {
        self.is_running = false;
        self.passed(|stages| &mut stages.run);
    }

    /// The call was served.
    pub fn close_ok(&mut self) {
        self.close(Outcome::Ok, None, None);
    }

    /// The call was not served. Defects and failures behind us are logged here, once. Of a flood
    /// before authentication there is no trace: who floods must not fill the records.
    pub fn close_error(&mut self, error: &CallError) {
        if let Some(metrics) = self.recorder.metrics() {
            metrics.unidentified(error);
        }
        if matches!(error, CallError::TooManyFailures { .. }) {
            self.closed = true;
            return;
        }
        let cause = error.cause();
        if error.is_incident() && !self.closed {
            self.begin_trace();
            let (cause, trace) = (cause.as_deref().unwrap_or("none given"), self.trace_id());
            let target = self.target.as_ref().map_or("", |target| target.name());
            tracing::error!(call = %self.call_id, trace, target, cause, "{}", error.detail());
        }
        if let Some(trail) = &mut self.trail {
            trail.refused(error);
        }
        self.close(error.row().outcome, Some(error.row()), cause.as_deref());
    }

    /// The message was no valid MCP.
    pub fn close_protocol(&mut self, error: &ProtocolError) {
        self.close(error.row().outcome, Some(error.row()), None);
    }

    /// The request was refused at the edge.
    pub fn close_edge(&mut self, error: EdgeError) {
        self.recorder.refused_at_edge(error);
        self.close(error.row().outcome, Some(error.row()), None);
    }

    fn close(&mut self, outcome: Outcome, error: Option<Row>, cause: Option<&str>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let recorder = &self.recorder;
        let is_told = recorder.tracing.is_some() || recorder.metrics().is_some();
        if !is_told && self.trail.is_none() {
            return;
        }
        let now = recorder.clock.monotonic();
        self.begin_trace();
        self.audit(now, outcome, error, cause);
        if let Some(metrics) = self.recorder.metrics() {
            metrics.ended(self, now.saturating_sub(self.started), outcome, error);
        }
        self.end_trace(now, outcome, error, cause);
    }

    /// `tools/call get_customer`: the method, and the target from the catalogue (never the name
    /// that a caller made up).
    fn name(&self) -> String {
        match &self.target {
            Some(target) => [self.method, " ", target.known_as()].concat(),
            None => self.method.to_owned(),
        }
    }

    /// The target's name, and the attribute that holds it by its kind.
    fn named_target(&self) -> Option<(&'static str, &Arc<str>)> {
        let target = self.target.as_ref()?;
        let attribute = match target.kind() {
            TargetKind::Tool(_) => names::TOOL,
            TargetKind::Resource(..) => names::RESOURCE_URI_TEMPLATE,
            TargetKind::Prompt(_) => names::PROMPT,
        };
        Some((attribute, target.known_as()))
    }

    fn is_tool(&self) -> bool {
        self.target
            .as_ref()
            .is_some_and(|target| matches!(target.kind(), TargetKind::Tool(_)))
    }
}

impl Drop for CallRecord {
    fn drop(&mut self) {
        if self.is_running {
            self.run_ended();
        }
        self.close(Outcome::Cancelled, None, None);
    }
}
