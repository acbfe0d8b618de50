//! What is counted of the store, for metrics.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Who decided a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecidedBy {
    /// The store.
    Store,
    /// This process, since the store failed.
    Local,
    /// Nobody: refused, since the store failed.
    Denied,
    /// Nobody: let through, since the store failed.
    Allowed,
}

impl DecidedBy {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Store, Self::Local, Self::Denied, Self::Allowed];

    /// The value as it stands in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Local => "local",
            Self::Denied => "denied",
            Self::Allowed => "allowed",
        }
    }
}

type Tell = Box<dyn Fn(Duration) + Send + Sync>;

#[derive(Default)]
pub(in crate::quota) struct Counts {
    decisions: [AtomicU64; DecidedBy::ALL.len()],
    transitions: AtomicU64,
    latency: OnceLock<Tell>,
}

impl Counts {
    pub(in crate::quota) fn decided(&self, by: DecidedBy) {
        self.decisions[by as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::quota) fn decisions(&self) -> [(DecidedBy, u64); DecidedBy::ALL.len()] {
        DecidedBy::ALL.map(|by| (by, self.decisions[by as usize].load(Ordering::Relaxed)))
    }

    pub(in crate::quota) fn changed(&self) {
        self.transitions.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::quota) fn transitions(&self) -> u64 {
        self.transitions.load(Ordering::Relaxed)
    }

    pub(in crate::quota) fn answered_after(&self, took: Duration) {
        if let Some(tell) = self.latency.get() {
            tell(took);
        }
    }

    /// The first caller wins.
    pub(in crate::quota) fn tell_latency(&self, tell: Tell) {
        let _ = self.latency.set(tell);
    }
}
