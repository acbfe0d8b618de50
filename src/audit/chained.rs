//! The open log: a file, where its chain ends, and how one more line gets there.
//!
//! Nothing of the chain moves before the text is in the file: a write that failed is made again from
//! the same place.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::head::HeadFile;
use super::logfile::{LogFile, MAX_UNSYNCED_BYTES};
use super::rotation::Rotating;
use super::{ChainKey, Head, Kind, Mark};
use crate::clock::{Clock, rfc3339};

/// The one that writes.
pub(super) struct Chained {
    pub(super) path: PathBuf,
    pub(super) file: LogFile,
    pub(super) head_file: HeadFile,
    pub(super) key: Arc<ChainKey>,
    /// The last line.
    pub(super) head: Head,
    pub(super) clock: Clock,
    pub(super) rotating: Rotating,
    /// The last line, from when the file was found to be another one until it is gone on with.
    pub(super) left_at: Option<Head>,
    /// Sealed lines on their way; kept for its memory.
    pub(super) sealed: Vec<u8>,
}

impl Chained {
    /// Seals the bodies, one on each line, and appends them: all or none.
    pub(super) fn append(&mut self, bodies: &[u8]) -> io::Result<()> {
        let mut head = self.head;
        self.sealed.clear();
        for body in bodies.split(|byte| *byte == b'\n') {
            if !body.is_empty() {
                head.seq += 1;
                head.mac = self.key.seal(&head.mac, head.seq, body, &mut self.sealed);
            }
        }
        self.file.append(&self.sealed)?;
        self.head = head;
        self.sealed.shrink_to(MAX_UNSYNCED_BYTES);
        Ok(())
    }

    /// Appends a mark.
    pub(super) fn mark(&mut self, mark: &Mark<'_>) -> io::Result<()> {
        self.append(&body_of(mark))
    }

    /// A mark that says when.
    pub(super) fn new_mark(&self, kind: Kind) -> Mark<'static> {
        Mark::new(kind, rfc3339(self.clock.unix()))
    }

    /// Makes sure that every line is on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    /// Whether so much is not synced that it is time.
    pub(super) fn must_sync(&self) -> bool {
        self.file.unsynced_bytes() >= MAX_UNSYNCED_BYTES
    }

    /// Tells where the chain ends.
    pub(super) fn tell(&mut self) {
        self.head_file.write(&self.key, &self.head);
    }

    /// Begins a file, or goes on with one that was opened again.
    pub(super) fn begin(&mut self, mark: Mark<'_>) -> io::Result<()> {
        let (prev, id) = (self.head.mac.to_string(), Arc::clone(&self.key));
        self.mark(&Mark {
            prev: Some(prev.into()),
            key: Some(id.id().into()),
            by: Some(concat!("tollgate ", env!("CARGO_PKG_VERSION")).into()),
            ..mark
        })
    }

    /// From now on lines are sealed with another key.
    pub(super) fn rekey(&mut self, key: Arc<ChainKey>) -> io::Result<()> {
        self.mark(&Mark {
            key: Some(key.id().into()),
            ..self.new_mark(Kind::Rekeyed)
        })?;
        self.key = key;
        Ok(())
    }

    /// Ends the log, since the server stops.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.mark(&Mark {
            because: Some("stopped".into()),
            ..self.new_mark(Kind::Closed)
        })?;
        self.sync()?;
        self.tell();
        self.head_file.sync();
        Ok(())
    }
}

/// A mark as it is sealed: one line.
pub(super) fn body_of(mark: &Mark<'_>) -> Vec<u8> {
    // Into memory, and all keys are texts: this does not fail.
    let mut body = serde_json::to_vec(mark).unwrap_or_default();
    body.push(b'\n');
    body
}
