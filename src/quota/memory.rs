//! Buckets in this process: one atomic each, in a lock-free map.
//!
//! A decision is a compare-and-swap on the bucket's TAT, so any number of threads let exactly
//! `burst` calls through. Only idle buckets (TAT in the past, that is full) are ever evicted, and
//! eviction first swaps in a tombstone: a call that holds the old bucket then finds it dead and
//! starts over, so no call is counted in a bucket that is gone.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use foldhash::fast::RandomState;
use papaya::HashMap;

use super::gcra::{Verdict, decide};
use crate::auth::TenantKey;
use crate::tool::Quota;

/// Marks a bucket that is being removed. No TAT reaches it (584 years).
const DEAD: u64 = u64::MAX;
/// When the map is full, at most one sweep for idle buckets in this many nanoseconds.
const SWEEP_PAUSE: u64 = 1_000_000_000;

/// Whose calls of what a quota counts, packed into 16 bytes: the tenant's 96-bit key and the
/// target's index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TenantTarget {
    tenant_high: u64,
    tenant_low: u32,
    target: u32,
}

impl TenantTarget {
    /// The key of a tenant's calls of the target with that index.
    pub fn new(tenant: TenantKey, target: u32) -> Self {
        let (tenant_high, tenant_low) = tenant.parts();
        Self {
            tenant_high,
            tenant_low,
            target,
        }
    }
}

/// There are as many buckets as may be, and none is idle.
#[derive(Debug)]
pub struct BucketsFull;

/// The buckets, by what they count: [`TenantTarget`] for quotas.
pub struct Buckets<K> {
    map: HashMap<K, AtomicU64, RandomState>,
    max_keys: usize,
    /// When the last sweep for room began.
    swept: AtomicU64,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// No buckets yet, and never more than `max_keys`.
    pub fn new(max_keys: usize) -> Self {
        Self {
            // Seeded per process, so that nobody can choose keys that collide.
            map: HashMap::with_hasher(RandomState::default()),
            max_keys,
            swept: AtomicU64::new(0),
        }
    }

    /// Counts one call in a bucket at `now` (monotonic).
    ///
    /// # Errors
    /// [`BucketsFull`] when the bucket is new and there is no room for it.
    pub fn take(&self, key: K, quota: &Quota, now: Duration) -> Result<Verdict, BucketsFull> {
        let now = nanos(now);
        let map = self.map.pin();
        loop {
            let bucket = match map.get(&key) {
                Some(bucket) => bucket,
                None => {
                    self.make_room(now)?;
                    map.get_or_insert_with(key, || AtomicU64::new(0))
                }
            };
            match take_from(bucket, quota, now) {
                Some(verdict) => return Ok(verdict),
                // Whoever evicts it may be asleep between its two steps; do the second for it.
                None => {
                    let _ = map.remove_if(&key, |_, bucket| bucket.load(Ordering::Acquire) == DEAD);
                }
            }
        }
    }

    /// What [`take`](Self::take) would answer at `now`, without counting; `None` where the bucket
    /// is full.
    pub fn look(&self, key: &K, quota: &Quota, now: Duration) -> Option<Verdict> {
        let map = self.map.pin();
        let tat = map.get(key)?.load(Ordering::Acquire);
        // One that is being removed was full.
        (tat != DEAD).then(|| decide(tat, nanos(now), quota).1)
    }

    /// Removes every bucket that is full again at `now`.
    pub fn evict_idle(&self, now: Duration) {
        let now = nanos(now);
        let map = self.map.pin();
        for (key, bucket) in map.iter() {
            let tat = bucket.load(Ordering::Acquire);
            if tat > now {
                continue;
            }
            let died = bucket.compare_exchange(tat, DEAD, Ordering::AcqRel, Ordering::Relaxed);
            if died.is_ok() {
                let _ = map.remove_if(key, |_, bucket| bucket.load(Ordering::Acquire) == DEAD);
            }
        }
    }

