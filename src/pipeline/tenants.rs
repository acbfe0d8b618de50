//! How many calls of each tenant run.
//!
//! Shards behind locks that are held for some nanoseconds, and not a lock-free map: a tenant's last
//! call removes its entry, so that a million tenants leave nothing behind, and a map that frees what
//! others may still read would cost more than the lock.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

use crate::auth::TenantKey;

/// A power of two, well above the threads there are.
const SHARDS: usize = 64;

/// Counts calls per tenant against one limit.
pub(super) struct Tenants {
    shards: Box<[Shard]>,
    limit: usize,
}

/// Aligned, so that two cores do not fight over one line of the cache.
#[repr(align(64))]
#[derive(Default)]
struct Shard(Mutex<HashMap<TenantKey, usize, RandomState>>);

impl Tenants {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            limit,
        }
    }

    /// Counts one call more; false, and not counted, when there are enough.
    pub(super) fn enter(&self, tenant: TenantKey) -> bool {
        let mut shard = self.shard(tenant);
        let running = shard.entry(tenant).or_default();
        let enters = *running < self.limit;
        *running += usize::from(enters);
        enters
    }

    /// Counts one call less.
    pub(super) fn leave(&self, tenant: TenantKey) {
        let mut shard = self.shard(tenant);
        if let Some(running) = shard.get_mut(&tenant) {
            *running -= 1;
            if *running == 0 {
                shard.remove(&tenant);
            }
        }
    }

    /// Tenants with calls.
    pub(super) fn count(&self) -> usize {
        let shards = self.shards.iter();
        shards.map(|shard| lock(shard).len()).sum()
    }

    fn shard(&self, tenant: TenantKey) -> MutexGuard<'_, HashMap<TenantKey, usize, RandomState>> {
        let (_, low) = tenant.parts();
        lock(&self.shards[low as usize % SHARDS])
    }
}

fn lock(shard: &Shard) -> MutexGuard<'_, HashMap<TenantKey, usize, RandomState>> {
    shard.0.lock().unwrap_or_else(PoisonError::into_inner)
}
