//! Buckets in this process: one number each, in a hash table cut into shards.
//!
//! A reader would ask why there are locks where one atomic per bucket would do: a call with several
//! limits takes from all of its buckets or from none, and a table whose entries lie side by side
//! needs one trip to memory per bucket where a lock-free map needs three. A shard is held for some
//! twenty instructions; with 256 of them, threads hardly ever meet. Shards are locked in the order of
//! their numbers, so no two calls wait for each other in a circle.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use smallvec::SmallVec;

use super::gcra::{Steps, Verdict, decide};
use super::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError, RandomState};
use crate::tool::MAX_LIMITS;

/// The most shards; small tables have fewer.
const MAX_SHARDS: usize = 256;
/// When there is no room, at most one sweep for idle buckets in this many nanoseconds.
const SWEEP_PAUSE: u64 = 1_000_000_000;

/// What a call takes from one bucket.
#[derive(Clone, Copy, Debug)]
pub struct Charge<K> {
    /// The bucket.
    pub key: K,
    /// How much, and of how much.
    pub steps: Steps,
    /// Whether it refuses the call. What does not is counted if the call goes through and there is
    /// enough for it.
    pub is_enforced: bool,
}

/// What became of a call in each of its buckets.
pub type Verdicts = SmallVec<[Verdict; 1]>;

/// There are as many buckets as may be, and none is idle.
#[derive(Debug)]
pub struct BucketsFull;

/// The buckets, by what they count. The time of all methods is monotonic.
pub struct Buckets<K> {
    shards: Box<[Shard<K>]>,
    /// Seeded per process, so that nobody can choose keys that collide.
    hasher: RandomState,
    len: AtomicUsize,
    max_keys: usize,
    /// When the last sweep for room began.
    swept: AtomicU64,
}

/// A cache line of its own, so that locking one does not slow down its neighbours.
#[repr(align(64))]
struct Shard<K>(Mutex<Table<K>>);

