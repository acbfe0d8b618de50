//! The generic cell rate algorithm (ITU-T I.371, annex A; "virtual scheduling"), on durations.
//!
//! A bucket is one number: how far its theoretical arrival time (TAT) lies ahead of now, that is, how
//! long until it is full again. A call conforms if, after it, the bucket lies no further ahead than
//! `burst` intervals. Every store counts by this function on whole nanoseconds; stores only keep the
//! TAT on a clock of their own. A bucket further ahead than its limit allows (the limit was changed
//! meanwhile) is empty, and no more than that.

use std::time::Duration;

use crate::tool::Quota;

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Within the quota.
    Conforming {
        /// Nanoseconds until the bucket is full again.
        ahead: u64,
    },
    /// Over the quota; the bucket is as it was.
    Exceeding {
        /// Until the call is possible.
        retry_after: Duration,
        /// Nanoseconds until the bucket is full again.
        ahead: u64,
    },
}

impl Verdict {
    /// Whether the call is within the quota.
    pub fn conforms(&self) -> bool {
        matches!(self, Self::Conforming { .. })
    }

    /// How many nanoseconds from full the bucket is after a call of these steps, which takes from it
    /// only if all other buckets let it, too, and it was `admitted`.
    pub fn ahead(&self, admitted: bool, steps: &Steps) -> u64 {
        match *self {
            Self::Conforming { ahead } if !admitted => ahead - steps.increment,
            Self::Conforming { ahead } | Self::Exceeding { ahead, .. } => ahead,
        }
    }
}

/// A quota as the arithmetic needs it, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// What one call adds.
    pub increment: u64,
    /// The furthest ahead that a bucket may lie: it is empty then.
    pub capacity: u64,
    interval: u64,
}

impl Steps {
    /// The steps of a quota from which each call takes `cost` units. What does not fit into 584
    /// years stays there.
    pub fn new(quota: &Quota, cost: u32) -> Self {
        let interval = nanos(quota.interval());
        Self {
            increment: interval.saturating_mul(u64::from(cost)),
            capacity: interval.saturating_mul(u64::from(quota.burst_size())),
            interval,
        }
    }
}

/// Decides one call on a bucket that is `ahead` nanoseconds from full.
pub fn decide(ahead: u64, steps: &Steps) -> Verdict {
    let ahead = ahead.min(steps.capacity);
    match ahead.checked_add(steps.increment) {
        Some(next) if next <= steps.capacity => Verdict::Conforming { ahead: next },
        next => Verdict::Exceeding {
            retry_after: Duration::from_nanos(next.unwrap_or(u64::MAX) - steps.capacity),
            ahead,
        },
    }
}

/// Units in a bucket that is `ahead` nanoseconds from full.
pub fn remaining(ahead: u64, steps: &Steps) -> u32 {
    let left = steps.capacity.saturating_sub(ahead);
    u32::try_from(left / steps.interval).unwrap_or(u32::MAX)
}

/// Whole nanoseconds; what does not fit into 584 years stays there.
pub fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
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
        fn take(&mut self, now: u64, cost: u32, quota: &Quota) -> bool {
            let interval = quota.interval().as_nanos();
            let full = interval * u128::from(quota.burst_size());
            self.level = (self.level + u128::from(now - self.at)).min(full);
            self.at = now;
            let price = interval * u128::from(cost);
            let conforms = self.level >= price;
            if conforms {
                self.level -= price;
            }
            conforms
        }
    }

    proptest! {
        #[test]
        fn it_lets_through_what_a_token_bucket_lets_through(
            count in 1u32..20, period_ms in 1u64..100_000, burst in 1u32..20, cost in 1u32..5,
            steps in prop::collection::vec(0u64..5_000_000_000, 1..200),
        ) {
            let quota = Quota::per(count, Duration::from_millis(period_ms)).burst(burst);
            let full = quota.interval().as_nanos() * u128::from(burst);
            let mut oracle = TokenBucket { level: full, at: 0 };
            let gcra = Steps::new(&quota, cost);
            let (mut tat, mut now) = (0u64, 0u64);
            for step in steps {
                now += step;
                let verdict = decide(tat.saturating_sub(now), &gcra);
                prop_assert_eq!(verdict.conforms(), oracle.take(now, cost, &quota));
                match verdict {
                    Verdict::Conforming { ahead, .. } => tat = now + ahead,
                    Verdict::Exceeding { retry_after, .. } if cost <= burst => {
                        let later = now + nanos(retry_after);
                        let at = |now| decide(tat.saturating_sub(now), &gcra).conforms();
                        prop_assert!(at(later), "retry_after is too short");
                        prop_assert!(!at(later - 1), "retry_after is too long");
                    }
                    Verdict::Exceeding { .. } => {}
                }
            }
        }

        #[test]
        fn no_quota_and_no_time_overflow(ahead: u64, count: u32, nanos: u64, burst: u32, cost: u32) {
            let quota = Quota::per(count, Duration::from_nanos(nanos)).burst(burst);
            let steps = Steps::new(&quota, cost);
            let _ = (decide(ahead, &steps), remaining(ahead, &steps));
        }

        #[test]
        fn a_bucket_beyond_its_limit_is_empty_and_no_more(
            ahead: u64, count in 1u32..1000, burst in 1u32..1000, cost in 1u32..10,
        ) {
            let steps = Steps::new(&Quota::per(count, Duration::from_secs(10)).burst(burst), cost);
            if let Verdict::Exceeding { retry_after, .. } = decide(ahead, &steps) {
                prop_assert!(nanos(retry_after) <= steps.increment);
            }
        }
    }
}
