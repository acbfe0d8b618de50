//! How it goes with sending to a collector: counted, and said when it starts to fail and when it
//! works again, not each time.
//!
//! A reader would ask where the reason is: the library's text may hold the collector's URL, and that
//! a password.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};

/// What [`ExporterState::signal`] says of spans.
pub(super) const TRACES: &str = "traces";
/// What [`ExporterState::signal`] says of numbers.
pub(super) const METRICS: &str = "metrics";

/// Exports of one signal.
#[derive(Debug)]
pub(super) struct Exports {
    signal: &'static str,
    done: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    is_failing: AtomicBool,
}

/// How an exporter stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterState {
    /// What it sends: `metrics`, `traces`.
    pub signal: &'static str,
    /// Whether the last of what there was to send arrived; so it is before the first.
    pub is_up: bool,
    /// Exports that went well.
    pub done: u64,
    /// Exports that failed.
    pub failed: u64,
    /// Spans that were sent in vain, or that there was no room for. Numbers are not counted: where
    /// they add up, a later export makes up for them.
    pub lost: u64,
}

impl Exports {
    pub(super) fn new(signal: &'static str) -> Self {
        Self {
            signal,
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Notes how one export ended, of so many spans.
    pub(super) fn ended(&self, result: &OTelSdkResult, spans: usize) {
        let Err(error) = result else {
            self.done.fetch_add(1, Relaxed);
            self.works();
            return;
        };
        self.failed.fetch_add(1, Relaxed);
        self.lost.fetch_add(spans as u64, Relaxed);
        self.fails(match error {
            OTelSdkError::Timeout(_) => "it does not answer in time",
            _ => "check that it runs and the OTEL_EXPORTER_OTLP_* variables",
        });
    }

    /// Notes a span that there was no room for.
    pub(super) fn dropped(&self) {
        self.lost.fetch_add(1, Relaxed);
        self.fails("it does not keep up");
    }

    pub(super) fn state(&self) -> ExporterState {
        ExporterState {
            signal: self.signal,
            is_up: !self.is_failing.load(Relaxed),
            done: self.done.load(Relaxed),
            failed: self.failed.load(Relaxed),
            lost: self.lost.load(Relaxed),
        }
    }

    fn fails(&self, why: &str) {
        // Looked at first: a full queue is met by every call.
        if !self.is_failing.load(Relaxed) && !self.is_failing.swap(true, Relaxed) {
            tracing::warn!(
                signal = self.signal,
                "the collector does not take what is sent to it: {why}; calls are served all the same"
            );
        }
    }

    fn works(&self) {
        if self.is_failing.swap(false, Relaxed) {
            tracing::info!(
                signal = self.signal,
                lost = self.lost.load(Relaxed),
                "the collector takes what is sent to it again"
            );
        }
    }
}
