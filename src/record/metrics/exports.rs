//! How it goes with sending to a collector: counted, and said when it starts to fail and when it
//! works again, not each time.
//!
//! A reader would ask where the reason is: the library's text may hold the collector's URL, and that
//! a password.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Exports of one signal.
pub(super) struct Exports {
    signal: &'static str,
    done: AtomicU64,
    failed: AtomicU64,
    is_failing: AtomicBool,
}

/// How an exporter stands at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExporterState {
    /// What it sends: `metrics`, `traces`.
    pub signal: &'static str,
    /// Whether the last export went well; so it is before the first.
    pub is_up: bool,
    /// Exports that went well.
    pub done: u64,
    /// Exports that failed; what they held is lost, or told by a later one where numbers add up.
    pub failed: u64,
}

impl Exports {
    pub(super) fn new(signal: &'static str) -> Self {
        Self {
            signal,
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            is_failing: AtomicBool::new(false),
        }
    }

    /// Notes how one export ended.
    pub(super) fn ended(&self, went_well: bool) {
        let count = if went_well { &self.done } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
        let was_failing = self.is_failing.swap(!went_well, Ordering::Relaxed);
        let signal = self.signal;
        match (was_failing, went_well) {
            (false, false) => tracing::warn!(
                signal,
                "the collector does not take what is sent to it: check that it runs and the OTEL_EXPORTER_OTLP_* variables; calls are served all the same"
            ),
            (true, true) => tracing::info!(signal, "the collector takes what is sent to it again"),
            _ => {}
        }
    }

    pub(super) fn state(&self) -> ExporterState {
        ExporterState {
            signal: self.signal,
            is_up: !self.is_failing.load(Ordering::Relaxed),
            done: self.done.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
