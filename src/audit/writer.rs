//! The one writer: takes what waits, seals it, writes and syncs it, and says how far it came.
//!
//! However many lines wait, they cost one write and one sync (group commit). Whoever waits until a line
//! is in the file is told before the sync. Without anybody who waits, lines gather for a moment and are
//! synced each second. Where calls wait, lines gather by themselves: while a sync runs, and while a call
//! runs on the writer's core, since the writer interrupts none. A reader would ask why no timer runs beside
//! it: a wait ends by itself only while something is not synced.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::open_log::{OpenLog, body_of};
use super::queue::{Pending, Queue};
use super::{ChainKey, Durability, Kind, Mark};
use crate::clock::instant_now;

/// How long lines gather where nobody waits for them: so many that are few enough to stay in a core's own
/// memory until they are sealed.
const GATHERING: Duration = Duration::from_millis(3);
/// How long lines may be written and not synced where nobody waits for it.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);
/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Takes what waits, again and again.
pub(super) struct Writer<L> {
    log: L,
    queue: Arc<Queue>,
    durability: Durability,
    /// What was taken; its memory goes back and forth between here and the queue.
    batch: Batch,
    /// Since when something is not synced.
    unsynced_since: Option<Instant>,
    is_failing: bool,
}

/// What was taken at once, less what is done of it.
#[derive(Default)]
struct Batch {
    /// Bodies, each with a newline.
    text: Vec<u8>,
    /// Ticket of the last one.
    last: u64,
    to_sync: bool,
    /// How many lines were dropped after these.
    dropped: u64,
    next_key: Option<Arc<ChainKey>>,
    /// What announces it, once that was tried.
    announcement: Option<Mark<'static>>,
    /// Whether a key was taken up and the disk has no head of it yet.
    owes_head: bool,
    is_closing: bool,
}

impl<L: OpenLog> Writer<L> {
    pub(super) fn new(log: L, queue: Arc<Queue>, durability: Durability) -> Self {
        queue
            .counts
            .sequence
            .store(log.chain().head.seq, Ordering::Relaxed);
        Self {
            log,
            queue,
            durability,
            batch: Batch::default(),
            unsynced_since: None,
            is_failing: false,
        }
    }

    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                interrupt_nobody();
                self.run();
            })
    }

    fn run(mut self) {
        loop {
            self.take();
            let mut is_last_try = false;
            while let Err(error) = self.commit() {
                self.failed(&error);
                if is_last_try {
                    tracing::error!("the last lines of the audit log are lost");
                    return;
                }
                let pending = self.queue.pending();
                is_last_try = self.queue.gather(pending, RETRY).is_closing;
            }
            self.recovered();
            if self.batch.is_closing {
                return;
            }
        }
    }

    /// Waits for something to do, and takes it.
    fn take(&mut self) {
        let left = self.unsynced_since.map(|since| {
            let passed = instant_now().saturating_duration_since(since);
            SYNC_INTERVAL.saturating_sub(passed)
        });
        let mut pending = self.queue.wait(left);
        if self.durability == Durability::BestEffort && !pending.text.is_empty() {
            pending = self.queue.gather(pending, GATHERING);
        }
        self.batch.take(&mut pending);
    }

    /// Does what is left to do of the batch.
    fn commit(&mut self) -> io::Result<()> {
        self.batch.add_gap(&self.log);
        if self.batch.has_lines() {
            self.log.stand()?;
        }
        if !self.batch.text.is_empty() {
            self.log.rotate_if_full(self.batch.text.len())?;
            self.log.append(&self.batch.text)?;
            self.batch.text.clear();
            self.unsynced_since.get_or_insert_with(instant_now);
            self.queue.is_written(self.batch.last);
        }
        if let Some(key) = &self.batch.next_key {
            let mark = &mut self.batch.announcement;
            let mark = mark.get_or_insert_with(|| self.log.announcement(key));
            self.log.rekey(Arc::clone(key), mark)?;
            (self.batch.next_key, self.batch.announcement) = (None, None);
            self.batch.owes_head = true;
            self.unsynced_since.get_or_insert_with(instant_now);
        }
        if self.batch.is_closing {
            self.log.end()?;
        }
        let is_strict = self.durability == Durability::Strict;
        let is_time = self
            .unsynced_since
            .is_some_and(|since| instant_now().saturating_duration_since(since) >= SYNC_INTERVAL);
        if !is_strict {
            self.log.tell();
        }
        let is_due = is_time || self.log.must_sync() || self.batch.owes_head;
        if is_due || (self.batch.to_sync && is_strict) {
            let from = instant_now();
            self.log.sync()?;
            self.batch.to_sync = false;
            self.unsynced_since = None;
            let took = instant_now().saturating_duration_since(from);
            self.queue.is_synced(self.batch.last, took);
            self.log.tell();
            if std::mem::take(&mut self.batch.owes_head) {
                // What was told before is unreadable to a start that has the new key alone.
                self.log.sync_told();
            }
        }
        let sequence = self.log.chain().head.seq;
        self.queue
            .counts
            .sequence
            .store(sequence, Ordering::Relaxed);
        Ok(())
    }

    fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::error!(%error, "the audit log cannot be written");
            self.queue.has_failed();
        }
    }

    fn recovered(&mut self) {
        self.is_failing = false;
        // A write that took too long was taken for one that failed.
        if self.queue.is_failing() {
            tracing::info!("the audit log can be written again");
            self.queue.has_recovered();
        }
    }
}

