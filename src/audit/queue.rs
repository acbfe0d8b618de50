//! What calls and the writer share: lines that wait, and how far the writer came.
//!
//! Lines stand in one bounded buffer, one after the other, and the writer takes all of them at once:
//! a line costs a call one short lock, and a wake-up only if the writer had nothing to do. A reader
//! would ask why this is no channel: lines would be allocated, taken and freed one by one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::waiters::Waiters;
use super::{ChainKey, Ticket, Unwritable};

/// Lines that wait for the writer, in bytes. A line has some 700.
const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;

/// Lines on their way, and what became of them.
pub(super) struct Queue {
    pending: Mutex<Pending>,
    /// Told when there is something to write.
    waiting: Condvar,
    /// Up to which lines are in the file: safe from the end of this process.
    written: Waiters,
    /// Up to which lines are on disk: safe from the end of the machine.
    synced: Waiters,
    pub(super) counts: Counts,
}

/// What was counted since the start.
#[derive(Default)]
pub(super) struct Counts {
    /// Sequence number of the last line.
    pub(super) sequence: AtomicU64,
    pub(super) syncs: AtomicU64,
    pub(super) sync_micros: AtomicU64,
}

/// Lines that wait for the writer.
#[derive(Default)]
pub(super) struct Pending {
    /// Bodies, each with a newline.
    pub(super) text: Vec<u8>,
    /// Number of the last one.
    pub(super) last: u64,
    /// Since when the oldest waits, on the monotonic clock.
    pub(super) since: Option<Duration>,
    /// Since when the oldest does that the writer has in hand.
    pub(super) in_hand_since: Option<Duration>,
    /// Whether somebody waits until one of them is on disk.
    pub(super) to_sync: bool,
    /// How many were dropped, in all.
    pub(super) dropped: u64,
    /// How many of these the log tells of.
    pub(super) dropped_told: u64,
    /// What lines after these are sealed with.
    pub(super) next_key: Option<Arc<ChainKey>>,
    /// Whether no more will come.
    pub(super) is_closing: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            pending: Mutex::default(),
            waiting: Condvar::new(),
            written: Waiters::default(),
            synced: Waiters::default(),
            counts: Counts::default(),
        }
    }

    /// Appends a line; none when there is no room for it.
    pub(super) fn push(&self, line: &[u8], to_sync: bool, now: Duration) -> Option<Ticket> {
        let mut pending = self.pending();
        if pending.is_closing || pending.text.len() + line.len() > MAX_QUEUED_BYTES {
            pending.dropped += 1;
            return None;
        }
        let was_empty = pending.text.is_empty();
        pending.text.extend_from_slice(line);
        pending.last += 1;
        pending.to_sync |= to_sync;
        pending.since.get_or_insert(now);
        let ticket = Ticket(pending.last);
        drop(pending);
        if was_empty {
            self.waiting.notify_one();
        }
        Some(ticket)
    }

    /// Lines after those that wait now are sealed with another key.
    pub(super) fn rekey(&self, key: Arc<ChainKey>) {
        self.pending().next_key = Some(key);
        self.waiting.notify_one();
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.pending().is_closing = true;
        self.waiting.notify_one();
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to do, or until `at_most` is over.
    pub(super) fn wait(&self, at_most: Option<Duration>) -> MutexGuard<'_, Pending> {
        let nothing = |pending: &mut Pending| !pending.has_work();
        let Some(at_most) = at_most else {
            let waited = self.waiting.wait_while(self.pending(), nothing);
            return waited.unwrap_or_else(PoisonError::into_inner);
        };
        let waited = self
            .waiting
            .wait_timeout_while(self.pending(), at_most, nothing);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets lines gather for a while; shorter when no more will come.
    pub(super) fn gather<'a>(
        &self,
        pending: MutexGuard<'a, Pending>,
        pause: Duration,
    ) -> MutexGuard<'a, Pending> {
        let waited = self
            .waiting
            .wait_timeout_while(pending, pause, |pending| !pending.is_closing);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lines up to this one are in the file.
    pub(super) fn is_written(&self, up_to: u64) {
        self.pending().in_hand_since = None;
        self.written.tell(up_to);
    }

    /// Lines up to this one are on disk.
    pub(super) fn is_synced(&self, up_to: u64, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts.syncs.fetch_add(1, Ordering::Relaxed);
        self.counts.sync_micros.fetch_add(micros, Ordering::Relaxed);
        self.synced.tell(up_to);
    }

    /// Nothing can be written: nobody waits for it.
    pub(super) fn has_failed(&self) {
        self.written.is_failing_now(true);
        self.synced.is_failing_now(true);
    }

    /// All is well again.
    pub(super) fn has_recovered(&self) {
        self.written.is_failing_now(false);
        self.synced.is_failing_now(false);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.written.is_failing() || self.synced.is_failing()
    }

    /// How many lines are in the file.
    pub(super) fn written(&self) -> u64 {
        self.written.up_to()
    }

    /// Waits until the line is in the file, or nothing can be written.
    pub(super) async fn until_written(&self, ticket: Ticket) -> Result<(), Unwritable> {
        self.written.reached(ticket).await
    }

    /// Waits until the line is on disk, or nothing can be written.
    pub(super) async fn until_synced(&self, ticket: Ticket) -> Result<(), Unwritable> {
        self.synced.reached(ticket).await
    }
}

impl Pending {
    fn has_work(&self) -> bool {
        !self.text.is_empty() || self.is_closing || self.next_key.is_some()
    }

    /// How many were dropped that the log does not tell of yet.
    pub(super) fn untold(&mut self) -> u64 {
        let told = std::mem::replace(&mut self.dropped_told, self.dropped);
        self.dropped - told
    }
}
