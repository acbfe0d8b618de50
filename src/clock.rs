//! The only place that reads a clock.
//!
//! Quotas run on monotonic time, so that a stepped wall clock can neither give tokens back nor
//! take them; tokens (`exp`, `nbf`) need wall time. Both come from one value that tests can turn
//! by hand, which is why nothing else in the crate may call `Instant::now` or `SystemTime::now`.

use std::sync::Arc;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::fmt::temporal::DateTimePrinter;
use tokio::sync::watch;

/// Where a turned clock starts on the wall: 2033-05-18, 2,000,000,000 s after the Unix epoch.
const TURNED_EPOCH: Duration = Duration::from_secs(2_000_000_000);

static ORIGIN: LazyLock<Instant> = LazyLock::new(instant_now);

/// Tells monotonic and wall time. Clones share one source.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// How far a test has turned the clock, and who waits for it; `None` is the system's clock.
    turned: Option<Arc<watch::Sender<Duration>>>,
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
            turned: Some(Arc::new(watch::Sender::new(Duration::ZERO))),
        }
    }

    /// Turns a [`turned`](Self::turned) clock forward; does nothing to the system's.
    pub fn advance(&self, by: Duration) {
        if let Some(turned) = &self.turned {
            turned.send_modify(|turned| *turned = turned.saturating_add(by));
        }
    }

    /// Time since a fixed point of this process; never goes back.
    pub fn monotonic(&self) -> Duration {
        match &self.turned {
            Some(turned) => *turned.borrow(),
            None => instant_now().saturating_duration_since(*ORIGIN),
        }
    }

    /// Time since the Unix epoch, as the wall clock has it.
    pub fn unix(&self) -> Duration {
        match &self.turned {
            Some(turned) => TURNED_EPOCH.saturating_add(*turned.borrow()),
            None => system_now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// Waits until [`monotonic`](Self::monotonic) is at least `moment`. On a turned clock that is
    /// when a test has turned it so far.
    pub(crate) async fn reached(&self, moment: Duration) {
        match &self.turned {
            // Never an error: the sender is ours.
            Some(turned) => drop(turned.subscribe().wait_for(|now| *now >= moment).await),
            None => tokio::time::sleep(moment.saturating_sub(self.monotonic())).await,
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

/// A time since the Unix epoch as RFC 3339 has it, in UTC with microseconds.
pub(crate) fn rfc3339(unix: Duration) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    let since = jiff::SignedDuration::try_from(unix).unwrap_or_default();
    let time = jiff::Timestamp::from_duration(since);
    PRINTER.timestamp_to_string(&time.unwrap_or_default())
}
