//! The end of a file that is opened again: its last whole line, and what a dying process left after it.
//!
//! The last line must fit the one before it, or what it says itself that it continues, under this key.
//! What stands after it and is no line is a fragment, and is kept. A reader would ask why a line of
//! the right shape and with a wrong seal is no fragment as well: no crash leaves that behind, so it was
//! sealed with another key or changed, and nothing may be written after it as if it had not been.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};

use super::{ChainKey, Kind, Mac, Mark, Sealed};

/// What is read of the end of a file first, and most of all.
const FIRST_WINDOW: u64 = 256 * 1024;
const LAST_WINDOW: u64 = 64 * 1024 * 1024;
/// What every line begins with.
const OPENS: &[u8] = b"{\"seq\":";

/// What the end of a file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// The last line that is whole and sealed.
    pub(super) last: Option<Sealed>,
    /// What stands after its newline.
    pub(super) fragment: Vec<u8>,
    /// Whether the last line lacks no more than its newline.
    pub(super) lacks_newline: bool,
    /// The key that the last line announces, where it does: the next line's.
    pub(super) announces: Option<String>,
}

/// Why nothing can be written after the end of a file.
#[derive(Debug, thiserror::Error)]
pub(super) enum TailFault {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("is no audit log: move it away, or name another file in `audit.file`")]
    NoLog,
    #[error(
        "does not end with a line that `audit.key` or `audit.previousKey` sealed: if the key was changed, name \
         the one before as `audit.previousKey`; if the line was, move the file and its head away"
    )]
    OtherKey,
    #[error(
        "ends with the line that announces another key, {0}: name that one as `audit.key` and the one that sealed \
         the line as `audit.previousKey`, or the other way round to take it back"
    )]
    Announced(String),
}

impl Tail {
    pub(super) fn read(file: &mut File, key: &ChainKey) -> Result<Self, TailFault> {
        let length = file.metadata()?.len();
        let mut window = FIRST_WINDOW;
        loop {
            let is_all = window >= length;
            file.seek(SeekFrom::Start(length.saturating_sub(window)))?;
            let mut text = Vec::new();
            (&*file).take(window).read_to_end(&mut text)?;
            // Of a part of a file the first line may be a part as well, and nothing is known of what is
            // before the second.
            let start = if is_all {
                Some(0)
            } else {
                text.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
            };
            if let Some(start) = start
                && let Some(tail) = Self::of(&text[start..], is_all, key)?
            {
                return Ok(tail);
            }
            if is_all || window >= LAST_WINDOW {
                return Err(TailFault::NoLog);
            }
            window *= 4;
        }
    }

    /// The tail of a text that begins with a line; none if its last line is not to be found in it.
    fn of(text: &[u8], is_all: bool, key: &ChainKey) -> Result<Option<Self>, TailFault> {
        let mut end = text.len();
        loop {
            let (from, line) = last_line(&text[..end]);
            let before = text[..from]
                .strip_suffix(b"\n")
                .map(|text| last_line(text).1);
            if let Some(claimed) = Sealed::claimed(line) {
                if !is_all && before.is_none() {
                    return Ok(None);
                }
                let mark = serde_json::from_slice::<Mark<'_>>(line).ok();
                if !fits(key, before, line, mark.as_ref()) {
                    return Err(TailFault::OtherKey);
                }
                let rekeyed = mark.filter(|mark| mark.kind == Kind::Rekeyed);
                return Ok(Some(Self {
                    last: Some(claimed),
                    fragment: text[(end + 1).min(text.len())..].to_vec(),
                    lacks_newline: end == text.len(),
                    announces: rekeyed.and_then(|mark| Some(mark.key?.into_owned())),
                }));
            }
            if from == 0 {
                break;
            }
            end = from - 1;
        }
        let is_begun = text.starts_with(OPENS) || OPENS.starts_with(text);
        Ok((is_all && is_begun).then(|| Self {
            fragment: text.to_vec(),
            ..Self::default()
        }))
    }
}

/// Where the last line of a text begins, and the line.
fn last_line(text: &[u8]) -> (usize, &[u8]) {
    let from = text.iter().rposition(|byte| *byte == b'\n');
    let from = from.map_or(0, |at| at + 1);
    (from, &text[from..])
}

/// Whether the line continues the one before, or what it says itself that it continues.
fn fits(key: &ChainKey, before: Option<&[u8]>, line: &[u8], mark: Option<&Mark<'_>>) -> bool {
    let before = before.and_then(Sealed::claimed).map(|before| before.mac);
    let said = mark.and_then(|mark| Mac::parse(mark.prev.as_ref()?.as_bytes()));
    [before, said]
        .into_iter()
        .flatten()
        .any(|before| key.check(&before, line).is_ok())
}
