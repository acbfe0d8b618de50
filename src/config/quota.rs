//! The `quotas` section, and rate limits as tools write them: `5/10s`, `60/m`, `60/m burst 10`.
//!
//! A reader would ask why a limit is bounded on all sides: within these bounds a bucket of any rate counts in
//! whole nanoseconds without overflow, and to a thousandth as fast as told, so the quota stores need no such checks.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use super::document::At;
use super::duration;
use super::faults::Faults;
use super::rate_limit::{self, Limit};
use super::raw::RawQuotas;
use super::{QuotaStore, quota_store};

/// The longest period, and the longest that an empty bucket may take to fill: 366 days.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// The most calls in one period or one burst.
const MOST: u32 = 1_000_000_000;

/// The checked `quotas` section.
#[derive(Debug, Clone)]
pub struct Quotas {
    /// The store that replicas share; `None`: each counts for itself.
    pub store: Option<QuotaStore>,
    /// Buckets held at most; 1 to 100,000,000, default 1,000,000.
    pub max_keys: usize,
    /// What limits tools and resources that say nothing; default nothing.
    pub default: Vec<Limit>,
    /// Refused calls per caller, default 60 a minute; `None` is no limit.
    pub denial_limit: Option<Rate>,
}

pub(super) fn check(mut raw: RawQuotas, file: &Path, at: &At<'_>, faults: &mut Faults) -> Quotas {
    let default = raw.default.take();
    Quotas {
        max_keys: raw.max_keys,
        default: default.map_or_else(Vec::new, |raw| {
            rate_limit::check(raw, &at.key("default"), faults)
        }),
        denial_limit: rate_limit::rate_or_none(&raw.denial_limit, &at.key("denialLimit"), faults),
        store: quota_store::check(raw, file, at, faults),
    }
}

/// A rate limit: `count` calls per `period`, of which up to `burst` at once.
///
/// `N/PERIOD` or `N/PERIOD burst B`, where `PERIOD` is a [duration](Rate::period) such as `10s`, or a bare unit
/// such as `m`; the units are `ms`, `s`, `m`, `h` and `d`. Parsing guarantees the limits named at the fields, at most
/// one call per microsecond, and that an empty bucket is full again (`burst × period ÷ count`) within 366 days.
///
/// ```
/// use std::time::Duration;
/// use tollgate::config::{Rate, RateError};
///
/// let rate: Rate = "60/m burst 10".parse()?;
/// assert_eq!((rate.count, rate.period, rate.burst), (60, Duration::from_secs(60), 10));
/// assert_eq!(rate.to_string(), "60/1m burst 10");
/// assert_eq!("5/10s".parse::<Rate>()?.burst, 5);
/// assert_eq!("0/10s".parse::<Rate>(), Err(RateError::Count));
/// assert_eq!("5/2w".parse::<Rate>(), Err(RateError::Period));
/// # Ok::<(), RateError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Calls per period, 1 to 1,000,000,000.
    pub count: u32,
    /// 1 ms to 366 days.
    pub period: Duration,
    /// Calls at once from a full bucket, 1 to 1,000,000,000; `count` unless given.
    pub burst: u32,
}

impl Rate {
    /// One call a second: what stands in for a rate that could not be read.
    pub(super) const LEAST: Self = Self {
        count: 1,
        period: Duration::from_secs(1),
        burst: 1,
    };
}

