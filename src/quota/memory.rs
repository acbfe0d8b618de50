//! Buckets in this process: one number each, in a hash table cut into shards.
//!
//! A reader would ask why there are locks where one atomic per bucket would do: a call with several
//! limits takes from all of its buckets or from none, and a table whose entries lie side by side
//! needs one trip to memory per bucket where a lock-free map needs three. A shard is held for some
//! twenty instructions; with 256 of them, threads hardly ever meet. Shards are locked in the order of
//! their numbers, so no two calls wait for each other in a circle.

use std::hash::{BuildHasher, Hash};
use std::time::Duration;

use hashbrown::HashTable;
use smallvec::{SmallVec, smallvec};

use super::gcra::{Steps, Verdict, decide, nanos};
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

/// Keys and TATs, in nanoseconds. A bare table and not a map, so that a key is hashed once for both its
/// shard and its place.
type Table<K> = HashTable<(K, u64)>;
type Guard<'a, K> = MutexGuard<'a, Table<K>>;

impl<K: Copy + Eq + Hash> Buckets<K> {
    /// No buckets yet, and never more than `max_keys`.
    pub fn new(max_keys: usize) -> Self {
        let shards = max_keys.clamp(1, MAX_SHARDS).next_power_of_two();
        let shard = |_| Shard(Mutex::new(Table::new()));
        Self {
            shards: (0..shards).map(shard).collect(),
            hasher: RandomState::default(),
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
        match charges {
            [charge] => Ok(smallvec![self.take_one(charge, now)?]),
            charges => self.take_all(charges, now),
        }
    }

    /// What most calls need, in one look at one bucket.
    fn take_one(&self, charge: &Charge<K>, now: u64) -> Result<Verdict, BucketsFull> {
        let hash = self.hasher.hash_one(charge.key);
        let mut shard = self.shard(self.shard_of(hash));
        let Some((_, tat)) = shard.find_mut(hash, |(key, _)| *key == charge.key) else {
            let verdict = decide(0, &charge.steps);
            if let Verdict::Conforming { ahead, .. } = verdict {
                self.reserve(1)?;
                self.add(&mut shard, hash, charge.key, now.saturating_add(ahead));
            }
            return Ok(verdict);
        };
        let verdict = decide(settle(tat, now, &charge.steps), &charge.steps);
        if let Verdict::Conforming { ahead, .. } = verdict {
            *tat = now.saturating_add(ahead);
        }
        Ok(verdict)
    }

    fn take_all(&self, charges: &[Charge<K>], now: u64) -> Result<Verdicts, BucketsFull> {
        let hash = |charge: &Charge<K>| self.hasher.hash_one(charge.key);
        let hashes: SmallVec<[u64; MAX_LIMITS]> = charges.iter().map(hash).collect();
        let mut held = self.hold(&hashes);
        let mut added = 0;
        let mut verdicts = Verdicts::new();
        for (charge, hash) in charges.iter().zip(&hashes) {
            let shard = held.shard(self.shard_of(*hash));
            let bucket = shard.find_mut(*hash, |(key, _)| *key == charge.key);
            let ahead = bucket.map(|(_, tat)| settle(tat, now, &charge.steps));
            let verdict = decide(ahead.unwrap_or(0), &charge.steps);
            added += usize::from(ahead.is_none() && verdict.conforms());
            verdicts.push(verdict);
        }
        if !admits(charges, &verdicts) {
            return Ok(verdicts);
        }
        self.reserve(added)?;
        for ((charge, hash), verdict) in charges.iter().zip(hashes).zip(&verdicts) {
            let Verdict::Conforming { ahead, .. } = verdict else {
                continue;
            };
            let (shard, next) = (held.shard(self.shard_of(hash)), now.saturating_add(*ahead));
            match shard.find_mut(hash, |(key, _)| *key == charge.key) {
                Some((_, tat)) => *tat = next,
                None => self.add(shard, hash, charge.key, next),
            }
        }
        Ok(verdicts)
    }

    /// How many nanoseconds the bucket is from full.
    pub fn ahead(&self, key: &K, now: Duration) -> u64 {
        let hash = self.hasher.hash_one(key);
        let shard = self.shard(self.shard_of(hash));
        let bucket = shard.find(hash, |(held, _)| held == key);
        bucket.map_or(0, |(_, tat)| tat.saturating_sub(nanos(now)))
    }

    /// How many nanoseconds the bucket of a limit is from full, and no further than that allows.
    pub fn settled(&self, key: &K, steps: &Steps, now: Duration) -> u64 {
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(self.shard_of(hash));
        let bucket = shard.find_mut(hash, |(held, _)| held == key);
        bucket.map_or(0, |(_, tat)| settle(tat, nanos(now), steps))
    }

    /// Empties the bucket until it is at least `ahead` nanoseconds from full: somebody else counted
    /// what this table did not see. Never fills it. What there is no room for is forgotten.
    pub fn raise(&self, key: K, ahead: u64, now: Duration) {
        let tat = nanos(now).saturating_add(ahead);
        let hash = self.hasher.hash_one(key);
        let mut shard = self.shard(self.shard_of(hash));
        match shard.find_mut(hash, |(held, _)| *held == key) {
            Some((_, held)) => *held = tat.max(*held),
            None if ahead == 0 || self.reserve(1).is_err() => {}
            None => self.add(&mut shard, hash, key, tat),
        }
    }

    /// Removes every bucket that is full again at `now`, which gives nothing to anybody.
    pub fn evict_idle(&self, now: Duration) {
        let now = nanos(now);
        for index in 0..self.shards.len() {
            let mut shard = self.shard(index);
            let before = shard.len();
            shard.retain(|(_, tat)| *tat > now);
            self.len.fetch_sub(before - shard.len(), Ordering::Relaxed);
            // Room for twice as many may stay, so that a steady load does not allocate again.
            if shard.len() < shard.capacity() / 4 {
                let room = 2 * shard.len();
                shard.shrink_to(room, |(key, _)| self.hasher.hash_one(key));
            }
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

    /// Into a table that does not have it, once there is room.
    fn add(&self, shard: &mut Table<K>, hash: u64, key: K, tat: u64) {
        shard.insert_unique(hash, (key, tat), |(key, _)| self.hasher.hash_one(key));
    }

    fn shard_of(&self, hash: u64) -> usize {
        // Bits that a table does not use: it takes the lowest for the place and the highest seven
        // for the tag.
        (hash >> 32) as usize & (self.shards.len() - 1)
    }

    /// A panic elsewhere leaves a shard as it was after the last whole step.
    fn shard(&self, index: usize) -> Guard<'_, K> {
        let shard = &self.shards[index];
        shard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, hashes: &[u64]) -> Held<'_, K> {
        let shards = hashes.iter().map(|hash| self.shard_of(*hash));
        let mut wanted: SmallVec<[usize; MAX_LIMITS]> = shards.collect();
        wanted.sort_unstable();
        wanted.dedup();
        let hold = |index| (index, self.shard(index));
        Held(wanted.into_iter().map(hold).collect())
    }
}

/// How far a bucket is from full. One that is emptier than its limit knows, since the limit was another
/// one, is just empty from now on: else it would refuse for longer than callers are told.
fn settle(tat: &mut u64, now: u64, steps: &Steps) -> u64 {
    *tat = (*tat).min(now.saturating_add(steps.capacity));
    tat.saturating_sub(now)
}

/// Whether all that are enforced conform.
pub fn admits<K>(charges: &[Charge<K>], verdicts: &[Verdict]) -> bool {
    let mut both = charges.iter().zip(verdicts);
    both.all(|(charge, verdict)| verdict.conforms() || !charge.is_enforced)
}

/// Shards that are locked, by their numbers; one or a few.
struct Held<'a, K>(SmallVec<[(usize, Guard<'a, K>); 2]>);

impl<K> Held<'_, K> {
    fn shard(&mut self, index: usize) -> &mut Table<K> {
        let place = self.0.iter().position(|(held, _)| *held == index);
        // Those of all charges are held.
        &mut self.0[place.unwrap_or_default()].1
    }
}
