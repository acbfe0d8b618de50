//! How much a limit lets through: a rate and a burst.
//!
//! A reader would ask why a quota is no window that resets: at the edge of such a window twice the
//! count comes through at once, and every caller comes back in the same moment.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// A rate limit: a bucket of `burst` units that refills evenly, `count` units each `period`.
///
/// The arithmetic is the generic cell rate algorithm (GCRA, ITU-T I.371): a full bucket lets
/// `burst` units through at once; after that one becomes possible every `period / count`. In any
/// span of time `t` at most `burst + t / (period / count)` units come through. A call takes one
/// unit, unless its [`Limit`](super::Limit) says otherwise.
///
/// ```
/// use std::time::Duration;
/// use tollgate::Quota;
///
/// let quota = Quota::per(5, Duration::from_secs(10));
/// assert_eq!(quota.burst_size(), 5);
/// assert_eq!(quota.interval(), Duration::from_secs(2));
///
/// // One a second in the long run, but only ten at once.
/// let quota = Quota::per_minute(60).burst(10);
/// assert_eq!(quota.interval(), Duration::from_secs(1));
/// assert_eq!(quota.fill_time(), Duration::from_secs(10));
/// assert_eq!(quota.to_string(), "60/1m burst 10");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    count: NonZeroU32,
    period: Duration,
    burst: NonZeroU32,
}

impl Quota {
    /// `count` units per `period`, all of which may come at once. A zero `count` counts as one and
    /// a zero `period` as one nanosecond; configuration refuses both before they get here.
    pub const fn per(count: u32, period: Duration) -> Self {
        let count = match NonZeroU32::new(count) {
            Some(count) => count,
            None => NonZeroU32::MIN,
        };
        let period = if period.is_zero() {
            Duration::from_nanos(1)
        } else {
            period
        };
        Self {
            count,
            period,
            burst: count,
        }
    }

    /// `count` units per second.
    pub const fn per_second(count: u32) -> Self {
        Self::per(count, Duration::from_secs(1))
    }

    /// `count` units per minute.
    pub const fn per_minute(count: u32) -> Self {
        Self::per(count, Duration::from_secs(60))
    }

    /// Lets `burst` units through at once instead of `count`. Zero counts as one.
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = match NonZeroU32::new(burst) {
            Some(burst) => burst,
            None => NonZeroU32::MIN,
        };
        self
    }

    /// Units per period.
    pub const fn count(&self) -> u32 {
        self.count.get()
    }

    /// The period that `count` counts in.
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// The most units that may come at once.
    pub const fn burst_size(&self) -> u32 {
        self.burst.get()
    }

    /// Time in which one unit refills: whole nanoseconds, rounded down, and at least one. Up to one
    /// unit per microsecond, which is the most that a configuration may say, the rate is at most a
    /// thousandth faster for it.
    pub fn interval(&self) -> Duration {
        (self.period / self.count.get()).max(Duration::from_nanos(1))
    }

    /// Time in which an empty bucket refills.
    pub fn fill_time(&self) -> Duration {
        self.interval().saturating_mul(self.burst.get())
    }
}

/// As a configuration writes it: `5/10s`, and ` burst B` only where it differs from the count.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // By hand, since each line of an audit log tells of it: a formatter takes several times as long.
        f.write_str(itoa::Buffer::new().format(self.count.get()))?;
        f.write_str("/")?;
        Span(self.period).fmt(f)?;
        if self.burst != self.count {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

/// A length of time in the largest unit that needs no fraction: `10s`, `1d`, `1500ms`.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
        let (seconds, nanos) = (self.0.as_secs(), self.0.subsec_nanos());
        let fits = |(_, size): &&(&str, u64)| seconds >= *size && seconds.is_multiple_of(*size);
        match UNITS.iter().find(fits) {
            Some((unit, size)) if nanos == 0 => {
                f.write_str(itoa::Buffer::new().format(seconds / size))?;
                f.write_str(unit)
            }
            _ if nanos > 0 && nanos.is_multiple_of(1_000_000) => {
                write!(f, "{}ms", self.0.as_millis())
            }
            _ => write!(f, "{}ns", self.0.as_nanos()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_of_time_has_the_largest_unit_that_needs_no_fraction() {
        for (text, nanos) in [
            ("1d", 86_400_000_000_000),
            ("36h", 129_600_000_000_000),
            ("90m", 5_400_000_000_000),
            ("61s", 61_000_000_000),
            ("1500ms", 1_500_000_000),
            ("1500ns", 1_500),
        ] {
            assert_eq!(Span(Duration::from_nanos(nanos)).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn up_to_a_unit_per_microsecond_the_rate_is_at_most_a_thousandth_faster(
            count in 1u32..=1_000_000_000, millis in 1u64..=31_622_400_000,
        ) {
            let period = Duration::from_millis(millis);
            prop_assume!(u128::from(count) * 1_000 <= period.as_nanos());
            let told = Quota::per(count, period).interval() * count;
            prop_assert!(told <= period && period - told <= period / 1_000);
        }
    }
}
