//! How many tasks there may be, and how much of their results is kept.
//!
//! Counted where tasks are made, whatever store keeps them: what a process made is what it answers for.
//! Nothing is let go before its time to make room for something else, since its client was promised
//! that time; what finds no room is refused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::auth::{IdentityKey, TenantKey};

/// The most tasks of one caller that are kept at once.
const MAX_PER_CALLER: usize = 100;
/// The most tasks in all.
const MAX: usize = 10_000;
/// The most bytes of their results in all.
const MAX_BYTES: usize = 256 << 20;
/// What part of both one tenant may have.
const SHARE: usize = 2;

/// Why a task cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The caller has as many as it may.
    #[error("the caller has too many tasks")]
    OfCaller,
    /// The caller's tenant has as many, or as large ones, as it may.
    #[error("the caller's tenant has too many tasks")]
    OfTenant,
    /// There are as many as there may be.
    #[error("there are too many tasks")]
    AtAll,
}

/// Tasks that are kept.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    tasks: HashMap<String, One>,
    by_caller: HashMap<IdentityKey, usize>,
    by_tenant: HashMap<TenantKey, Share>,
    bytes: usize,
    /// Before that, none is let go.
    first_end: Duration,
}

/// What one tenant has.
#[derive(Debug, Default)]
struct Share {
    tasks: usize,
    bytes: usize,
}

#[derive(Debug)]
struct One {
    caller: IdentityKey,
    tenant: TenantKey,
    until: Duration,
    bytes: usize,
}

impl Room {
    /// Takes room for a task, until then.
    pub(super) fn take(
        &self,
        id: &str,
        (caller, tenant): (IdentityKey, TenantKey),
        now: Duration,
        until: Duration,
    ) -> Result<(), NoRoom> {
        let mut kept = self.kept();
        kept.let_go(now);
        let own = kept.by_caller.get(&caller).copied().unwrap_or(0);
        if own >= MAX_PER_CALLER {
            return Err(NoRoom::OfCaller);
        }
        let share = kept.by_tenant.get(&tenant);
        if share.is_some_and(|share| {
            // What has no room for a result is better not begun.
            share.tasks >= MAX / SHARE || share.bytes >= MAX_BYTES / SHARE
        }) {
            return Err(NoRoom::OfTenant);
        }
        if kept.tasks.len() >= MAX || kept.bytes >= MAX_BYTES {
            return Err(NoRoom::AtAll);
        }
        kept.by_tenant.entry(tenant).or_default().tasks += 1;
        kept.by_caller.insert(caller, own + 1);
        kept.first_end = match kept.tasks.is_empty() {
            true => until,
            false => kept.first_end.min(until),
        };
        let one = One {
            caller,
            tenant,
            until,
            bytes: 0,
        };
        kept.tasks.insert(id.to_owned(), one);
        Ok(())
    }

    /// Gives room back that was taken for nothing.
    pub(super) fn give_back(&self, id: &str) {
        self.kept().remove(id);
    }

    /// Whether there is room for a result of this size, which is taken then.
    pub(super) fn keep(&self, id: &str, bytes: usize) -> bool {
        let kept = &mut *self.kept();
        let Some(one) = kept.tasks.get_mut(id) else {
            return true;
        };
        let share = kept.by_tenant.entry(one.tenant).or_default();
        let fits = kept.bytes.saturating_add(bytes) <= MAX_BYTES
            && share.bytes.saturating_add(bytes) <= MAX_BYTES / SHARE;
        if fits {
            one.bytes += bytes;
            share.bytes += bytes;
            kept.bytes += bytes;
        }
        fits
    }

    pub(super) fn let_go(&self, now: Duration) {
        self.kept().let_go(now);
    }

    pub(super) fn count(&self) -> usize {
        self.kept().tasks.len()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn let_go(&mut self, now: Duration) {
        if self.tasks.is_empty() || now < self.first_end {
            return;
        }
        let over = self.tasks.iter().filter(|(_, one)| one.until <= now);
        let over: Vec<String> = over.map(|(id, _)| id.clone()).collect();
        for id in over {
            self.remove(&id);
        }
        let ends = self.tasks.values().map(|one| one.until);
        self.first_end = ends.min().unwrap_or_default();
    }

    fn remove(&mut self, id: &str) {
        let Some(one) = self.tasks.remove(id) else {
            return;
        };
        self.bytes -= one.bytes;
        if let Some(share) = self.by_tenant.get_mut(&one.tenant) {
            share.tasks -= 1;
            share.bytes -= one.bytes;
            if share.tasks == 0 {
                self.by_tenant.remove(&one.tenant);
            }
        }
        if let Some(own) = self.by_caller.get_mut(&one.caller) {
            *own -= 1;
            if *own == 0 {
                self.by_caller.remove(&one.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A caller of a tenant.
    fn who(caller: usize, tenant: &str) -> (IdentityKey, TenantKey) {
        let caller = format!("{tenant}/{caller}");
        (TenantKey::of(&caller), TenantKey::of(tenant))
    }

    #[test]
    fn callers_and_tenants_have_their_share_there_is_an_end_to_all_and_time_gives_room_back() {
        let room = Room::default();
        let take = |caller: usize, tenant: &str, task: usize, now: Duration| {
            let id = format!("{tenant}/{caller}/{task}");
            room.take(&id, who(caller, tenant), now, now + SECOND)
        };
        for tenant in ["acme", "globex"] {
            for task in 0..MAX_PER_CALLER {
                assert_eq!(take(0, tenant, task, Duration::ZERO), Ok(()));
            }
            let more = take(0, tenant, MAX_PER_CALLER, Duration::ZERO);
            assert_eq!(more, Err(NoRoom::OfCaller));
            for caller in 1..MAX / SHARE / MAX_PER_CALLER {
                for task in 0..MAX_PER_CALLER {
                    assert_eq!(take(caller, tenant, task, Duration::ZERO), Ok(()));
                }
            }
            let more = take(MAX, tenant, 0, Duration::ZERO);
            assert_eq!(more, Err(NoRoom::OfTenant));
        }
        assert_eq!(take(0, "initech", 0, Duration::ZERO), Err(NoRoom::AtAll));
        room.give_back("acme/0/0");
        assert_eq!(take(0, "acme", 0, Duration::ZERO), Ok(()));
        assert_eq!(take(0, "initech", 0, SECOND), Ok(()));
        let kept = room.kept();
        let left = [kept.tasks.len(), kept.by_caller.len(), kept.by_tenant.len()];
        assert_eq!(left, [1, 1, 1]);
    }

    #[test]
    fn results_are_kept_up_to_the_bounds_and_their_room_comes_back_with_the_task() {
        let room = Room::default();
        let tenants = ["acme", "globex", "initech"];
        for tenant in tenants {
            let taken = room.take(tenant, who(0, tenant), Duration::ZERO, SECOND);
            assert_eq!(taken, Ok(()));
        }
        let half = MAX_BYTES / SHARE;
        assert!(!room.keep("acme", half + 1), "one tenant has half of it");
        assert!(room.keep("acme", half) && !room.keep("acme", 1));
        let more = room.take("more", who(1, "acme"), Duration::ZERO, SECOND);
        assert_eq!(more, Err(NoRoom::OfTenant), "it could keep no result");
        assert!(room.keep("globex", half) && !room.keep("initech", 1));
        room.let_go(SECOND);
        let kept = room.kept();
        assert_eq!(
            (kept.tasks.len(), kept.bytes, kept.by_tenant.len()),
            (0, 0, 0)
        );
    }
}
