//! The log as calls see it: they append lines, and wait until these are safe.
//!
//! A call composes its line in memory of its thread and hands it over; sealing and writing is done by
//! the [writer](super::writer). A reader would ask why a call that starts a tool is refused before its
//! line is tried once the log has failed: its line would wait for the disk, and the caller with it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::chained::Chained;
use super::keys::Keys;
use super::queue::Queue;
use super::stream::Streamed;
use super::writer::Writer;
use super::{
    AuditError, AuditSettings, AuditState, Captured, ChainKey, Durability, Redaction,
    RedactionChange, Ticket, Unwritable,
};
use crate::clock::Clock;

/// Longest line whose memory a thread keeps, in bytes.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// The log.
pub struct Log {
    file: Option<PathBuf>,
    queue: Arc<Queue>,
    key: ArcSwap<ChainKey>,
    redaction: ArcSwap<Redaction>,
    durability: Durability,
    clock: Clock,
    writer: Mutex<Option<JoinHandle<()>>>,
}

thread_local! {
    /// Lines are composed outside of the lock, in a buffer that is kept.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    /// Whether the log of these settings could be opened, as far as can be told without writing: whether there is a
    /// file in its place that cannot be gone on with. One that may not be read is not looked at.
    ///
    /// # Errors
    /// [`AuditError`], in the words of [`open`](Self::open).
    pub fn check(settings: &AuditSettings) -> Result<(), AuditError> {
        match &settings.file {
            Some(file) => Chained::check(file, &Keys::of(settings)),
            None => Ok(()),
        }
    }

    /// Opens the log, where its chain ends, and starts its writer. If another process writes the file,
    /// the next lane is taken: `NAME-2.EXT`, `NAME-3.EXT`, …
    ///
    /// # Errors
    /// [`AuditError`] when the file cannot be written, or what it holds is no audit log of these keys.
    pub fn open(settings: AuditSettings, clock: Clock) -> Result<Self, AuditError> {
        let keys = Keys::of(&settings);
        let key = Arc::clone(keys.in_force());
        let queue = Arc::new(Queue::new());
        let (shared, durability) = (Arc::clone(&queue), settings.durability);
        let writer = match &settings.file {
            Some(file) => {
                let log = Chained::open(file, settings.rotation, &keys, &clock)?;
                Writer::new(log, shared, durability).start()
            }
            None => Streamed::open(&key, &clock)
                .and_then(|log| Writer::new(log, shared, durability).start()),
        };
        let writer = writer.map_err(|error| AuditError {
            file: match &settings.file {
                Some(file) => file.display().to_string(),
                None => "on standard output".to_owned(),
            },
            fault: format!("cannot be begun: {error}"),
        })?;
        Ok(Self {
            file: settings.file,
            queue,
            key: ArcSwap::new(key),
            redaction: ArcSwap::from_pointee(settings.redaction),
            durability: settings.durability,
            clock,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Takes up the key and what is kept of arguments. Lines that wait are sealed with the key so far,
    /// and so is the one that names the new key.
    pub fn follow(&self, settings: &AuditSettings) {
        self.redaction.store(Arc::new(settings.redaction.clone()));
        let key = ChainKey::new(settings.key.expose_secret().as_bytes());
        if key.id() != self.key.load().id() {
            let key = Arc::new(key);
            self.key.store(Arc::clone(&key));
            self.queue.rekey(key);
        }
    }

    /// Where it is: the file of its first lane. None where nobody here can read it.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Waits until every line that was appended so far is in the file, or none can be written.
    pub async fn caught_up(&self) {
        let last = self.queue.pending().last;
        // Whoever reads finds what is there.
        let _ = self.queue.until_written(Ticket(last)).await;
    }

    /// Whether calls wait for their lines.
    pub fn is_strict(&self) -> bool {
        self.durability == Durability::Strict
    }

    /// What is kept of any arguments: a digest.
    pub fn capture(&self, arguments: &Map<String, Value>) -> Captured {
        Captured::digest(&self.key.load(), arguments)
    }

    /// Keeps of these arguments what is to be kept of them at a target that has this otherwise.
    pub fn keep(
        &self,
        captured: &mut Captured,
        change: &RedactionChange,
        arguments: &Map<String, Value>,
    ) {
        captured.keep(&self.redaction.load(), change, arguments);
    }

    /// Whether a member of this name is left out of arguments at a target that has this otherwise.
    pub fn leaves_out(&self, change: &RedactionChange, name: &str) -> bool {
        self.redaction.load().leaves_out(change, name)
    }

    /// Appends a line, whose body (a JSON object without a newline) is composed into an empty buffer. None when there
    /// is no room: it is dropped, and counted.
    pub fn append(&self, compose: impl FnOnce(&mut Vec<u8>)) -> Option<Ticket> {
        self.push(compose, true)
    }

    /// Appends a line before something starts, which has to wait until it is [written](Self::written).
    ///
    /// # Errors
    /// [`Unwritable`], at once while nothing can be written: then there is no such line.
    pub fn intend(&self, compose: impl FnOnce(&mut Vec<u8>)) -> Result<Ticket, Unwritable> {
        if self.queue.is_failing() {
            return Err(Unwritable);
        }
        self.push(compose, false).ok_or(Unwritable)
    }

    /// Waits until the line is in the file: safe from the end of this process.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub async fn written(&self, ticket: Ticket) -> Result<(), Unwritable> {
        self.queue.until_written(ticket).await
    }

    /// Waits until the line is on disk: safe from the end of the machine.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub async fn synced(&self, ticket: Ticket) -> Result<(), Unwritable> {
        self.queue.until_synced(ticket).await
    }

    fn push(&self, compose: impl FnOnce(&mut Vec<u8>), to_sync: bool) -> Option<Ticket> {
        LINE.with_borrow_mut(|text| {
            text.clear();
            text.shrink_to(MAX_KEPT_BYTES);
            compose(text);
            debug_assert!(!text.contains(&b'\n'), "it would be two lines");
            text.push(b'\n');
            self.queue.push(text, to_sync, self.clock.monotonic())
        })
    }

    /// How it stands.
    pub fn state(&self) -> AuditState {
        let (written, counts) = (self.queue.written(), &self.queue.counts);
        let pending = self.queue.pending();
        let oldest = pending.in_hand_since.or(pending.since);
        let now = self.clock.monotonic();
        AuditState {
            is_healthy: !self.queue.is_failing(),
            queued: pending.last.saturating_sub(written),
            lag: oldest.map_or(Duration::ZERO, |since| now.saturating_sub(since)),
            written,
            dropped: pending.dropped,
            sequence: counts.sequence.load(Ordering::Relaxed),
            syncs: counts.syncs.load(Ordering::Relaxed),
            syncing: Duration::from_micros(counts.sync_micros.load(Ordering::Relaxed)),
        }
    }

    /// Writes what waits and ends the file; for at most `patience`. Lines that come later are dropped.
    pub fn close(&self, patience: Duration) {
        self.queue.close();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = writer.take() else { return };
        // A disk that does not answer must not hold up the end of the process.
        let (done, ended) = std::sync::mpsc::channel();
        let joined = std::thread::Builder::new().spawn(move || {
            let _ = writer.join();
            let _ = done.send(());
        });
        if joined.is_err() || ended.recv_timeout(patience).is_err() {
            tracing::warn!("the audit log could not be ended in time");
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.queue.close();
    }
}
