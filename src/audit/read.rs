//! Reading a log from its beginning, or from a time on: every line of every lane, merged by time.
//!
//! One line of each lane is held at a time, whatever the log's size. Lanes are merged by the times that
//! their lines tell, which are those of the requests' arrival; within a lane lines stay as they were
//! written. Nothing is verified here: reading must work on a log that is damaged, and one that is read
//! in part cannot be. A reader would ask why lines are looked at before they are parsed: most of those
//! that a search passes over can be told by a few bytes.

use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memchr::memmem;

use super::lines::Lines;
use super::segments::{Lane, lanes};
use super::walk::{Part, Walk};
use super::{Entry, Kind, Mark};
use crate::clock::rfc3339;

/// By how much the clock may have been set back between two files.
const CLOCK_STEP: Duration = Duration::from_secs(300);

/// Which lines are read, by the time they tell, since the Unix epoch. Both bounds are inclusive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window {
    /// The earliest; none: from the beginning.
    pub since: Option<Duration>,
    /// The latest; none: to the end.
    pub until: Option<Duration>,
}

/// A line of a log, as it stands.
#[derive(Clone, Copy, Debug)]
pub struct RawLine<'a> {
    /// In which file.
    pub file: &'a Path,
    /// In which of its lines, from 1.
    pub number: u64,
    /// What it says, without the newline.
    pub text: &'a [u8],
}

/// Reads the calls of the log at `file`, and says how many lines could not be read.
///
/// # Errors
/// Those of the system; [`NotFound`](io::ErrorKind::NotFound) where there is no log.
pub fn entries(
    file: &Path,
    window: Window,
    mut on_entry: impl FnMut(RawLine<'_>, Entry<'_>) -> ControlFlow<()>,
) -> io::Result<u64> {
    let mut unreadable = 0;
    lines(file, window, |line| {
        if let Ok(entry) = serde_json::from_slice::<Entry<'_>>(line.text) {
            return on_entry(line, entry);
        }
        let mark = serde_json::from_slice::<Mark<'_>>(line.text);
        let is_mark = mark.is_ok_and(|mark| !matches!(mark.kind, Kind::Call | Kind::Begun));
        unreadable += u64::from(!is_mark);
        ControlFlow::Continue(())
    })?;
    Ok(unreadable)
}

/// Reads the lines of the log at `file`, marks and torn lines included.
///
/// # Errors
/// Those of the system; [`NotFound`](io::ErrorKind::NotFound) where there is no log.
pub fn lines(
    file: &Path,
    window: Window,
    mut on_line: impl FnMut(RawLine<'_>) -> ControlFlow<()>,
) -> io::Result<()> {
    let (since, until) = (window.since.map(rfc3339), window.until.map(rfc3339));
    let mut cursors = Vec::new();
    for lane in lanes(file)? {
        let mut cursor = Cursor::new(lane, window.since)?;
        if cursor.step()? {
            cursors.push(cursor);
        }
    }
    loop {
        let earliest = cursors.iter_mut().enumerate();
        let earliest = earliest.min_by(|(_, one), (_, other)| one.time().cmp(other.time()));
        let Some((at, cursor)) = earliest else {
            return Ok(());
        };
        // A line without a time is no line of ours; whoever reads is to count it.
        let time = cursor.time();
        let is_within = time.is_empty()
            || (since.as_ref().is_none_or(|since| time >= since.as_bytes())
                && until.as_ref().is_none_or(|until| time <= until.as_bytes()));
        if is_within && on_line(cursor.line()).is_break() {
            return Ok(());
        }
        if !cursor.step()? {
            cursors.swap_remove(at);
        }
    }
}

/// Where the reading of one lane stands.
struct Cursor {
    walk: Walk,
    path: PathBuf,
    lines: Option<Lines<File>>,
    /// The file after this one, once it is known.
    next: Option<Part>,
    text: Vec<u8>,
    number: u64,
}

impl Cursor {
    fn new(lane: Lane, since: Option<Duration>) -> io::Result<Self> {
        let mut walk = Walk::new(lane);
        if let Some(since) = since {
            let since = rfc3339(since.saturating_sub(CLOCK_STEP));
            let is_early = |line: &[u8]| time_of(line).is_some_and(|time| time < since.as_bytes());
            walk.skip_while(|_, line| is_early(line))?;
        }
        Ok(Self {
            walk,
            path: PathBuf::new(),
            lines: None,
            next: None,
            text: Vec::new(),
            number: 0,
        })
    }

    /// Goes to the next line; false when there is none.
    fn step(&mut self) -> io::Result<bool> {
        loop {
            if let Some(lines) = &mut self.lines
                && let Some(line) = lines.next()?
            {
                self.text.clear();
                self.text.extend_from_slice(line.text);
                self.number = line.number;
                return Ok(true);
            }
            // A line without an end is being written, or torn: it is passed over.
            match self.next.take() {
                Some(part) => {
                    self.path = part.path;
                    self.lines = Some(Lines::new(part.file));
                }
                None => {
                    self.next = self.walk.next()?;
                    if self.next.is_none() {
                        return Ok(false);
                    }
                    // The file before may have been written on until it was full: once more.
                }
            }
        }
    }

    fn time(&self) -> &[u8] {
        time_of(&self.text).unwrap_or_default()
    }

    fn line(&self) -> RawLine<'_> {
        RawLine {
            file: &self.path,
            number: self.number,
            text: &self.text,
        }
    }
}

/// The time that a line tells. It stands near the beginning.
fn time_of(line: &[u8]) -> Option<&[u8]> {
    const OPENS: &[u8] = b"\"time\":\"";
    let near = &line[..line.len().min(128)];
    let start = memmem::find(near, OPENS)? + OPENS.len();
    let length = memchr::memchr(b'"', &near[start..])?;
    Some(&near[start..start + length])
}
