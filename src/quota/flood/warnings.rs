//! One warning per address and minute, and a bound on how many addresses are named.
//!
//! An attacker decides how many addresses there are, and must not decide how long the log is.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long an address that was named is not named again.
const PERIOD: Duration = Duration::from_secs(60);
/// Addresses named in one period.
const MAX_NAMED: usize = 10;

#[derive(Default)]
pub(super) struct Warnings(Mutex<Period>);

#[derive(Default)]
struct Period {
    began: Duration,
    named: Vec<IpAddr>,
    is_full: bool,
}

/// What to say.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Named,
    Others,
}

impl Warnings {
    /// An address is over its limit at `now` (monotonic).
    pub(super) fn over_limit(&self, source: IpAddr, now: Duration) {
        let line = {
            let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            period.line(source, now)
        };
        match line {
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
}

impl Period {
    fn line(&mut self, source: IpAddr, now: Duration) -> Option<Line> {
        if now.saturating_sub(self.began) >= PERIOD {
            *self = Self {
                began: now,
                ..Self::default()
            };
        }
        if self.named.contains(&source) {
            return None;
        }
        if self.named.len() < MAX_NAMED {
            self.named.push(source);
            return Some(Line::Named);
        }
        (!std::mem::replace(&mut self.is_full, true)).then_some(Line::Others)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn ten_addresses_are_named_once_a_minute_and_the_others_together() {
        let mut period = Period::default();
        let mut lines = |now| {
            let sources = (0..1_000).map(|n: u32| IpAddr::from(Ipv4Addr::from_bits(n % 100)));
            let said: Vec<_> = sources
                .filter_map(|source| period.line(source, Duration::from_secs(now)))
                .collect();
            let named = said.iter().filter(|line| **line == Line::Named).count();
            (named, said.len())
        };
        assert_eq!(lines(1), (10, 11));
        assert_eq!(lines(59), (0, 0));
        assert_eq!(lines(60), (10, 11));
    }
}
