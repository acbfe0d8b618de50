//! What is in the log, in the order in which it came.
//!
//! The log has them in the order in which they ended, and a slow call ends long after others that came
//! later. So some are held back and let go oldest first; a call that ended later still than all of
//! these is decided when its turn comes, a little late.

use std::collections::BTreeMap;
use std::time::Duration;

/// As many as run at once on a server with the default limit; each may have 16 KiB of arguments.
const HELD: usize = 1_024;

/// What is held back.
pub(super) struct InOrder<T> {
    /// By when it came and as the how-manieth.
    held: BTreeMap<(Duration, u64), T>,
    count: u64,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> InOrder<T> {
    /// Holds back what came then; what is let go for it, if there is something.
    pub(super) fn push(&mut self, at: Duration, item: T) -> Option<T> {
        self.held.insert((at, self.count), item);
        self.count += 1;
        let is_full = self.held.len() > HELD;
        is_full
            .then(|| self.held.pop_first())
            .flatten()
            .map(|(_, item)| item)
    }

    /// All that is left, in its order.
    pub(super) fn rest(self) -> impl Iterator<Item = T> {
        self.held.into_values()
    }
}
