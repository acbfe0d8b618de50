//! The only place that reads a clock.
//!
//! Quotas run on monotonic time, so that a stepped wall clock can neither give tokens back nor
//! take them; tokens (`exp`, `nbf`) need wall time. Both come from one value that tests can turn
//! by hand, which is why nothing else in the crate may call `Instant::now` or `SystemTime::now`.

use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where a turned clock starts on the wall: 2033-05-18, 2,000,000,000 s after the Unix epoch.
const TURNED_EPOCH: Duration = Duration::from_secs(2_000_000_000);

static ORIGIN: LazyLock<Instant> = LazyLock::new(instant_now);

/// Tells monotonic and wall time. Clones share one source.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Nanoseconds a test has turned the clock by; `None` is the system's clock.
    turned: Option<Arc<AtomicU64>>,
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        LazyLock::force(&ORIGIN);
        Self { turned: None }
    }

    /// A clock that stands still until [`advance`](Self::advance) turns it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tollgate::Clock;
    ///
    /// let clock = Clock::turned();
    /// let before = clock.monotonic();
    /// clock.advance(Duration::from_secs(3));
    /// assert_eq!(clock.monotonic() - before, Duration::from_secs(3));
    /// ```
    pub fn turned() -> Self {
        Self {
            turned: Some(Arc::new(AtomicU64::new(0))),
        }
    }

    /// Turns a [`turned`](Self::turned) clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Some(turned) = &self.turned {
            let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
            turned.fetch_add(nanos, Ordering::SeqCst);
        }
    }

    /// Time since a fixed point of this process; never goes back.
    pub fn monotonic(&self) -> Duration {
        match &self.turned {
            Some(turned) => Duration::from_nanos(turned.load(Ordering::SeqCst)),
            None => instant_now().saturating_duration_since(*ORIGIN),
        }
    }

    /// Time since the Unix epoch, as the wall clock has it.
    pub fn unix(&self) -> Duration {
        match &self.turned {
            Some(turned) => TURNED_EPOCH + Duration::from_nanos(turned.load(Ordering::SeqCst)),
            None => system_now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }
}

/// The moment `wait` from now; a wait beyond all reckoning ends in a hundred years.
pub(crate) fn deadline_in(wait: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);
    let now = instant_now();
    now.checked_add(wait.min(FAR)).unwrap_or(now)
}

/// This moment, for deadlines that are enforced on real time.
#[expect(clippy::disallowed_methods, reason = "the clock is where time is read")]
pub(crate) fn instant_now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "the clock is where time is read")]
fn system_now() -> SystemTime {
    SystemTime::now()
}
