//! The generic cell rate algorithm (ITU-T I.371, annex A; "virtual scheduling").
//!
//! A bucket is one number, the theoretical arrival time (TAT): when it would be full again. A call
//! conforms if, after it, the bucket lies no further ahead than `burst` intervals. All arithmetic
//! is on nanoseconds in 128 bits, so no accepted quota overflows.

use std::time::Duration;

use crate::tool::Quota;

/// What became of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the quota.
    Conforming {
        /// Calls still possible at this moment.
        remaining: u32,
        /// Until the bucket is full again.
        reset: Duration,
    },
    /// Over the quota; the bucket is as it was.
    Exceeding {
        /// Until one call is possible.
        retry_after: Duration,
        /// Until the bucket is full again.
        reset: Duration,
    },
}

/// Decides one call at `now` for a bucket at `tat` (both nanoseconds on one monotonic clock), and
/// gives the bucket's next state if the call conforms.
pub fn decide(tat: u64, now: u64, quota: &Quota) -> (Option<u64>, Verdict) {
    let interval = quota.interval().as_nanos();
    let burst = u128::from(quota.burst_size());
    let now = u128::from(now);
    let tat = u128::from(tat).max(now);
    let horizon = now + interval * burst;
    let next = tat + interval;
    if next > horizon {
        let verdict = Verdict::Exceeding {
            retry_after: nanos(next - horizon),
            reset: nanos(tat - now),
        };
        return (None, verdict);
    }
    let remaining = u32::try_from((horizon - next) / interval).unwrap_or(u32::MAX);
    let verdict = Verdict::Conforming {
        remaining,
        reset: nanos(next - now),
    };
    // Saturating is 584 years from start.
    (Some(u64::try_from(next).unwrap_or(u64::MAX - 1)), verdict)
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A bucket of tokens in exact rational arithmetic: what GCRA must agree with.
    struct TokenBucket {
        /// Tokens × interval, in nanoseconds.
        level: u128,
        at: u64,
    }

    impl TokenBucket {
        fn take(&mut self, now: u64, quota: &Quota) -> bool {
            let interval = quota.interval().as_nanos();
            let full = interval * u128::from(quota.burst_size());
            self.level = (self.level + u128::from(now - self.at)).min(full);
            self.at = now;
            let conforms = self.level >= interval;
            if conforms {
                self.level -= interval;
            }
            conforms
        }
    }

    proptest! {
        #[test]
        fn it_lets_through_what_a_token_bucket_lets_through(
            count in 1u32..20, period_ms in 1u64..100_000, burst in 1u32..20,
            steps in prop::collection::vec(0u64..5_000_000_000, 1..200),
        ) {
            let quota = Quota::per(count, Duration::from_millis(period_ms)).burst(burst);
            let full = quota.interval().as_nanos() * u128::from(burst);
            let mut oracle = TokenBucket { level: full, at: 0 };
            let (mut tat, mut now) = (0, 0);
            for step in steps {
                now += step;
                let (next, verdict) = decide(tat, now, &quota);
                prop_assert_eq!(next.is_some(), oracle.take(now, &quota));
                if let Verdict::Exceeding { retry_after, .. } = verdict {
                    let later = now + u64::try_from(retry_after.as_nanos()).expect("small");
                    prop_assert!(decide(tat, later, &quota).0.is_some(), "retry_after is too short");
                    prop_assert!(decide(tat, later - 1, &quota).0.is_none(), "retry_after is too long");
                }
                tat = next.unwrap_or(tat);
            }
        }

        #[test]
        fn no_quota_and_no_time_overflow(tat: u64, now: u64, count: u32, nanos: u64, burst: u32) {
            let quota = Quota::per(count, Duration::from_nanos(nanos)).burst(burst);
            let _ = decide(tat, now, &quota);
        }
    }
}
