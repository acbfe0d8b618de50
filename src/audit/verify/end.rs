//! Does a lane end where its head says?
//!
//! A reader would ask why a head that is behind is not a fault: it is written after the lines, so it is
//! behind while the server writes, and stays so after a kill. It is a fault where the log itself shows
//! that it was updated since: after an orderly stop, and when a server was started after it.

use std::io::{self, ErrorKind, Read as _};
use std::time::Duration;

use super::chain::End;
use super::{Flaw, HeadRead, Named, Note, Verdict};
use crate::audit::ChainKey;
use crate::audit::segments::{Lane, open};

/// A head has some 110 bytes.
const MAX_HEAD_BYTES: u64 = 4096;
/// How often a head is read that is none, and the pause between.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// Reads the head of a lane. One that is just being written looks like none: it is read again.
pub(super) fn read_head(lane: &Lane, keys: &[ChainKey]) -> io::Result<HeadRead> {
    let path = lane.head();
    let file = path.display().to_string();
    let mut is_empty = true;
    for _ in 0..TRIES {
        let mut text = Vec::new();
        match open(&path) {
            Ok(head) => head.take(MAX_HEAD_BYTES).read_to_end(&mut text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        };
        is_empty = text.is_empty();
        let text = String::from_utf8_lossy(&text);
        let mut keys = keys.iter().enumerate();
        if let Some(named) = keys.find_map(|(key, opening)| {
            let head = opening.open_head(&text)?;
            Some(Named { head, key })
        }) {
            return Ok(Ok(named));
        }
        std::thread::park_timeout(PAUSE);
    }
    Ok(Err(if is_empty {
        Flaw::NoHead { file }
    } else {
        Flaw::ForeignHead { file }
    }))
}

/// Compares where a lane ends with what its head says.
pub(super) fn compare(end: &End, verdict: &Verdict, head: HeadRead) -> Result<Option<Note>, Flaw> {
    if end.has_no_head && matches!(head, Err(Flaw::NoHead { .. })) {
        return Ok((!end.is_closed).then_some(Note::NoEnd));
    }
    let (Named { head, key }, last) = (head?, verdict.last);
    let seq = head.seq;
    if seq > last {
        return Err(Flaw::CutOff { last, head: seq });
    }
    match end.at_head {
        Some((mac, _)) if mac != head.mac => return Err(Flaw::HeadElsewhere { seq }),
        // Else whoever has an old key could cut off what a new one sealed.
        Some((_, Some(sealed_by))) if sealed_by != key => return Err(Flaw::HeadOfOtherKey { seq }),
        _ => {}
    }
    // Nothing between the head and what was checked: it is older than all of that.
    let is_before = verdict.first.is_some_and(|first| seq < first);
    if seq < last && (end.is_closed || end.outlived || is_before) {
        return Err(Flaw::OldHead { head: seq, last });
    }
    Ok((seq < last).then_some(Note::HeadBehind { head: seq, last }))
}
