//! Floods of bad credentials, limited per source address before any signature is checked.
//!
//! Each failed authentication is counted in a bucket of its address; an address whose bucket is
//! empty is refused without looking at its credentials, unless they were verified before. The same
//! buckets and the same arithmetic as for quotas. A reader would ask why a full table lets addresses
//! through uncounted, where quotas refuse: this limit saves work and guards nothing, every
//! credential is still verified, and failing closed would let a flood lock everybody out.

mod warnings;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::gcra::{Steps, Verdict, decide};
use super::memory::{Buckets, BucketsFull, Charge};
use crate::clock::Clock;
use crate::network::network_of;
use crate::tool::Quota;
use warnings::Warnings;

/// Addresses counted at once: some 6 MiB.
const MAX_SOURCES: usize = 100_000;

/// Counts failed authentications per source address.
pub struct FailureLimit {
    buckets: Buckets<IpAddr>,
    limit: Quota,
    clock: Clock,
    /// Monotonic nanoseconds until which some address may be over its limit; 0 when none is, so
    /// that in quiet times good calls pay one load.
    watch_until: AtomicU64,
    uncounted: AtomicU64,
    warnings: Warnings,
}

impl FailureLimit {
    /// At most `limit` failures per address.
    pub fn new(limit: Quota, clock: Clock) -> Self {
        Self {
            buckets: Buckets::new(MAX_SOURCES),
            limit,
            clock,
            watch_until: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
            warnings: Warnings::default(),
        }
    }

    /// Counts a failure.
    pub fn count(&self, source: IpAddr) {
        let (source, now) = (network_of(source), self.clock.monotonic());
        let charge = Charge {
            key: source,
            steps: self.steps(),
            is_enforced: true,
        };
        let verdict = self.buckets.take(&[charge], now);
        match verdict.as_deref() {
            Ok([Verdict::Conforming { ahead, .. }]) if decide(*ahead, &charge.steps).conforms() => {
            }
            Ok(_) => {
                let until = nanos(now.saturating_add(self.limit.interval()));
                self.watch_until.fetch_max(until, Ordering::AcqRel);
                self.warnings.over_limit(source, now);
            }
            Err(BucketsFull) => {
                self.uncounted.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How long the address has to wait, if it is over its limit.
    pub fn wait(&self, source: IpAddr) -> Option<Duration> {
        let until = self.watch_until.load(Ordering::Acquire);
        if until == 0 {
            return None;
        }
        let now = self.clock.monotonic();
        if nanos(now) >= until {
            // Whoever sets it to something later wins.
            let _ =
                self.watch_until
                    .compare_exchange(until, 0, Ordering::AcqRel, Ordering::Relaxed);
            return None;
        }
        let ahead = self.buckets.ahead(&network_of(source), now);
        match decide(ahead, &self.steps()) {
            Verdict::Exceeding { retry_after, .. } => Some(retry_after),
            Verdict::Conforming { .. } => None,
        }
    }

    /// Frees the buckets of addresses without a recent failure.
    pub fn evict_idle(&self) {
        self.buckets.evict_idle(self.clock.monotonic());
    }

    /// Addresses with recent failures.
    pub fn sources(&self) -> usize {
        self.buckets.len()
    }

    fn steps(&self) -> Steps {
        Steps::new(&self.limit, 1)
    }

    /// Failures that there was no room to count.
    pub fn uncounted(&self) -> u64 {
        self.uncounted.load(Ordering::Relaxed)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn limit(clock: &Clock) -> FailureLimit {
        FailureLimit::new(Quota::per_second(1).burst(2), clock.clone())
    }

    #[test]
    fn an_address_over_its_limit_waits_and_no_other_does() {
        let clock = Clock::turned();
        let limit = limit(&clock);
        let (bad, good) = (address("192.0.2.1"), address("192.0.2.2"));
        limit.count(bad);
        assert_eq!(limit.wait(bad), None);
        limit.count(bad);
        assert_eq!(limit.wait(bad), Some(Duration::from_secs(1)));
        assert_eq!(limit.wait(good), None);
        clock.advance(Duration::from_millis(400));
        assert_eq!(limit.wait(bad), Some(Duration::from_millis(600)));
        clock.advance(Duration::from_millis(600));
        assert_eq!(limit.wait(bad), None);
        limit.count(bad);
        assert_eq!(limit.wait(bad), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(2));
        limit.evict_idle();
        assert_eq!(limit.sources(), 0);
    }

    #[test]
    fn an_ipv6_network_is_one_source_and_a_mapped_address_is_its_ipv4_one() {
        let clock = Clock::turned();
        let limit = limit(&clock);
        limit.count(address("2001:db8:0:1::1"));
        limit.count(address("2001:db8:0:1:ffff::2"));
        assert!(limit.wait(address("2001:db8:0:1::3")).is_some());
        assert!(limit.wait(address("2001:db8:0:2::1")).is_none());
        limit.count(address("::ffff:192.0.2.1"));
        limit.count(address("192.0.2.1"));
        assert!(limit.wait(address("192.0.2.1")).is_some());
    }

    #[test]
    fn a_full_table_lets_new_addresses_through_uncounted() {
        let clock = Clock::turned();
        let mut limit = limit(&clock);
        limit.buckets = Buckets::new(1);
        limit.count(address("192.0.2.1"));
        for _ in 0..5 {
            limit.count(address("192.0.2.2"));
        }
        assert_eq!((limit.sources(), limit.uncounted()), (1, 5));
        assert_eq!(limit.wait(address("192.0.2.2")), None);
    }
}
