//! Floods: what nobody should cause often, counted per key, such as failed authentications per address.
//!
//! The same buckets and the same arithmetic as for quotas. A reader would ask why a full table leaves
//! keys uncounted, where quotas refuse: these limits save work and hide answers, and guard nothing.
//! Every credential is still verified and every policy still asked, and failing closed would let a
//! flood lock everybody out.

mod denials;
mod failures;
mod warnings;

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use denials::DenialLimit;
pub use failures::FailureLimit;

use super::gcra::{Steps, Verdict, decide, nanos};
use super::memory::{Buckets, BucketsFull, Charge};
use crate::clock::Clock;
use crate::tool::Quota;
use warnings::{Line, Warnings};

/// Keys counted at once: some 6 MiB.
const MAX_KEYS: usize = 100_000;

/// Counts something per key.
struct FloodLimit<K> {
    buckets: Buckets<K>,
    limit: Quota,
    clock: Clock,
    /// Monotonic nanoseconds until which some key may be over its limit; 0 when none is, so that in
    /// quiet times good calls pay one load.
    watch_until: AtomicU64,
    uncounted: AtomicU64,
    warnings: Warnings<K>,
}

/// What became of a count.
struct Counted {
    /// Until there is room for it, if the bucket was empty.
    wait: Option<Duration>,
    /// What the log should say.
    line: Option<Line>,
}

impl<K: Copy + Eq + Hash> FloodLimit<K> {
    /// At most `limit` per key.
    fn new(limit: Quota, clock: Clock) -> Self {
        Self {
            buckets: Buckets::new(MAX_KEYS),
            limit,
            clock,
            watch_until: AtomicU64::new(0),
            uncounted: AtomicU64::new(0),
            warnings: Warnings::default(),
        }
    }

    fn count(&self, key: K) -> Counted {
        let now = self.clock.monotonic();
        let charge = Charge {
            key,
            steps: self.steps(),
            is_enforced: true,
        };
        let verdict = self.buckets.take(&[charge], now);
        let wait = match verdict.as_deref() {
            Ok([Verdict::Conforming { ahead, .. }]) if decide(*ahead, &charge.steps).conforms() => {
                return Counted::quietly();
            }
            Ok([Verdict::Exceeding { retry_after, .. }]) => Some(*retry_after),
            Ok(_) => None,
            Err(BucketsFull) => {
                self.uncounted.fetch_add(1, Ordering::Relaxed);
                return Counted::quietly();
            }
        };
        let until = nanos(now.saturating_add(self.limit.interval()));
        self.watch_until.fetch_max(until, Ordering::AcqRel);
        let line = self.warnings.over_limit(key, now);
        Counted { wait, line }
    }

    /// How long the key has to wait, if it is over its limit.
    fn wait(&self, key: K) -> Option<Duration> {
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
        match decide(self.buckets.ahead(&key, now), &self.steps()) {
            Verdict::Exceeding { retry_after, .. } => Some(retry_after),
            Verdict::Conforming { .. } => None,
        }
    }

    /// Frees the buckets that are full again.
    fn evict_idle(&self) {
        self.buckets.evict_idle(self.clock.monotonic());
    }

    /// Keys that are being counted.
    fn keys(&self) -> usize {
        self.buckets.len()
    }

    /// What there was no room to count.
    fn uncounted(&self) -> u64 {
        self.uncounted.load(Ordering::Relaxed)
    }

    fn steps(&self) -> Steps {
        Steps::new(&self.limit, 1)
    }
}

impl Counted {
    fn quietly() -> Self {
        Self {
            wait: None,
            line: None,
        }
    }
}
