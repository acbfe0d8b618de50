//! One warning per address or caller and minute, and a bound on how many are named.
//!
//! An attacker decides how many there are, and must not decide how long the log is.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long one that was named is not named again.
const PERIOD: Duration = Duration::from_secs(60);
/// How many are named in one period.
const MAX_NAMED: usize = 10;

pub(super) struct Warnings<K>(Mutex<Period<K>>);

struct Period<K> {
    began: Duration,
    named: Vec<K>,
    is_full: bool,
}

/// What to say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Which one it is.
    Named,
    /// That there are more.
    Others,
}

impl<K> Default for Warnings<K> {
    fn default() -> Self {
        Self(Mutex::new(Period::since(Duration::ZERO)))
    }
}

impl<K> Period<K> {
    fn since(began: Duration) -> Self {
        Self {
            began,
            named: Vec::new(),
            is_full: false,
        }
    }
}

impl<K: Copy + Eq> Warnings<K> {
    /// A key is over its limit at `now` (monotonic). What is to be said of it.
    pub(super) fn over_limit(&self, key: K, now: Duration) -> Option<Line> {
        let mut period = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        period.line(key, now)
    }
}

impl<K: Copy + Eq> Period<K> {
    fn line(&mut self, key: K, now: Duration) -> Option<Line> {
        if now.saturating_sub(self.began) >= PERIOD {
            *self = Self::since(now);
        }
        if self.named.contains(&key) {
            return None;
        }
        if self.named.len() < MAX_NAMED {
            self.named.push(key);
            return Some(Line::Named);
        }
        (!std::mem::replace(&mut self.is_full, true)).then_some(Line::Others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_are_named_once_a_minute_and_the_others_together() {
        let mut period = Period::since(Duration::ZERO);
        let mut lines = |now| {
            let keys = (0..1_000).map(|n: u32| n % 100);
            let said: Vec<_> = keys
                .filter_map(|key| period.line(key, Duration::from_secs(now)))
                .collect();
            let named = said.iter().filter(|line| **line == Line::Named).count();
            (named, said.len())
        };
        assert_eq!(lines(1), (10, 11));
        assert_eq!(lines(59), (0, 0));
        assert_eq!(lines(60), (10, 11));
    }
}
