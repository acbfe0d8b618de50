//! The only place that reads a clock.
//!
//! Quotas run on monotonic time, so that a stepped wall clock can neither give tokens back nor
//! take them; tokens (`exp`, `nbf`) need wall time. Both come from one value that tests can turn
//! by hand, which is why nothing else in the crate may call `Instant::now` or `SystemTime::now`.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::LazyLock;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use jiff::fmt::temporal::DateTimePrinter;
use tokio::sync::watch;
use tokio::task::unconstrained;
use tokio::time::sleep_until;

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

/// What `work` comes to, if it does by the deadline. Only work that has to wait asks for the deadline
/// and sets a timer; by reference, since its room would else be there twice. The timer is heard also
/// where work used up all that a task may do at a time.
pub(crate) async fn in_time<F: Future>(
    deadline: impl Fn() -> Instant,
    mut work: Pin<&mut F>,
) -> Option<F::Output> {
    let mut timer = None;
    poll_fn(|context| {
        if let Poll::Ready(done) = work.as_mut().poll(context) {
            return Poll::Ready(Some(done));
        }
        let timer =
            timer.get_or_insert_with(|| Box::pin(unconstrained(sleep_until(deadline().into()))));
        timer.as_mut().poll(context).map(|()| None)
    })
    .await
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

thread_local! {
    /// The second that was told last, and its text without a fraction.
    static TOLD: RefCell<(u64, String)> = RefCell::new((0, second_text(0)));
}

/// A time since the Unix epoch as RFC 3339 has it, in UTC with microseconds. What happens in one second
/// shares the reckoning of its date.
pub(crate) fn rfc3339(unix: Duration) -> String {
    TOLD.with_borrow_mut(|(second, told)| {
        if *second != unix.as_secs() {
            *second = unix.as_secs();
            *told = second_text(*second);
        }
        let mut text = String::with_capacity(told.len() + ".000000Z".len());
        text.push_str(told);
        text.push('.');
        // With a digit in front, which keeps the zeros.
        let micros = 1_000_000 + unix.subsec_micros();
        text.push_str(&itoa::Buffer::new().format(micros)[1..]);
        text.push('Z');
        text
    })
}

/// `2033-05-18T03:33:20`; beyond the year 9999 the epoch.
fn second_text(unix: u64) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    let second = i64::try_from(unix).ok();
    let second = second.and_then(|second| jiff::Timestamp::from_second(second).ok());
    let mut text = PRINTER.timestamp_to_string(&second.unwrap_or_default());
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn times_are_told_to_the_microsecond_in_whatever_order_they_come(
            times in proptest::collection::vec((0_u64..253_402_207_200, 0_u32..1_000_000_000), 1..5),
        ) {
            for (seconds, nanos) in times {
                let text = rfc3339(Duration::new(seconds, nanos));
                let read: jiff::Timestamp = text.parse().expect("RFC 3339");
                let expected = (i128::from(seconds) * 1_000_000 + i128::from(nanos / 1_000)) * 1_000;
                prop_assert_eq!(read.as_nanosecond(), expected);
                prop_assert_eq!(text.len(), "2033-05-18T03:33:20.000000Z".len());
            }
        }
    }
}
