//! Lines on their way to the file: what calls append to, and wait on.
//!
//! Calls put composed lines into one bounded buffer; the writer takes all of them at once. So a line
//! costs a call one short lock, and however many calls wait, the file is written and synced once for
//! all of them (group commit). A reader would ask why this is no channel: lines would be allocated one
//! by one, and taken one by one.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::sync::watch;

use super::writer::{OpenLog, Writer};
use super::{Captured, ChainKey, Redaction};
use crate::clock::Clock;

/// Lines that wait for the writer, in bytes. A line has some 700.
const MAX_QUEUED_BYTES: usize = 8 * 1024 * 1024;

/// When a call is answered, and what happens when lines cannot be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// No tool starts that is not on record, and nothing is answered before its line is on disk.
    Strict,
    /// Calls do not wait; when the queue is full, lines are dropped and counted.
    #[default]
    BestEffort,
}

/// Where and how the log is kept.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// The file.
    pub file: PathBuf,
    /// What the chain's keys come from; at least 32 bytes.
    pub key: SecretString,
    /// What calls wait for.
    pub durability: Durability,
    /// What is kept of arguments.
    pub redaction: Redaction,
}

impl AuditSettings {
    /// What a running server cannot change.
    pub(crate) fn place(&self) -> (&std::path::Path, Durability, &Redaction) {
        (&self.file, self.durability, &self.redaction)
    }
}

/// Why the log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("the audit log {file} {fault}")]
pub struct AuditError {
    /// The file.
    pub file: String,
    /// What is wrong with it, and what to do.
    pub fault: String,
}

/// A line could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written")]
pub struct Unwritable;

/// Stands for a line that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// How the log stands.
#[derive(Clone, Copy, Debug)]
pub struct AuditState {
    /// Whether lines can be written.
    pub is_healthy: bool,
    /// Lines that wait.
    pub queued: u64,
    /// How long the oldest of them does.
    pub lag: Duration,
    /// Lines that were written since the start.
    pub written: u64,
    /// Lines that were dropped since the start.
    pub dropped: u64,
    /// Sequence number of the last line.
    pub sequence: u64,
}

/// The log, as calls see it.
pub struct Log {
    shared: Arc<Shared>,
    key: Arc<ChainKey>,
    redaction: Redaction,
    durability: Durability,
    clock: Clock,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What calls and the writer share.
pub(super) struct Shared {
    pending: Mutex<Pending>,
    /// Told when there is something to write.
    waiting: Condvar,
    /// How far the writer came.
    pub(super) progress: watch::Sender<Progress>,
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
    /// How many were dropped, in all.
    pub(super) dropped: u64,
    /// Whether no more will come.
    pub(super) is_closing: bool,
}

/// How far the writer came. Numbers are those of tickets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    /// Up to which lines are in the file: safe from the end of this process.
    pub(super) written: u64,
    /// Up to which lines are on disk: safe from the end of the machine.
    pub(super) synced: u64,
    /// Up to which lines a write failed; it is tried again, but nobody waits for it.
    pub(super) failed: u64,
    /// Whether the last write failed.
    pub(super) is_failing: bool,
    /// Sequence number of the last line.
    pub(super) sequence: u64,
}

