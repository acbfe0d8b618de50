//! Is the file still the one that was left, and as long? What others did to it is found before each batch.
//!
//! A log that was deleted, moved away, cut or written by somebody else is gone on with as after a start:
//! from its last line, or anew, with a mark that says what is missing. A reader would ask why the server
//! does not write on in the file that it has open: one that was deleted is gone with its last
//! descriptor, and calls would be answered whose lines nobody can read.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::chained::Chained;
use super::head::{Found, HeadFile};
use super::logfile::LogFile;
use super::open_log::OpenLog as _;
use super::places;

/// What somebody else did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Deleted, moved, or another one put in its place.
    Gone,
    Cut,
    Longer,
}

impl Change {
    fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "deleted or moved away",
            Self::Cut => "cut",
            Self::Longer => "written by another process",
        }
    }
}

impl Chained {
    /// Makes sure that what is appended next comes after what was appended last.
    ///
    /// # Errors
    /// Those of a file that cannot be opened again, or that another process writes.
    pub(super) fn find_again(&mut self) -> io::Result<()> {
        if !self.head_file.is_at(&places::head(&self.path))? {
            self.hold_head()?;
        }
        if self.left_at.is_none() {
            let Some(change) = self.file.change(&self.path)? else {
                return Ok(());
            };
            tracing::error!(
                "the audit log was {} while it was written: nothing but this server may do that",
                change.as_str()
            );
            // What was moved may be kept: all of it, then.
            let _ = self.file.file().sync_data();
            self.left_at = Some(self.chain.head);
        }
        // Until it is done: a part of it may have failed before.
        if let Some(left) = self.left_at {
            let mut file = LogFile::open(&self.path)?;
            let tail = self.keys.tail(file.file()).map_err(io::Error::other)?;
            let (first, day) = file.first()?;
            self.file = file;
            self.rotating.first = first;
            self.rotating.day = day.unwrap_or(self.rotating.day);
            self.rotating.is_unopened = false;
            self.recover(Found::Head(left), tail, "reopened")
                .map_err(io::Error::other)?;
            self.left_at = None;
        }
        Ok(())
    }

    /// The lock was on a head that is gone; now it is on the new one.
    fn hold_head(&mut self) -> io::Result<()> {
        let taken = io::Error::other("its head was taken away, and another process writes it now");
        self.head_file = HeadFile::open(&self.path)?.ok_or(taken)?;
        tracing::error!("the head of the audit log was taken away: it is made again");
        self.tell();
        Ok(())
    }
}

/// What tells an open file from any other, also from a later one of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    /// An open file can be neither deleted nor moved where there are no such numbers.
    #[cfg(unix)]
    device_and_inode: (u64, u64),
}

impl Identity {
    /// Of an open file, so that its number is given to no other one.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        Ok(Self::told_by(&file.metadata()?))
    }

    fn told_by(found: &Metadata) -> Self {
        #[cfg(not(unix))]
        let _ = found;
        Self {
            #[cfg(unix)]
            device_and_inode: {
                use std::os::unix::fs::MetadataExt as _;
                (found.dev(), found.ino())
            },
        }
    }

    /// What is found of the file, if it is the one of that name.
    pub(super) fn at(self, path: &Path) -> io::Result<Option<Metadata>> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            found => {
                Ok(Some(found?).filter(|found| found.is_file() && Self::told_by(found) == self))
            }
        }
    }
}