    /// How many buckets there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The cap is soft by as many threads as insert at the same moment.
    fn make_room(&self, now: u64) -> Result<(), BucketsFull> {
        if self.map.len() < self.max_keys {
            return Ok(());
        }
        let swept = self.swept.load(Ordering::Acquire);
        if swept == 0 || now.saturating_sub(swept) >= SWEEP_PAUSE {
            let ours =
                self.swept
                    .compare_exchange(swept, now.max(1), Ordering::AcqRel, Ordering::Relaxed);
            if ours.is_ok() {
                self.evict_idle(Duration::from_nanos(now));
            }
        }
        if self.map.len() < self.max_keys {
            Ok(())
        } else {
            Err(BucketsFull)
        }
    }
}

/// `None` if the bucket is dead.
fn take_from(bucket: &AtomicU64, quota: &Quota, now: u64) -> Option<Verdict> {
    let mut tat = bucket.load(Ordering::Acquire);
    loop {
        if tat == DEAD {
            return None;
        }
        let (next, verdict) = decide(tat, now, quota);
        let Some(next) = next else {
            return Some(verdict);
        };
        match bucket.compare_exchange_weak(tat, next, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => return Some(verdict),
            Err(current) => tat = current,
        }
    }
}

/// A TAT is never the tombstone.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(DEAD).min(DEAD - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Principal;

    const QUOTA: Quota = Quota::per(5, Duration::from_secs(10));

    fn key(name: &str, target: u32) -> TenantTarget {
        let none: [&str; 0] = [];
        let tenant = Principal::configured(name, "s", none)
            .expect("a good name")
            .tenant_key();
        TenantTarget::new(tenant, target)
    }

    fn conforms(buckets: &Buckets<TenantTarget>, key: TenantTarget, now: Duration) -> bool {
        matches!(
            buckets.take(key, &QUOTA, now),
            Ok(Verdict::Conforming { .. })
        )
    }

    #[test]
    fn two_hundred_calls_at_once_on_a_limit_of_five_give_five() {
        let buckets = Buckets::new(10);
        let key = key("acme", 0);
        let admitted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        (0..25)
                            .filter(|_| conforms(&buckets, key, Duration::ZERO))
                            .count()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        assert_eq!(admitted, 5);
    }

    #[test]
    fn evicting_while_calls_run_never_gives_tokens_back() {
        let buckets = Buckets::new(1_000);
        let key = key("acme", 0);
        let admitted: usize = std::thread::scope(|scope| {
            let evictor = scope
                .spawn(|| (0..20_000).for_each(|_| buckets.evict_idle(Duration::from_nanos(1))));
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        (0..5_000)
                            .filter(|_| conforms(&buckets, key, Duration::from_nanos(1)))
                            .count()
                    })
                })
                .collect();
            evictor.join().expect("no panic");
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        assert_eq!(admitted, 5);
    }

    #[test]
    fn a_spent_bucket_is_never_evicted_and_an_idle_one_is() {
        let buckets = Buckets::new(10);
        let key = key("acme", 0);
        assert!(conforms(&buckets, key, Duration::ZERO));
        buckets.evict_idle(Duration::from_secs(1));
        assert_eq!(buckets.len(), 1);
        buckets.evict_idle(Duration::from_secs(2));
        assert_eq!(buckets.len(), 0);
    }

    #[test]
    fn a_full_map_refuses_new_tenants_until_others_are_idle() {
        let buckets = Buckets::new(2);
        assert!(conforms(&buckets, key("a", 0), Duration::ZERO));
        assert!(conforms(&buckets, key("b", 0), Duration::ZERO));
        assert!(buckets.take(key("c", 0), &QUOTA, Duration::ZERO).is_err());
        assert!(
            conforms(&buckets, key("a", 0), Duration::ZERO),
            "known tenants go on"
        );
        assert!(conforms(&buckets, key("c", 0), Duration::from_secs(60)));
    }

    #[test]
    fn tenants_and_targets_do_not_share_a_bucket() {
        let buckets = Buckets::new(10);
        for key in [key("a", 0), key("a", 1), key("b", 0)] {
            for _ in 0..5 {
                assert!(conforms(&buckets, key, Duration::ZERO));
            }
            assert!(!conforms(&buckets, key, Duration::ZERO));
        }
    }
}
