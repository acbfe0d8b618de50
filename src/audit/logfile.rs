//! One open file of the log: whole lines are appended to it, and no half of one stays.
//!
//! After a write that failed the file is cut back to its last whole line. After a sync that failed
//! nothing is known of what was written since the last good one: systems forget such pages and call
//! the next sync a success. So the text since then is kept in memory, where it was composed, and written
//! again. A reader would ask why that is worth the memory: it is the only way to keep the promise of the
//! next answer.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use super::rotation::day_of;
use super::watch::{Change, Identity};
use super::{Mark, Sealed, places};

/// How much of a file is read to find its first line.
const FIRST_BYTES: u64 = 64 * 1024;

/// Text that may be written and not synced: then it is synced whether anybody waits or not.
pub(super) const MAX_UNSYNCED_BYTES: usize = 4 * 1024 * 1024;

/// A file and how far it can be trusted.
pub(super) struct LogFile {
    file: File,
    identity: Identity,
    /// Length up to which it holds whole lines.
    written: u64,
    /// Length up to which it is on disk.
    synced: u64,
    /// What stands between the two.
    unsynced: Vec<u8>,
    doubt: Doubt,
}

/// What must be put right before anything else is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doubt {
    None,
    /// Half a line may stand after the last whole one.
    Tail,
    /// What was not synced may be gone.
    Unsynced,
}

impl LogFile {
    /// Opens a file, or makes one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::of(places::open(
            path,
            OpenOptions::new().append(true).create(true),
        )?)
    }

    /// Makes a file where there is none.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        Self::of(places::open(
            path,
            OpenOptions::new().append(true).create_new(true),
        )?)
    }

    fn of(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            identity: Identity::of(&file)?,
            file,
            written: length,
            synced: length,
            unsynced: Vec::new(),
            doubt: Doubt::None,
        })
    }

    /// For reading what it holds.
    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Number and day of the first line; 0 and none where there is no line.
    pub(super) fn first(&mut self) -> io::Result<(u64, Option<u64>)> {
        let mut start = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        (&self.file).take(FIRST_BYTES).read_to_end(&mut start)?;
        let lines = start.split(|byte| *byte == b'\n');
        let first = lines
            .filter_map(|line| Some((Sealed::claimed(line)?.seq, line)))
            .next();
        let Some((first, line)) = first else {
            return Ok((0, None));
        };
        let mark = serde_json::from_slice::<Mark<'_>>(line).ok();
        let time = mark.and_then(|mark| mark.time.parse::<jiff::Timestamp>().ok());
        let seconds = time.and_then(|time| u64::try_from(time.as_second()).ok());
        Ok((first, seconds.map(|at| day_of(Duration::from_secs(at)))))
    }

    pub(super) fn length(&self) -> u64 {
        self.written
    }

    pub(super) fn unsynced_bytes(&self) -> usize {
        self.unsynced.len()
    }

    /// Appends all of the text, or nothing of it.
    pub(super) fn append(&mut self, text: &[u8]) -> io::Result<()> {
        self.append_with(|end| end.extend_from_slice(text))
    }

    /// Appends all of the text that `put` appends to what it is given, or nothing of it.
    pub(super) fn append_with<T>(&mut self, put: impl FnOnce(&mut Vec<u8>) -> T) -> io::Result<T> {
        self.mend()?;
        let before = self.unsynced.len();
        let done = put(&mut self.unsynced);
        let text = &self.unsynced[before..];
        if let Err(error) = self.file.write_all(text) {
            self.unsynced.truncate(before);
            self.doubt = Doubt::Tail;
            // If this fails as well, it is tried again before the next text.
            let _ = self.mend();
            return Err(error);
        }
        self.written += length_of(text);
        Ok(done)
    }

    /// Makes sure that all of it is on disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.mend()?;
        if self.unsynced.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.sync_data() {
            self.doubt = Doubt::Unsynced;
            return Err(error);
        }
        self.synced = self.written;
        self.unsynced.clear();
        // One burst must not hold its memory for ever.
        self.unsynced.shrink_to(MAX_UNSYNCED_BYTES);
        Ok(())
    }

    /// What somebody else did to the file of that name since it was last written.
    pub(super) fn change(&self, path: &Path) -> io::Result<Option<Change>> {
        let Some(found) = self.identity.at(path)? else {
            return Ok(Some(Change::Gone));
        };
        let length = found.len();
        let least = match self.doubt {
            Doubt::Unsynced => self.synced,
            _ => self.written,
        };
        Ok(if length < least {
            Some(Change::Cut)
        } else if length > self.written && self.doubt == Doubt::None {
            Some(Change::Longer)
        } else {
            None
        })
    }

    fn mend(&mut self) -> io::Result<()> {
        match self.doubt {
            Doubt::None => {}
            Doubt::Tail => self.file.set_len(self.written)?,
            Doubt::Unsynced => {
                self.file.set_len(self.synced)?;
                self.file.write_all(&self.unsynced)?;
            }
        }
        self.doubt = Doubt::None;
        Ok(())
    }
}

fn length_of(text: &[u8]) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
