//! What may be used once, such as an approval, and was.
//!
//! A reader would ask why a full memory refuses what was never used: what is forgotten before its end
//! could be used again. No tenant fills more than half of it. The wall clock decides, since by it expires
//! what is remembered here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::auth::TenantKey;

/// The most that is remembered at once.
const MAX_USED: usize = 100_000;
/// The most of it that one tenant used.
const MAX_OF_TENANT: usize = MAX_USED / 2;
/// As few are not worth a look for what may be forgotten.
const FEW: usize = 1_024;

/// What was used, each until when it must be remembered.
#[derive(Default)]
pub(super) struct Used(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    until: HashMap<u128, (Duration, TenantKey), RandomState>,
    by_tenant: HashMap<TenantKey, usize, RandomState>,
    /// Beyond so many it is worth a look.
    many: usize,
}

/// There is no room to remember another use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Used {
    /// Uses `key` for a tenant, of which nobody hears any more after `valid`; whether for the first time.
    pub(super) fn first(
        &self,
        key: u128,
        tenant: TenantKey,
        valid: Duration,
        now: Duration,
    ) -> Result<bool, NoRoom> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.until.contains_key(&key) {
            return Ok(false);
        }
        if used.until.len() >= used.many.clamp(FEW, MAX_USED) || used.has_share(tenant) {
            used.forget(now);
        }
        if used.until.len() >= MAX_USED || used.has_share(tenant) {
            return Err(NoRoom);
        }
        used.until.insert(key, (now.saturating_add(valid), tenant));
        *used.by_tenant.entry(tenant).or_default() += 1;
        Ok(true)
    }
}

impl Remembered {
    /// Whether the tenant used as much as it may.
    fn has_share(&self, tenant: TenantKey) -> bool {
        let own = self.by_tenant.get(&tenant);
        own.is_some_and(|own| *own >= MAX_OF_TENANT)
    }

    fn forget(&mut self, now: Duration) {
        let by_tenant = &mut self.by_tenant;
        self.until.retain(|_, (until, tenant)| {
            let stays = *until > now;
            if !stays && let Some(own) = by_tenant.get_mut(tenant) {
                *own -= 1;
            }
            stays
        });
        by_tenant.retain(|_, own| *own > 0);
        self.many = 2 * self.until.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn of(tenant: &str) -> TenantKey {
        TenantKey::of(tenant)
    }

    #[test]
    fn each_key_is_used_once_and_remembered_until_its_end() {
        let used = Used::default();
        let first = |key, now| used.first(key, of("acme"), MINUTE, now);
        assert_eq!(first(1, Duration::ZERO), Ok(true));
        for now in [0, 30, 59] {
            assert_eq!(first(1, Duration::from_secs(now)), Ok(false));
        }
        assert_eq!(first(2, MINUTE), Ok(true));
    }

    #[test]
    fn a_full_memory_refuses_until_something_in_it_has_ended_and_no_tenant_fills_it() {
        let used = Used::default();
        let mut key = 0;
        let mut next = |tenant, now| {
            key += 1;
            used.first(key, of(tenant), MINUTE, now)
        };
        for _ in 0..MAX_OF_TENANT {
            assert_eq!(next("globex", Duration::ZERO), Ok(true));
        }
        assert_eq!(next("globex", Duration::ZERO), Err(NoRoom));
        for _ in 0..MAX_OF_TENANT {
            assert_eq!(next("acme", Duration::ZERO), Ok(true), "the other half");
        }
        assert_eq!(next("initech", Duration::ZERO), Err(NoRoom));
        assert_eq!(next("globex", MINUTE), Ok(true));
        let left = used.0.lock().expect("not poisoned");
        assert_eq!((left.until.len(), left.by_tenant.len()), (1, 1));
    }
}