thread_local! {
    /// Lines are composed outside of the lock, in a buffer that is kept.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Log {
    /// Opens the log, where its chain ends, and starts its writer.
    ///
    /// # Errors
    /// [`AuditError`] when the file cannot be written, or what it holds is no audit log.
    pub fn open(settings: AuditSettings, clock: Clock) -> Result<Self, AuditError> {
        let key = Arc::new(ChainKey::new(settings.key.expose_secret().as_bytes()));
        let open = OpenLog::open(&settings.file, Arc::clone(&key), &clock)?;
        let shared = Arc::new(Shared {
            pending: Mutex::default(),
            waiting: Condvar::new(),
            progress: watch::Sender::default(),
        });
        let writer = Writer::new(open, Arc::clone(&shared), settings.durability);
        let writer = writer.start().map_err(|error| AuditError {
            file: settings.file.display().to_string(),
            fault: format!("gets no thread to be written by: {error}"),
        })?;
        Ok(Self {
            shared,
            key,
            redaction: settings.redaction,
            durability: settings.durability,
            clock,
            writer: Mutex::new(Some(writer)),
        })
    }

    /// Whether calls wait for their lines.
    pub fn is_strict(&self) -> bool {
        self.durability == Durability::Strict
    }

    /// What is kept of arguments.
    pub fn capture(&self, arguments: &serde_json::Map<String, serde_json::Value>) -> Captured {
        Captured::of(&self.key, &self.redaction, arguments)
    }

    /// Appends a line. None when there is no room: it is dropped, and counted.
    pub fn append(&self, line: &impl Serialize) -> Option<Ticket> {
        LINE.with_borrow_mut(|text| {
            text.clear();
            // Into memory, and all keys are texts: this does not fail.
            let _ = serde_json::to_writer(&mut *text, line);
            text.push(b'\n');
            self.shared.push(text, self.clock.monotonic())
        })
    }

    /// Waits until the line is in the file: safe from the end of this process.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub async fn written(&self, ticket: Ticket) -> Result<(), Unwritable> {
        self.reached(ticket, |progress| progress.written).await
    }

    /// Waits until the line is on disk: safe from the end of the machine.
    ///
    /// # Errors
    /// [`Unwritable`].
    pub async fn synced(&self, ticket: Ticket) -> Result<(), Unwritable> {
        self.reached(ticket, |progress| progress.synced).await
    }

    async fn reached(
        &self,
        Ticket(line): Ticket,
        how_far: fn(&Progress) -> u64,
    ) -> Result<(), Unwritable> {
        let mut progress = self.shared.progress.subscribe();
        let decided = |progress: &Progress| how_far(progress) >= line || progress.failed >= line;
        match progress.wait_for(decided).await {
            Ok(progress) if how_far(&progress) >= line => Ok(()),
            _ => Err(Unwritable),
        }
    }

    /// How it stands.
    pub fn state(&self) -> AuditState {
        let progress = *self.shared.progress.borrow();
        let pending = self.shared.pending();
        let now = self.clock.monotonic();
        AuditState {
            is_healthy: !progress.is_failing,
            queued: pending.last.saturating_sub(progress.written),
            lag: pending
                .since
                .map_or(Duration::ZERO, |since| now.saturating_sub(since)),
            written: progress.written,
            dropped: pending.dropped,
            sequence: progress.sequence,
        }
    }

    /// Writes what waits and ends the file; for at most `patience`. Lines that come later are dropped.
    pub fn close(&self, patience: Duration) {
        self.shared.pending().is_closing = true;
        self.shared.waiting.notify_one();
        let writer = self
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(writer) = writer else { return };
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
        self.shared.pending().is_closing = true;
        self.shared.waiting.notify_one();
    }
}

impl Shared {
    fn push(&self, line: &[u8], now: Duration) -> Option<Ticket> {
        let mut pending = self.pending();
        if pending.is_closing || pending.text.len() + line.len() > MAX_QUEUED_BYTES {
            pending.dropped += 1;
            return None;
        }
        let was_empty = pending.text.is_empty();
        pending.text.extend_from_slice(line);
        pending.last += 1;
        pending.since.get_or_insert(now);
        let ticket = Ticket(pending.last);
        drop(pending);
        if was_empty {
            self.waiting.notify_one();
        }
        Some(ticket)
    }

    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to write or nothing more will come.
    pub(super) fn wait(&self) -> MutexGuard<'_, Pending> {
        let nothing = |pending: &mut Pending| pending.text.is_empty() && !pending.is_closing;
        let waited = self.waiting.wait_while(self.pending(), nothing);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}
