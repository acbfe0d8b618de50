//! How often a cache was asked, and had the answer.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts questions to a cache.
#[derive(Debug, Default)]
pub struct Lookups {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Lookups {
    /// Notes a question, and whether there was an answer.
    pub fn count(&self, was_hit: bool) {
        let counter = if was_hit { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Questions with an answer, and without.
    pub fn counts(&self) -> (u64, u64) {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (of(&self.hits), of(&self.misses))
    }
}