/// TATs, in nanoseconds.
type Table<K> = HashMap<K, u64, RandomState>;
type Guard<'a, K> = MutexGuard<'a, Table<K>>;

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// No buckets yet, and never more than `max_keys`.
    pub fn new(max_keys: usize) -> Self {
        let hasher = RandomState::default();
        let shards = max_keys.clamp(1, MAX_SHARDS).next_power_of_two();
        let shard = |_| Shard(Mutex::new(HashMap::with_hasher(hasher.clone())));
        Self {
            shards: (0..shards).map(shard).collect(),
            hasher,
            len: AtomicUsize::new(0),
            max_keys,
            swept: AtomicU64::new(0),
        }
    }

    /// Takes what one call costs from all of its buckets, or nothing from any: when an enforced one
    /// has not enough. The verdicts are in the order of the charges, whose keys differ; those of a
    /// refused call tell what would have become of it in each bucket.
    ///
    /// # Errors
    /// [`BucketsFull`] when a bucket is new and there is no room for it; nothing is taken.
    pub fn take(&self, charges: &[Charge<K>], now: Duration) -> Result<Verdicts, BucketsFull> {
        let now = nanos(now);
        self.try_take(charges, now).or_else(|BucketsFull| {
            // No shard is held here, so the sweep can take them one by one.
            self.sweep_for_room(now);
            self.try_take(charges, now)
        })
    }

    fn try_take(&self, charges: &[Charge<K>], now: u64) -> Result<Verdicts, BucketsFull> {
        let mut held = self.hold(charges.iter().map(|charge| &charge.key));
        let mut added = 0;
        let verdicts: Verdicts = charges
            .iter()
            .map(|charge| {
                let tat = held.shard(self.shard_of(&charge.key)).get(&charge.key);
                let verdict = decide(tat.map_or(0, |tat| tat.saturating_sub(now)), &charge.steps);
                added += usize::from(tat.is_none() && verdict.conforms());
                verdict
            })
            .collect();
        if !admits(charges, &verdicts) {
            return Ok(verdicts);
        }
        self.reserve(added)?;
        for (charge, verdict) in charges.iter().zip(&verdicts) {
            if let Verdict::Conforming { ahead, .. } = verdict {
                let shard = held.shard(self.shard_of(&charge.key));
                shard.insert(charge.key, now.saturating_add(*ahead));
            }
        }
        Ok(verdicts)
    }

    /// How many nanoseconds the bucket is from full.
    pub fn ahead(&self, key: &K, now: Duration) -> u64 {
        let shard = lock(&self.shards[self.shard_of(key)]);
        let tat = shard.get(key);
        tat.map_or(0, |tat| tat.saturating_sub(nanos(now)))
    }

    /// Empties the bucket until it is at least `ahead` nanoseconds from full: somebody else counted
    /// what this table did not see. Never fills it. What there is no room for is forgotten.
    pub fn raise(&self, key: K, ahead: u64, now: Duration) {
        let tat = nanos(now).saturating_add(ahead);
        let mut shard = lock(&self.shards[self.shard_of(&key)]);
        match shard.get_mut(&key) {
            Some(held) => *held = tat.max(*held),
            None if ahead == 0 || self.reserve(1).is_err() => {}
            None => drop(shard.insert(key, tat)),
        }
    }

    /// Removes every bucket that is full again at `now`, which gives nothing to anybody.
    pub fn evict_idle(&self, now: Duration) {
        let now = nanos(now);
        for shard in &self.shards {
            let mut shard = lock(shard);
            let before = shard.len();
            shard.retain(|_, tat| *tat > now);
            // Room for twice as many may stay, so that a steady load does not allocate again.
            if shard.len() < shard.capacity() / 4 {
                let room = 2 * shard.len();
                shard.shrink_to(room);
            }
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
        }
    }

    /// How many buckets there are.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts new buckets against the cap before they exist, so that it holds exactly.
    fn reserve(&self, added: usize) -> Result<(), BucketsFull> {
        if added == 0 {
            return Ok(());
        }
        if self.len.fetch_add(added, Ordering::Relaxed) + added > self.max_keys {
            self.len.fetch_sub(added, Ordering::Relaxed);
            return Err(BucketsFull);
        }
        Ok(())
    }

    fn sweep_for_room(&self, now: u64) {
        let swept = self.swept.load(Ordering::Acquire);
        if swept != 0 && now.saturating_sub(swept) < SWEEP_PAUSE {
            return;
        }
        let (before, after) = (Ordering::AcqRel, Ordering::Relaxed);
        let ours = self
            .swept
            .compare_exchange(swept, now.max(1), before, after);
        if ours.is_ok() {
            self.evict_idle(Duration::from_nanos(now));
        }
    }

    fn shard_of(&self, key: &K) -> usize {
        // Bits that a table does not use: it takes the lowest for the place and the highest seven
        // for the tag.
        (self.hasher.hash_one(key) >> 32) as usize & (self.shards.len() - 1)
    }

    fn hold<'a>(&self, keys: impl Iterator<Item = &'a K>) -> Held<'_, K>
    where
        K: 'a,
    {
        let mut wanted: SmallVec<[usize; MAX_LIMITS]> =
            keys.map(|key| self.shard_of(key)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let hold = |index| (index, lock(&self.shards[index]));
        Held(wanted.into_iter().map(hold).collect())
    }
}

/// Whether all that are enforced conform.
pub fn admits<K>(charges: &[Charge<K>], verdicts: &[Verdict]) -> bool {
    let mut both = charges.iter().zip(verdicts);
    both.all(|(charge, verdict)| verdict.conforms() || !charge.is_enforced)
}

/// Shards that are locked, by their numbers; one or a few.
struct Held<'a, K>(SmallVec<[(usize, Guard<'a, K>); 1]>);

impl<K> Held<'_, K> {
    fn shard(&mut self, index: usize) -> &mut Table<K> {
        let place = self.0.iter().position(|(held, _)| *held == index);
        // Those of all charges are held.
        &mut self.0[place.unwrap_or_default()].1
    }
}

/// A panic elsewhere leaves a shard as it was after the last whole step.
fn lock<K>(shard: &Shard<K>) -> Guard<'_, K> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
