//! What a log is given, and what it tells of itself.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use super::{Redaction, Rotation};

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
    /// The file; none is standard output.
    pub file: Option<PathBuf>,
    /// What the chain's keys come from; at least 32 bytes.
    pub key: SecretString,
    /// That of before, for a log that is opened with a new one: the line that it sealed last is gone on from,
    /// and the new key is announced.
    pub previous_key: Option<SecretString>,
    /// What calls wait for.
    pub durability: Durability,
    /// What is kept of arguments.
    pub redaction: Redaction,
    /// When its files are full.
    pub rotation: Rotation,
}

impl AuditSettings {
    /// The keys of the configuration that a running server cannot change, where `other` has otherwise.
    pub(crate) fn differences(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let keys = [
            ("audit.file", self.file == other.file),
            ("audit.mode", self.durability == other.durability),
            ("audit.rotate", self.rotation == other.rotation),
        ];
        let changed = keys.into_iter().filter(|(_, is_same)| !is_same);
        changed.map(|(key, _)| key)
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
    /// How long the oldest of them does that is not in the file.
    pub lag: Duration,
    /// Lines that were written since the start.
    pub written: u64,
    /// Lines that were dropped since the start.
    pub dropped: u64,
    /// Sequence number of the last line.
    pub sequence: u64,
    /// How often lines were synced since the start.
    pub syncs: u64,
    /// How long that took, in all.
    pub syncing: Duration,
}
