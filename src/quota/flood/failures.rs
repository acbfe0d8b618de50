//! Failed authentications, limited per source address before any signature is checked.
//!
//! An address whose bucket is empty is refused without looking at its credentials, unless they were
//! verified before.

use std::net::IpAddr;
use std::time::Duration;

use super::{FloodLimit, Line};
use crate::clock::Clock;
use crate::network::network_of;
use crate::tool::Quota;

/// Counts failed authentications per source address.
pub struct FailureLimit(FloodLimit<IpAddr>);

impl FailureLimit {
    /// At most `limit` failures per address.
    pub fn new(limit: Quota, clock: Clock) -> Self {
        Self(FloodLimit::new(limit, clock))
    }

    /// Counts a failure.
    pub fn count(&self, source: IpAddr) {
        let source = network_of(source);
        match self.0.count(source).line {
            Some(Line::Named) => tracing::warn!(
                %source,
                "too many failed authentications from one address: it is refused until it sends fewer"
            ),
            Some(Line::Others) => tracing::warn!(
                "too many failed authentications from further addresses, which are not named for now"
            ),
            None => {}
        }
    }

    /// How long the address has to wait, if it is over its limit.
    pub fn wait(&self, source: IpAddr) -> Option<Duration> {
        self.0.wait(network_of(source))
    }

    /// Frees the buckets of addresses without a recent failure.
    pub fn evict_idle(&self) {
        self.0.evict_idle();
    }

    /// Addresses with recent failures.
    pub fn sources(&self) -> usize {
        self.0.keys()
    }

    /// Failures that there was no room to count.
    pub fn uncounted(&self) -> u64 {
        self.0.uncounted()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Buckets;
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
        limit.0.buckets = Buckets::new(1);
        limit.count(address("192.0.2.1"));
        for _ in 0..5 {
            limit.count(address("192.0.2.2"));
        }
        assert_eq!((limit.sources(), limit.uncounted()), (1, 5));
        assert_eq!(limit.wait(address("192.0.2.2")), None);
    }
}