impl Batch {
    fn take(&mut self, pending: &mut Pending) {
        pending.in_hand_since = pending.since.take();
        std::mem::swap(&mut self.text, &mut pending.text);
        self.last = pending.last;
        self.to_sync = std::mem::take(&mut pending.to_sync);
        self.dropped = pending.untold();
        self.next_key = pending.next_key.take();
        self.is_closing = pending.is_closing;
    }

    /// Whether anything is to be appended.
    fn has_lines(&self) -> bool {
        !self.text.is_empty() || self.next_key.is_some() || self.is_closing
    }

    /// The log tells how many lines are missing, after the last one before them.
    fn add_gap(&mut self, log: &impl OpenLog) {
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            self.text.extend(body_of(&Mark {
                count: Some(dropped),
                ..log.new_mark(Kind::Gap)
            }));
        }
    }
}

/// Lets whoever runs on this thread's core run on when there is work for this thread, until it has to wait
/// or its time is up (`SCHED_BATCH`, sched(7)). Else the first line of a call would stop that call, and each
/// line be written and synced alone. Where it is not allowed, lines gather less.
fn interrupt_nobody() {
    #[cfg(target_os = "linux")]
    {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
            set_thread_priority_and_policy, thread_native_id, thread_schedule_policy,
        };

        /// Stands for a nice value of 0: as important as any other thread.
        const AS_ANY: u8 = 47;
        let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        let set = AS_ANY.try_into().map(|priority| {
            let priority = ThreadPriority::Crossplatform(priority);
            set_thread_priority_and_policy(thread_native_id(), priority, batch)
        });
        // A nice value that may not be set back fails as well, and does not matter.
        if thread_schedule_policy() != Ok(batch) {
            tracing::debug!("the writer of the audit log may interrupt calls: {set:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Head;
    use super::super::open_log::ChainEnd;
    use super::*;
    use crate::clock::Clock;

    /// Fails once, and keeps what was tried.
    struct FailsOnce {
        chain: ChainEnd,
        tried: Vec<Vec<u8>>,
        /// What was done after that.
        done: Vec<&'static str>,
    }

    impl OpenLog for FailsOnce {
        fn chain(&self) -> &ChainEnd {
            &self.chain
        }

        fn append_with(
            &mut self,
            seal: impl Fn(&ChainEnd, &mut Vec<u8>) -> Head,
        ) -> io::Result<()> {
            let mut sealed = Vec::new();
            let head = seal(&self.chain, &mut sealed);
            self.tried.push(sealed);
            if self.tried.len() == 1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.chain.head = head;
            Ok(())
        }

        fn take_up(&mut self, key: Arc<ChainKey>) {
            self.chain.key = key;
        }

        fn sync(&mut self) -> io::Result<()> {
            self.done.push("sync");
            Ok(())
        }

        fn tell(&mut self) {
            self.done.push("tell");
        }

        fn sync_told(&mut self) {
            self.done.push("sync what was told");
        }
    }

    #[test]
    fn the_mark_of_a_new_key_is_tried_again_as_it_was_and_told_at_once() {
        let key = |text: &str| Arc::new(ChainKey::new(text.as_bytes()));
        let (clock, next) = (Clock::turned(), key("the-second-key-of-more-than-32-bytes"));
        let log = FailsOnce {
            chain: ChainEnd {
                key: key("the-first-key-of-more-than-32-bytes"),
                head: Head::default(),
                clock: clock.clone(),
            },
            tried: Vec::new(),
            done: Vec::new(),
        };
        let mut writer = Writer::new(log, Arc::new(Queue::new()), Durability::BestEffort);
        writer.batch.next_key = Some(Arc::clone(&next));
        assert!(writer.commit().is_err());
        clock.advance(Duration::from_secs(1));
        writer.commit().expect("it is tried again");
        let FailsOnce { chain, tried, done } = writer.log;
        assert_eq!(tried.len(), 2);
        assert_eq!(tried[0], tried[1]);
        assert_eq!((chain.key.id(), chain.head.seq), (next.id(), 2));
        assert_eq!(done, ["tell", "sync", "tell", "sync what was told"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_writer_interrupts_no_call_on_its_core() {
        use thread_priority::{
            NormalThreadSchedulePolicy, ThreadSchedulePolicy, thread_schedule_policy,
        };

        let writer = std::thread::spawn(|| {
            interrupt_nobody();
            thread_schedule_policy()
        });
        let batch = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Batch);
        assert_eq!(writer.join().unwrap(), Ok(batch));
    }
}
