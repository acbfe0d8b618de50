//! A full file is put aside, and the chain goes on in a new one.
//!
//! ```text
//! sync ─▶ rename FILE ─▶ make a new FILE ─▶ Closed in the old one ─▶ Opened in the new one ─▶ head
//! ```
//!
//! A crash after any step is put right when the log is opened: a file that is missing or empty goes on
//! from the last one that was put aside. A step that fails before the last two is taken back, and the
//! file is written on. A reader would ask why the file is closed after it was renamed: what cannot be
//! renamed is not closed.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::chained::Chained;
use super::logfile::LogFile;
use super::open_log::OpenLog as _;
use super::{Kind, Mark, places};

/// How long after a rotation that failed it is tried again.
const RETRY: Duration = Duration::from_secs(30);
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// When files are full, and how many of them are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// A file that a batch of lines would make longer is full, in bytes. Batches are not split: a file
    /// may get longer by one of them.
    pub max_bytes: u64,
    /// Whether a file is full at the end of the day, in UTC. Looked at when there is a line to write.
    pub daily: bool,
    /// How many full files are kept; 0 is all of them.
    pub keep: usize,
}

/// 100 MiB, each day, all.
impl Default for Rotation {
    fn default() -> Self {
        Self {
            max_bytes: 100 * 1024 * 1024,
            daily: true,
            keep: 0,
        }
    }
}

/// What is known of the open file.
pub(super) struct Rotating {
    pub(super) rotation: Rotation,
    /// Number of the first line.
    pub(super) first: u64,
    /// The day of the first line, since 1970.
    pub(super) day: u64,
    /// Whether the file still lacks its first line.
    pub(super) is_unopened: bool,
    /// When the next try may be made, since one failed; on the monotonic clock.
    pub(super) not_before: Option<Duration>,
}

/// The day of a time since the Unix epoch.
pub(super) fn day_of(unix: Duration) -> u64 {
    unix.as_secs() / DAY_SECONDS
}

impl Chained {
    /// Puts the file aside if it is full before `more` bytes. If that fails it is said once, and the
    /// file is written on.
    ///
    /// # Errors
    /// Those of a new file that cannot be written.
    pub(super) fn make_room(&mut self, more: usize) -> io::Result<()> {
        if self.is_full(more) {
            match self.rotate() {
                Ok(()) => {
                    self.rotating.not_before = None;
                    self.drop_old();
                }
                Err(error) => {
                    if self.rotating.not_before.is_none() {
                        tracing::warn!(%error, "the audit log cannot be rotated: its file is written on");
                    }
                    self.rotating.not_before =
                        Some(self.chain.clock.monotonic().saturating_add(RETRY));
                }
            }
        }
        self.open_next()
    }

    fn is_full(&self, more: usize) -> bool {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        let rotation = self.rotating.rotation;
        // The file's own opening is not worth a file.
        let is_long = self.file.length().saturating_add(more) > rotation.max_bytes
            && self.chain.head.seq > self.rotating.first;
        let is_old = rotation.daily && day_of(self.chain.clock.unix()) != self.rotating.day;
        let waits = |until| self.chain.clock.monotonic() < until;
        (is_long || is_old) && !self.rotating.not_before.is_some_and(waits)
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.file.sync()?;
        let aside = places::full(&self.path, self.rotating.first);
        if aside.try_exists()? {
            return Err(io::Error::other("there is a file of that name already"));
        }
        fs::rename(&self.path, &aside)?;
        let next = match LogFile::make(&self.path) {
            Ok(next) => next,
            Err(error) => return Err(self.take_back(&aside).err().unwrap_or(error)),
        };
        let closed = Mark {
            because: Some("rotated".into()),
            ..self.new_mark(Kind::Closed)
        };
        if let Err(error) = self.mark(&closed).and_then(|()| self.file.sync()) {
            drop(next);
            let _ = fs::remove_file(&self.path);
            return Err(self.take_back(&aside).err().unwrap_or(error));
        }
        self.file = next;
        self.rotating.first = self.chain.head.seq + 1;
        self.rotating.day = day_of(self.chain.clock.unix());
        self.rotating.is_unopened = true;
        places::sync_folder(&self.path);
        Ok(())
    }

    /// Opens a file that was just begun. If it cannot be, nothing else can be written either.
    fn open_next(&mut self) -> io::Result<()> {
        if self.rotating.is_unopened {
            self.begin(Mark {
                because: Some("rotated".into()),
                ..self.new_mark(Kind::Opened)
            })?;
            self.rotating.is_unopened = false;
        }
        Ok(())
    }

    /// The file is written on under its own name.
    fn take_back(&self, aside: &Path) -> io::Result<()> {
        fs::rename(aside, &self.path)
    }

    fn drop_old(&self) {
        let keep = self.rotating.rotation.keep;
        if keep == 0 {
            return;
        }
        let full = places::all_full(&self.path).unwrap_or_default();
        for old in full.iter().take(full.len().saturating_sub(keep)) {
            if let Err(error) = fs::remove_file(old) {
                tracing::warn!(%error, "an old file of the audit log cannot be deleted");
            }
        }
    }
}
