//! How many tasks there may be, and how much of their results is kept.
//!
//! Counted where tasks are made, whatever store keeps them: what a process made is what it answers for.
//! Nothing is let go before its time to make room for something else, since its client was promised
//! that time; what finds no room is refused.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::auth::IdentityKey;

/// The most tasks of one caller that are kept at once.
const MAX_PER_CALLER: usize = 100;
/// The most tasks in all.
const MAX: usize = 10_000;
/// The most bytes of their results in all.
const MAX_BYTES: usize = 256 << 20;

/// Why a task cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// The caller has as many as it may.
    #[error("the caller has too many tasks")]
    OfCaller,
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
    bytes: usize,
    /// Before that, none is let go.
    first_end: Duration,
}

#[derive(Debug)]
struct One {
    caller: IdentityKey,
    until: Duration,
    bytes: usize,
}

impl Room {
    /// Takes room for a task, until then.
    pub(super) fn take(
        &self,
        id: &str,
        caller: IdentityKey,
        now: Duration,
        until: Duration,
    ) -> Result<(), NoRoom> {
        let mut kept = self.kept();
        kept.let_go(now);
        let own = kept.by_caller.get(&caller).copied().unwrap_or(0);
        if own >= MAX_PER_CALLER {
            return Err(NoRoom::OfCaller);
        }
        if kept.tasks.len() >= MAX {
            return Err(NoRoom::AtAll);
        }
        kept.by_caller.insert(caller, own + 1);
        kept.first_end = match kept.tasks.is_empty() {
            true => until,
            false => kept.first_end.min(until),
        };
        let one = One {
            caller,
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
        let mut kept = self.kept();
        if kept.bytes.saturating_add(bytes) > MAX_BYTES {
            return false;
        }
        if let Some(one) = kept.tasks.get_mut(id) {
            one.bytes += bytes;
            kept.bytes += bytes;
        }
        true
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
    use crate::auth::TenantKey;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_caller_has_its_share_there_is_an_end_to_all_and_time_gives_room_back() {
        let room = Room::default();
        let take = |caller: usize, task: usize, now: Duration| {
            let key = TenantKey::of(&caller.to_string());
            room.take(&format!("{caller}/{task}"), key, now, now + SECOND)
        };
        for task in 0..MAX_PER_CALLER {
            assert_eq!(take(0, task, Duration::ZERO), Ok(()));
        }
        assert_eq!(
            take(0, MAX_PER_CALLER, Duration::ZERO),
            Err(NoRoom::OfCaller)
        );
        for caller in 1..MAX / MAX_PER_CALLER {
            for task in 0..MAX_PER_CALLER {
                assert_eq!(take(caller, task, Duration::ZERO), Ok(()));
            }
        }
        assert_eq!(take(MAX, 0, Duration::ZERO), Err(NoRoom::AtAll));
        room.give_back("0/0");
        assert_eq!(take(0, 0, Duration::ZERO), Ok(()));
        assert_eq!(take(MAX, 0, SECOND), Ok(()));
        assert_eq!((room.count(), room.kept().by_caller.len()), (1, 1));
    }

    #[test]
    fn results_are_kept_up_to_the_bound_and_their_room_comes_back_with_the_task() {
        let room = Room::default();
        for id in ["a", "b"] {
            assert_eq!(
                room.take(id, TenantKey::of("acme"), Duration::ZERO, SECOND),
                Ok(())
            );
        }
        assert!(room.keep("a", MAX_BYTES));
        assert!(!room.keep("b", 1));
        room.let_go(SECOND);
        assert_eq!((room.count(), room.kept().bytes), (0, 0));
    }
}
