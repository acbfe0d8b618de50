//! What is in the log, in the order in which it came.
//!
//! The log has calls in the order in which they ended, and a slow call ends long after others that came
//! later. So many are held back and let go oldest first; a call that ended later still than all of
//! these is decided when its turn comes, a little late.

use std::collections::BTreeMap;
use std::time::Duration;

/// How much is held back, in bytes of the log: some 50,000 calls.
const HELD: usize = 32 * 1024 * 1024;

/// What is held back.
pub(super) struct InOrder<T> {
    /// By when it came and as the how-manieth.
    held: BTreeMap<(Duration, u64), (usize, T)>,
    count: u64,
    /// How many bytes of the log are held.
    bytes: usize,
}

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self {
            held: BTreeMap::new(),
            count: 0,
            bytes: 0,
        }
    }
}

impl<T> InOrder<T> {
    /// Holds back what came then, of so many bytes of the log; what is let go for it.
    pub(super) fn push(&mut self, at: Duration, bytes: usize, item: T) -> Vec<T> {
        self.held.insert((at, self.count), (bytes, item));
        self.count += 1;
        self.bytes += bytes;
        let mut let_go = Vec::new();
        while self.bytes > HELD
            && let Some((_, (bytes, item))) = self.held.pop_first()
        {
            self.bytes -= bytes;
            let_go.push(item);
        }
        let_go
    }

    /// All that is left, in its order.
    pub(super) fn rest(self) -> impl Iterator<Item = T> {
        self.held.into_values().map(|(_, item)| item)
    }
}
