//! The calls in a file of the audit log, one after the other.
//!
//! Lines are not verified here: `tollgate audit verify` does that, with the key. What cannot be read is
//! counted and told, so that a cut-off log does not pass for a quiet week.

use std::fs::File;
use std::io::{BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use super::recorded::{Recorded, Skipped};
use super::tally::Tally;
use crate::audit::{Entry, Kind, Mark};
use crate::cli::CliError;
use crate::stderr::Stderr;

/// Longest line, in bytes: nothing that the log writes is longer.
const MAX_LINE_BYTES: u64 = 1 << 20;
/// How many lines between two words on how far it is.
const PROGRESS: u64 = 100_000;

/// The calls of one file.
pub(super) struct Calls {
    name: String,
    file: BufReader<File>,
    line: Vec<u8>,
    lines: u64,
    tells_progress: bool,
}

impl Calls {
    pub(super) fn open(path: &Path) -> Result<Self, CliError> {
        let name = path.display().to_string();
        let file = File::open(path);
        let file = file.map_err(|error| format!("cannot read the audit log {name}: {error}"))?;
        Ok(Self {
            name,
            file: BufReader::new(file),
            line: Vec::new(),
            lines: 0,
            tells_progress: std::io::stderr().is_terminal(),
        })
    }

    /// The next call that was decided. What else there is, is counted.
    pub(super) fn next(&mut self, tally: &mut Tally) -> Result<Option<Recorded>, CliError> {
        while self.read_line()? {
            let Ok(entry) = serde_json::from_slice::<Entry<'_>>(&self.line) else {
                let mark = serde_json::from_slice::<Mark<'_>>(&self.line);
                let is_mark = mark.is_ok_and(|mark| !matches!(mark.kind, Kind::Call | Kind::Begun));
                tally.unreadable += u64::from(!is_mark);
                continue;
            };
            // A call that has only begun has no decision but the one in its later line.
            if entry.kind != Kind::Call {
                continue;
            }
            match Recorded::of(&entry) {
                Ok(call) => return Ok(Some(call)),
                Err(Skipped::NoCall) => {}
                Err(Skipped::Unidentified) => tally.unidentified += 1,
                Err(Skipped::Undecided) => tally.undecided += 1,
                Err(Skipped::Unreadable) => tally.unreadable += 1,
            }
        }
        Ok(None)
    }

    /// Reads a line; one that is too long is cut, and so unreadable. False at the end.
    fn read_line(&mut self) -> Result<bool, CliError> {
        let failed = |error| format!("cannot read the audit log {}: {error}", self.name);
        self.line.clear();
        let mut start = self.file.by_ref().take(MAX_LINE_BYTES);
        let read = start.read_until(b'\n', &mut self.line).map_err(failed)?;
        if read > 0 && self.line.last() != Some(&b'\n') {
            self.file.skip_until(b'\n').map_err(failed)?;
        }
        self.lines += u64::from(read > 0);
        let is_end = read == 0;
        if self.tells_progress && self.lines >= PROGRESS {
            self.tell_progress(is_end);
        }
        Ok(!is_end)
    }

    fn tell_progress(&self, is_end: bool) {
        if is_end || self.lines.is_multiple_of(PROGRESS) {
            let end = if is_end { "\n" } else { "" };
            let text = format!("\r{}: {} lines{end}", self.name, self.lines);
            let _ = Stderr.write_all(text.as_bytes());
        }
    }
}
