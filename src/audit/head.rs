//! The head's file: where the chain ended when it was last told, and who writes the log.
//!
//! It is one sealed record of fixed length, written over the one before in place: a sector is written
//! whole or not at all, and a reader that sees half of it finds the seal broken and reads again. It is
//! never synced on its own: an older head than the log is what any crash leaves behind. A reader would
//! ask why the lock of the log is on this file: the log itself is renamed when it is full.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::watch::Identity;
use super::{ChainKey, Head, places};

/// Nobody reads more of a head than this.
const MAX_BYTES: u64 = 1024;

/// The head's file, locked for this process.
pub(super) struct HeadFile {
    file: File,
    identity: Identity,
    is_failing: bool,
    has_its_length: bool,
}

/// What a head's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// Not what this key sealed.
    Unreadable,
    Head(Head),
}

impl HeadFile {
    /// The head of a log, unless another process writes that log.
    pub(super) fn open(log: &Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let file = places::open(&places::head(log), options.write(true).create(true))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
                return Err(error);
            }
            _ => {}
        }
        Ok(Some(Self {
            identity: Identity::of(&file)?,
            file,
            is_failing: false,
            has_its_length: false,
        }))
    }

    /// Whether it is the file of that name.
    pub(super) fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(self.identity.at(path)?.is_some())
    }

    pub(super) fn read(&mut self, key: &ChainKey) -> io::Result<Found> {
        let mut text = String::new();
        self.file.seek(SeekFrom::Start(0))?;
        let read = (&self.file).take(MAX_BYTES).read_to_string(&mut text);
        Ok(match read {
            Ok(0) => Found::Nothing,
            Ok(_) => key.open_head(&text).map_or(Found::Unreadable, Found::Head),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Found::Unreadable,
            Err(error) => return Err(error),
        })
    }

    /// Tells where the chain ends. What fails is said once: lines are safe without it, and the next
    /// head tells all that this one would have.
    pub(super) fn write(&mut self, key: &ChainKey, head: &Head) {
        match self.put(key.seal_head(head).as_bytes()) {
            Ok(()) => self.is_failing = false,
            Err(error) if !self.is_failing => {
                self.is_failing = true;
                tracing::warn!(%error, "the head of the audit log cannot be written");
            }
            Err(_) => {}
        }
    }

    /// Makes sure that it is on disk.
    pub(super) fn sync(&self) {
        // A head that is lost is made again from the log.
        let _ = self.file.sync_all();
    }

    fn put(&mut self, text: &[u8]) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text)?;
        // Of whatever was there before; records have one length.
        if !std::mem::replace(&mut self.has_its_length, true) {
            let length = u64::try_from(text.len()).unwrap_or(u64::MAX);
            self.file.set_len(length)?;
        }
        Ok(())
    }
}
