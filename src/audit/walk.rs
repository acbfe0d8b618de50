//! The files of a lane, one after the other, also while they are written and rotated.
//!
//! The folder is looked at again before every file: what was the open file a moment ago may be a full
//! one by now. A reader would ask why a file is known by its first sequence number and not by its
//! name: rotation gives it another name, and a number stays.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use super::segments::{first_line, open};
use super::{Lane, Sealed};

/// How often the folder is looked at again when files move under our eyes.
const LOOKS: usize = 16;

/// A file to read.
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) file: File,
}

/// Goes through the files of a lane.
pub(super) struct Walk {
    lane: Lane,
    /// First sequence number of the last file that was given, or all before which are passed over.
    last: Option<u64>,
    /// What the open file that was given begins with.
    given: Option<Option<u64>>,
}

impl Walk {
    pub(super) fn new(lane: Lane) -> Self {
        Self {
            lane,
            last: None,
            given: None,
        }
    }

    /// Passes over files as long as `is_early` says so of the first line of the file after them.
    pub(super) fn skip_while(
        &mut self,
        is_early: impl Fn(&Sealed, &[u8]) -> bool,
    ) -> io::Result<()> {
        let segments = self.lane.segments()?;
        let paths = segments.iter().map(|segment| &segment.path);
        for path in paths.skip(1).chain([&self.lane.file]) {
            match first_line(path) {
                Ok(Some((first, line))) if is_early(&first, &line) => {
                    self.last = first.seq.checked_sub(1);
                }
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => break,
            }
        }
        Ok(())
    }

    /// The next file.
    pub(super) fn next(&mut self) -> io::Result<Option<Part>> {
        for _ in 0..LOOKS {
            match self.next_full()? {
                Some(part) => return Ok(Some(part)),
                None if self.lane.file.exists() => {}
                // Between two steps of a rotation, or there is none.
                None => continue,
            }
            let path = self.lane.file.clone();
            let file = match open(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                file => file?,
            };
            if file.metadata()?.len() == 0 {
                // The one that we looked for may be full already.
                if self.has_moved(None)? {
                    continue;
                }
                // It was just made, and the one before may still get its last line.
                return Ok(None);
            }
            let first = match first_line(&path) {
                // Renamed since, and the next one is not there yet.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                first => first?.map(|(first, _)| first.seq),
            };
            // It may have been rotated since it was opened, and others before it.
            if self.has_moved(first)? {
                continue;
            }
            if self.given == Some(first) {
                return Ok(None);
            }
            self.given = Some(first);
            self.last = self.last.max(first);
            return Ok(Some(Part { path, file }));
        }
        Ok(None)
    }

    fn next_full(&mut self) -> io::Result<Option<Part>> {
        let segments = self.lane.segments()?;
        let mut left = segments
            .into_iter()
            .filter(|segment| self.last.is_none_or(|last| segment.first > last));
        let Some(segment) = left.next() else {
            return Ok(None);
        };
        self.last = Some(segment.first);
        let file = open(&segment.path)?;
        Ok(Some(Part {
            path: segment.path,
            file,
        }))
    }

    fn has_moved(&self, first: Option<u64>) -> io::Result<bool> {
        let segments = self.lane.segments()?;
        let is_new = |number: u64| self.last.is_none_or(|last| number > last);
        Ok(segments.iter().any(|segment| {
            is_new(segment.first) && first.is_none_or(|first| segment.first <= first)
        }))
    }
}
