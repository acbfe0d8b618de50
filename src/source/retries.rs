//! How often a call is tried again: few times, later and later, and within a budget.
//!
//! A source that fails gets fewer calls and not more: each first try earns a tenth of a further one,
//! so that beyond [`CAP`] saved ones, retries add at most 10 %. Waits are drawn from zero up to a
//! bound that doubles ("full jitter"), so that callers who failed together do not come back together.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

/// What a further try costs, in what a first try earns.
const COST: u32 = 10;
/// Most that is saved: ten further tries.
const CAP: u32 = 10 * COST;
/// The bound of the first wait.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// Longest that is waited because the other side says so.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(2);

pub(super) struct Retries {
    most: u32,
    budget: ArcSwap<Budget>,
}

/// What may be spent and what was: one for all that follow each other.
struct Budget {
    saved: AtomicU32,
    made: AtomicU64,
}

impl Retries {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most,
            budget: ArcSwap::from_pointee(Budget {
                saved: AtomicU32::new(CAP),
                made: AtomicU64::new(0),
            }),
        }
    }

    /// Spends from now on what `before` has, for the same source.
    pub(super) fn follow(&self, before: &Self) {
        self.budget.store(before.budget.load_full());
    }

    /// A first try.
    pub(super) fn earn(&self) {
        let budget = self.budget.load();
        // Full is the rule: nothing is written then.
        if budget.saved.load(Ordering::Relaxed) < CAP {
            let add = |saved| (saved < CAP).then_some(saved + 1);
            let _ = budget
                .saved
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        }
    }

    /// Whether a further try is allowed after so many; then it is paid.
    pub(super) fn spend(&self, tries: u32) -> bool {
        let take = |saved: u32| saved.checked_sub(COST);
        let budget = self.budget.load();
        let allowed = tries <= self.most
            && budget
                .saved
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok();
        if allowed {
            budget.made.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    /// How long to wait after so many tries.
    pub(super) fn wait(tries: u32) -> Duration {
        let bound = FIRST_WAIT * 2u32.saturating_pow(tries.saturating_sub(1)).min(32);
        // Without randomness there is none in the wait either.
        let part = getrandom::u32().unwrap_or(u32::MAX);
        bound.mul_f64(f64::from(part) / f64::from(u32::MAX))
    }

    /// Further tries so far.
    pub(super) fn made(&self) -> u64 {
        self.budget.load().made.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_tries_are_at_most_a_tenth_once_what_was_saved_is_spent() {
        let retries = Retries::new(2);
        let mut made = 0;
        for _ in 0..1_000 {
            retries.earn();
            made += (1..=3).filter(|tries| retries.spend(*tries)).count();
        }
        assert_eq!((made, retries.made()), (109, 109));
        assert!(!Retries::new(0).spend(1));
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        for tries in 1..=40 {
            let bound = FIRST_WAIT * 2u32.pow((tries - 1).min(5));
            assert!((0..100).all(|_| Retries::wait(tries) <= bound));
        }
    }
}
