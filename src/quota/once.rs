//! What may be used once, such as an approval, and was.
//!
//! A reader would ask why a full memory refuses what was never used: what is forgotten before its end
//! could be used again. The wall clock decides, since by it expires what is remembered here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foldhash::fast::RandomState;

/// The most that is remembered at once.
const MAX_USED: usize = 100_000;
/// As few are not worth a look for what may be forgotten.
const FEW: usize = 1_024;

/// What was used, each until when it must be remembered.
#[derive(Default)]
pub(super) struct Used(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    until: HashMap<u128, Duration, RandomState>,
    /// Beyond so many it is worth a look.
    many: usize,
}

/// There is no room to remember another use.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Used {
    /// Uses `key`, of which nobody hears any more after `valid`; whether for the first time.
    pub(super) fn first(&self, key: u128, valid: Duration, now: Duration) -> Result<bool, NoRoom> {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.until.contains_key(&key) {
            return Ok(false);
        }
        if used.until.len() >= used.many.clamp(FEW, MAX_USED) {
            used.until.retain(|_, until| *until > now);
            used.many = 2 * used.until.len();
        }
        if used.until.len() >= MAX_USED {
            return Err(NoRoom);
        }
        used.until.insert(key, now.saturating_add(valid));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn each_key_is_used_once_and_remembered_until_its_end() {
        let used = Used::default();
        assert_eq!(used.first(1, MINUTE, Duration::ZERO), Ok(true));
        for now in [0, 30, 59] {
            let now = Duration::from_secs(now);
            assert_eq!(used.first(1, MINUTE, now), Ok(false));
        }
        assert_eq!(used.first(2, MINUTE, MINUTE), Ok(true));
    }

    #[test]
    fn a_full_memory_refuses_until_something_in_it_has_ended() {
        let used = Used::default();
        for key in 0..MAX_USED as u128 {
            assert_eq!(used.first(key, MINUTE, Duration::ZERO), Ok(true));
        }
        let more = MAX_USED as u128;
        assert_eq!(used.first(more, MINUTE, Duration::ZERO), Err(NoRoom));
        assert_eq!(used.first(more, MINUTE, MINUTE), Ok(true));
        assert_eq!(used.first(more, MINUTE, MINUTE), Ok(false));
        let left = used.0.lock().expect("not poisoned").until.len();
        assert_eq!(left, 1);
    }
}
