//! The entries in a file of the audit log, one after the other.
//!
//! Lines are not verified here: `tollgate audit verify` does that, with the key. What cannot be read is
//! counted and told, so that a cut-off log does not pass for a quiet week.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use crate::audit::{Entry, Kind, Mark};

/// Longest line, in bytes: nothing that the log writes is longer.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Reads the entries of a file, and says how many lines could not be read.
///
/// # Errors
/// Those of the system.
pub(super) fn entries(path: &Path, mut on_entry: impl FnMut(&Entry<'_>)) -> io::Result<u64> {
    let mut file = BufReader::new(File::open(path)?);
    let (mut line, mut unreadable) = (Vec::new(), 0);
    while read_line(&mut file, &mut line)? {
        if let Ok(entry) = serde_json::from_slice(&line) {
            on_entry(&entry);
            continue;
        }
        let mark = serde_json::from_slice::<Mark<'_>>(&line);
        let is_mark = mark.is_ok_and(|mark| !matches!(mark.kind, Kind::Call | Kind::Begun));
        unreadable += u64::from(!is_mark);
    }
    Ok(unreadable)
}

/// Reads a line; one that is too long is cut, and so unreadable. False at the end.
fn read_line(file: &mut BufReader<File>, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let read = file.take(MAX_LINE_BYTES).read_until(b'\n', line)?;
    if read > 0 && line.last() != Some(&b'\n') {
        file.skip_until(b'\n')?;
    }
    Ok(read > 0)
}
