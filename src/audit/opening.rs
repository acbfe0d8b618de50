//! Opening the log where its chain ends, whatever the last process left behind.
//!
//! What is found is told by the first lines that are written: a fragment by [`Kind::Torn`], lines that
//! the head names and nobody finds by [`Mark::lost_to`] of [`Kind::Opened`]. A reader would ask why a
//! log that was cut does not stop the server: whoever can cut it could then stop the service, and the
//! cut is on record for good.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::chained::Chained;
use super::entry::STARTED;
use super::head::{Found, HeadFile};
use super::keys::{Keys, KnownTail};
use super::logfile::LogFile;
use super::open_log::{ChainEnd, OpenLog as _};
use super::rotation::{Rotating, Rotation, day_of};
use super::{AuditError, Head, Kind, Mac, Mark, Sealed, places};
use crate::clock::Clock;

/// What was found where the log is to go on.
struct Left {
    /// The last line, in this file or in the one before.
    last: Option<Sealed>,
    head: Found,
    /// Whether no line after the one that the head names can be ours.
    head_is_last: bool,
    /// What stands after the last line of this file.
    fragment: Vec<u8>,
}

impl Chained {
    /// Opens the first lane that no other process writes.
    pub(super) fn open(
        file: &Path,
        rotation: Rotation,
        keys: &Keys,
        clock: &Clock,
    ) -> Result<Self, AuditError> {
        for number in 1..=places::MAX_LANES {
            let path = places::lane(file, number);
            let opened = Self::open_lane(path.clone(), rotation, keys, clock);
            let opened = opened.map_err(|fault| AuditError {
                file: path.display().to_string(),
                fault,
            })?;
            if let Some(opened) = opened {
                if number > 1 {
                    tracing::info!(
                        file = %path.display(),
                        "another process writes the audit log: this one has a file of its own"
                    );
                }
                return Ok(opened);
            }
        }
        Err(AuditError {
            file: file.display().to_string(),
            fault: format!("is written by {} processes already", places::MAX_LANES),
        })
    }

