//! Calls in the order in which they came.
//!
//! The log has them in the order in which they ended, and a slow call ends long after others that came
//! later. So some are held back and let go oldest first; a call that ended later still than all of
//! these is decided when its turn comes, a little late.

use std::collections::BTreeMap;
use std::time::Duration;

use super::recorded::Recorded;

/// As many as run at once on a server with the default limit; each may have 16 KiB of arguments.
const HELD: usize = 1_024;

/// Calls that are held back.
#[derive(Default)]
pub(super) struct InOrder {
    /// By when they came and as the how-manieth.
    held: BTreeMap<(Duration, u64), Recorded>,
    count: u64,
}

impl InOrder {
    /// Holds a call back; the one that is let go for it, if there is one.
    pub(super) fn push(&mut self, call: Recorded) -> Option<Recorded> {
        self.held.insert((call.at, self.count), call);
        self.count += 1;
        let is_full = self.held.len() > HELD;
        is_full
            .then(|| self.held.pop_first())
            .flatten()
            .map(|(_, call)| call)
    }

    /// All that are left, in their order.
    pub(super) fn rest(self) -> impl Iterator<Item = Recorded> {
        self.held.into_values()
    }
}
