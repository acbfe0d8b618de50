//! Does a lane end where its head says?
//!
//! A reader would ask why a head that is behind is not a fault: it is written after the lines, so it is
//! behind while the server writes, and stays so after a kill. It is a fault where the log itself shows
//! that it was updated since: after an orderly stop, and when a server was started after it.

use std::io::{self, ErrorKind};

use super::chain::End;
use super::{Flaw, HeadRead, Note, Verdict};
use crate::audit::ChainKey;
use crate::audit::segments::Lane;
use crate::files::read_bounded;

/// A head has some 110 bytes.
const MAX_HEAD_BYTES: usize = 4096;

/// Reads the head of a lane.
pub(super) fn read_head(lane: &Lane, keys: &[ChainKey]) -> io::Result<HeadRead> {
    let path = lane.head();
    let file = path.display().to_string();
    let text = match read_bounded(&path, MAX_HEAD_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Err(Flaw::NoHead { file })),
        Err(error) if error.kind() == ErrorKind::FileTooLarge => Vec::new(),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&text);
    let head = keys.iter().find_map(|key| key.open_head(&text));
    Ok(head.ok_or(Flaw::ForeignHead { file }))
}

/// Compares where a lane ends with what its head says.
pub(super) fn compare(end: &End, verdict: &Verdict, head: HeadRead) -> Result<Option<Note>, Flaw> {
    let (head, last) = (head?, verdict.last);
    let seq = head.seq;
    if seq > last {
        return Err(Flaw::CutOff { last, head: seq });
    }
    if end.at_head.is_some_and(|mac| mac != head.mac) {
        return Err(Flaw::HeadElsewhere { seq });
    }
    // Nothing between the head and what was checked: it is older than all of that.
    let is_before = verdict.first.is_some_and(|first| seq < first);
    if seq < last && (end.is_closed || end.outlived || is_before) {
        return Err(Flaw::OldHead { head: seq, last });
    }
    Ok((seq < last).then_some(Note::HeadBehind { head: seq, last }))
}