    /// Whether a log could be gone on with there, as far as can be told without writing, and by whoever may read it.
    pub(super) fn check(file: &Path, keys: &Keys) -> Result<(), AuditError> {
        let checked = || {
            Self::check_name(file)?;
            match File::open(file) {
                Ok(mut file) => keys.tail(&mut file).map(|_| ()),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::NotFound | ErrorKind::PermissionDenied
                    ) =>
                {
                    Ok(())
                }
                Err(error) => Err(error.into()),
            }
            .map_err(|fault| fault.to_string())
        };
        checked().map_err(|fault| AuditError {
            file: file.display().to_string(),
            fault,
        })
    }

    fn check_name(path: &Path) -> Result<(), String> {
        if path.file_name().is_none() {
            return Err("is a directory: name a file in it".to_owned());
        }
        places::check(path).map_err(|error| unusable(&error))
    }

    fn open_lane(
        path: PathBuf,
        rotation: Rotation,
        keys: &Keys,
        clock: &Clock,
    ) -> Result<Option<Self>, String> {
        Self::check_name(&path)?;
        let Some(mut head_file) = HeadFile::open(&path).map_err(|error| unusable(&error))? else {
            return Ok(None);
        };
        let mut file = LogFile::open(&path).map_err(|error| unusable(&error))?;
        let head = keys.head(&mut head_file);
        let head = head.map_err(|error| unusable(&error))?;
        let tail = keys.tail(file.file()).map_err(|fault| fault.to_string())?;
        let (first, day) = file.first().map_err(|error| unusable(&error))?;
        let mut log = Self {
            path,
            file,
            head_file,
            keys: keys.clone(),
            chain: ChainEnd {
                key: Arc::clone(&tail.next),
                head: Head::default(),
                clock: clock.clone(),
            },
            rotating: Rotating {
                rotation,
                first,
                day: day.unwrap_or_else(|| day_of(clock.unix())),
                is_unopened: false,
                not_before: None,
            },
            left_at: None,
        };
        let is_settled = tail.is_settled();
        log.recover(head, tail, STARTED)?;
        if keys.has_before() && is_settled {
            tracing::info!(
                file = %log.path.display(),
                "the audit log ends under `audit.key`: no start needs `audit.previousKey` for this file any more"
            );
        }
        Ok(Some(log))
    }

    /// Goes on after what was found, and says `because` of what.
    pub(super) fn recover(
        &mut self,
        head: Found,
        found: KnownTail,
        because: &'static str,
    ) -> Result<(), String> {
        let KnownTail { tail, next, is_old } = found;
        self.chain.key = next;
        let (last, is_old) = match tail.last {
            Some(last) => (Some(last), is_old),
            None => self.end_of_full()?,
        };
        if tail.lacks_newline {
            self.file.append(b"\n").map_err(|error| unusable(&error))?;
        }
        let left = Left {
            last,
            head,
            // This process has written with the key in force: what it did not write, another one forged with a
            // key that was replaced, perhaps since others have it.
            head_is_last: is_old && self.left_at.is_some(),
            fragment: tail.fragment,
        };
        self.go_on(&left, because)
            .map_err(|error| unusable(&error))?;
        if self.rotating.first == 0 {
            self.rotating.first = left.next();
        }
        Ok(())
    }

    /// The last line of the last file that was put aside, which is made whole if need be, and whether its key
    /// is an old one.
    fn end_of_full(&mut self) -> Result<(Option<Sealed>, bool), String> {
        let full = places::all_full(&self.path).map_err(|error| unusable(&error))?;
        let Some(path) = full.last() else {
            return Ok((None, false));
        };
        let of = |fault: String| format!("goes on from {}, which {fault}", path.display());
        let mut file = LogFile::open(path).map_err(|error| of(unusable(&error)))?;
        let tail = self.keys.tail(file.file());
        let KnownTail { tail, next, is_old } = tail.map_err(|fault| of(fault.to_string()))?;
        self.chain.key = next;
        if tail.lacks_newline {
            file.append(b"\n").map_err(|error| of(unusable(&error)))?;
        }
        if !tail.fragment.is_empty() {
            let here = std::mem::replace(&mut self.file, file);
            self.chain.head = tail.last.map_or_else(Head::default, Sealed::into);
            let torn = self.torn(&tail.fragment).and_then(|()| self.sync());
            self.file = here;
            torn.map_err(|error| of(unusable(&error)))?;
            let last = Sealed {
                seq: self.chain.head.seq,
                mac: self.chain.head.mac,
            };
            return Ok((Some(last), is_old));
        }
        Ok((tail.last, is_old))
    }

    /// Says what was found, and begins. Lines after that are sealed with the key of now.
    fn go_on(&mut self, left: &Left, because: &'static str) -> io::Result<()> {
        self.chain.head = Head {
            seq: left.next() - 1,
            mac: left.mac(),
        };
        if !left.fragment.is_empty() {
            self.torn(&left.fragment)?;
        }
        let lost_to = left.lost_to();
        if let Some(lost_to) = lost_to {
            tracing::error!(
                found = left.last.map_or(0, |last| last.seq),
                lost_to,
                "lines of the audit log were cut off, taken away or replaced: those that its head names are not there"
            );
        }
        let head = left.head_fault();
        if let Some(head) = head {
            tracing::warn!(
                "the head of the audit log is {head}: whether lines were cut off cannot be told"
            );
        }
        self.begin(Mark {
            because: Some(because.into()),
            lost_to,
            head: head.map(Into::into),
            ..self.new_mark(Kind::Opened)
        })?;
        // If what follows fails, it is gone on from this line.
        self.left_at = self.left_at.map(|_| self.chain.head);
        let key = Arc::clone(self.keys.in_force());
        if self.chain.key.id() != key.id() {
            let mark = self.announcement(&key);
            self.rekey(key, &mark)?;
        }
        self.sync()?;
        self.tell();
        self.sync_told();
        places::sync_folder(&self.path);
        Ok(())
    }

    /// Ends a fragment, and says that it is one.
    fn torn(&mut self, fragment: &[u8]) -> io::Result<()> {
        let text = fragment.strip_suffix(b"\n").unwrap_or(fragment);
        let mark = Mark {
            prev: Some(self.chain.head.mac.to_string().into()),
            count: u64::try_from(text.len()).ok(),
            fragment: Some(self.chain.key.digest(text).into()),
            ..self.new_mark(Kind::Torn)
        };
        tracing::warn!(
            bytes = text.len(),
            "the audit log ends with half a line: the process before died while it wrote"
        );
        if text.len() == fragment.len() {
            self.file.append(b"\n")?;
        }
        self.mark(&mark)
    }
}

impl Left {
    /// The last line that the head names, where there is no such line.
    fn lost_to(&self) -> Option<u64> {
        let Found::Head(head) = self.head else {
            return None;
        };
        let is_found = self.last.is_some_and(|last| {
            (last.seq > head.seq && !self.head_is_last)
                || (last.seq == head.seq && last.mac == head.mac)
        });
        (!is_found).then_some(head.seq)
    }

    /// What is wrong with the head, where there should be a good one.
    fn head_fault(&self) -> Option<&'static str> {
        match self.head {
            Found::Head(_) => None,
            Found::Unreadable => Some("unreadable"),
            Found::Nothing => self.last.map(|_| "missing"),
        }
    }

    /// The number of the next line: none is given twice.
    fn next(&self) -> u64 {
        let last = self.last.map_or(0, |last| last.seq);
        last.max(self.lost_to().unwrap_or(0)) + 1
    }

    /// What the next line continues.
    fn mac(&self) -> Mac {
        match (self.last, self.head) {
            (Some(last), _) => last.mac,
            (None, Found::Head(head)) => head.mac,
            (None, _) => Mac::default(),
        }
    }
}

fn unusable(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "cannot be made: there is no such folder; make it first".to_owned(),
        ErrorKind::PermissionDenied => "may not be written by this user: give it the file and its \
             folder, or name another file in `audit.file`"
            .to_owned(),
        ErrorKind::InvalidInput => error.to_string(),
        _ => format!("cannot be written: {error}"),
    }
}
