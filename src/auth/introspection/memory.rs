//! Answers that are still fresh. Good and bad ones are apart, so that a flood of made-up tokens
//! cannot push real ones out; both are bounded.

use std::time::Duration;

use quick_cache::sync::Cache;

use super::Verdict;
use super::answer::Known;
use crate::auth::cache::TokenDigest;

/// How many good tokens are remembered, and how many bad ones.
const GOOD: usize = 16_384;
const BAD: usize = 4_096;
/// How long a token that was refused is not asked about again. Short: one that was just issued may
/// not be known to every replica of its issuer yet.
const REFUSED_FOR: Duration = Duration::from_secs(5);

pub(super) struct Memory {
    /// With the monotonic time until which the answer may be used.
    good: Cache<TokenDigest, (Known, Duration)>,
    bad: Cache<TokenDigest, (&'static str, Duration)>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            good: Cache::new(GOOD),
            bad: Cache::new(BAD),
        }
    }

    /// What is known at `now`, a monotonic time.
    pub(super) fn recall(&self, token: &TokenDigest, now: Duration) -> Option<Verdict> {
        let good = self.good.get(token).filter(|(_, until)| now < *until);
        if let Some((known, _)) = good {
            return Some(Verdict::Known(known));
        }
        let bad = self.bad.get(token).filter(|(_, until)| now < *until);
        bad.map(|(cause, _)| Verdict::Refused(cause))
    }

    /// Whether the last answer was a good one, fresh or not.
    pub(super) fn has_been_good(&self, token: &TokenDigest) -> bool {
        self.good.get(token).is_some()
    }

    /// Remembers an answer for use until a monotonic time.
    pub(super) fn keep_good(&self, token: TokenDigest, known: Known, until: Duration) {
        self.good.insert(token, (known, until));
    }

    /// Remembers why the token was refused, when it was asked about at `asked`.
    pub(super) fn keep_bad(&self, token: TokenDigest, cause: &'static str, asked: Duration) {
        self.good.remove(&token);
        let until = asked.saturating_add(REFUSED_FOR);
        self.bad.insert(token, (cause, until));
    }
}