/// Why a rate limit was refused. Never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    /// Not of the form `N/PERIOD` or `N/PERIOD burst B`.
    #[error("a rate limit is written as calls per period, such as 5/10s, 60/m or 60/m burst 10")]
    Form,
    /// The number of calls is missing, zero, too large or no number.
    #[error("the number of calls must be a whole number from 1 to 1000000000")]
    Count,
    /// The burst is zero, too large or no number.
    #[error("the burst must be a whole number from 1 to 1000000000")]
    Burst,
    /// The period is not a duration.
    #[error(
        "the period must be a whole number and a unit (ms, s, m, h, d), such as 10s, or a unit alone"
    )]
    Period,
    /// The period is zero.
    #[error("the period must be more than zero")]
    ZeroPeriod,
    /// The period is longer than 366 days.
    #[error("the period must be at most 366d")]
    LongPeriod,
    /// More than one call per microsecond: it could not be kept to in whole nanoseconds.
    #[error("the rate must be at most one call per microsecond, such as 1000000/s")]
    TooFast,
    /// An empty bucket would take more than 366 days to fill.
    #[error("the burst is too large for the rate: an empty bucket must be full again within 366d")]
    SlowRefill,
}

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (limit, burst) = match text.split_once(" burst ") {
            Some((limit, burst)) => (limit, Some(burst)),
            None => (text, None),
        };
        let (count, period) = limit.split_once('/').ok_or(RateError::Form)?;
        let count = calls(count).ok_or(RateError::Count)?;
        let burst = burst.map_or(Ok(count), |burst| calls(burst).ok_or(RateError::Burst))?;
        let bare = period.bytes().all(|b| b.is_ascii_alphabetic());
        let period = duration::parse(&if bare {
            format!("1{period}")
        } else {
            period.to_owned()
        });
        let period = period.map_err(|_| RateError::Period)?;
        if period.is_zero() {
            return Err(RateError::ZeroPeriod);
        }
        if period > LONGEST {
            return Err(RateError::LongPeriod);
        }
        if u128::from(count) > period.as_micros() {
            return Err(RateError::TooFast);
        }
        if u128::from(burst) * period.as_nanos() > u128::from(count) * LONGEST.as_nanos() {
            return Err(RateError::SlowRefill);
        }
        Ok(Self {
            count,
            period,
            burst,
        })
    }
}

fn calls(text: &str) -> Option<u32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|count| digits && (1..=MOST).contains(count))
}

/// The form that parses back: `5/10s`, and ` burst B` only where it differs from the count.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, duration::format(self.period))?;
        if self.burst != self.count {
            write!(f, " burst {}", self.burst)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read() {
        let rate = |count, secs, burst| {
            Ok(Rate {
                count,
                period: Duration::from_secs(secs),
                burst,
            })
        };
        assert_eq!("5/10s".parse(), rate(5, 10, 5));
        assert_eq!("60/m".parse(), rate(60, 60, 60));
        assert_eq!("60/1m burst 10".parse(), rate(60, 60, 10));
        assert_eq!("1/1d burst 366".parse(), rate(1, 86_400, 366));
        assert_eq!("1000000/s".parse(), rate(1_000_000, 1, 1_000_000));
        assert_eq!("1000000000/1000s".parse(), rate(MOST, 1_000, MOST));
    }

    #[test]
    fn a_bad_rate_says_what_is_wrong() {
        let cases = [
            ("", RateError::Form),
            ("5", RateError::Form),
            ("fast", RateError::Form),
            ("0/s", RateError::Count),
            ("-1/s", RateError::Count),
            ("+1/s", RateError::Count),
            ("/s", RateError::Count),
            ("1000000001/s", RateError::Count),
            ("99999999999999/s", RateError::Count),
            ("5/10", RateError::Period),
            ("5/", RateError::Period),
            ("5/10w", RateError::Period),
            ("5/10s/2", RateError::Period),
            ("5/10s burst", RateError::Period),
            ("5/0s", RateError::ZeroPeriod),
            ("5/367d", RateError::LongPeriod),
            ("5/s burst 0", RateError::Burst),
            ("5/s burst lots", RateError::Burst),
            ("1001/1ms", RateError::TooFast),
            ("1000001/s", RateError::TooFast),
            ("1/1d burst 367", RateError::SlowRefill),
        ];
        for (text, wanted) in cases {
            assert_eq!(text.parse::<Rate>(), Err(wanted), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(count in 1..=MOST, millis in 1_000_000..31_622_400_000u64, burst in 1..=MOST) {
            let rate = Rate { count, period: Duration::from_millis(millis), burst: burst.min(count) };
            prop_assert_eq!(rate.to_string().parse(), Ok(rate));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Rate>();
        }
    }
}
