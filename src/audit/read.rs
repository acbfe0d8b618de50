//! Reading logs from their beginning, or from a time on: every line of every lane, merged by time.
//!
//! One line of each lane is held at a time, whatever the log's size. Lanes are merged by the times that
//! their lines tell, which are those of the requests' arrival; within a lane lines stay as they were
//! written. Nothing is verified here: reading must work on a log that is damaged, and one that is read
//! in part cannot be. A reader would ask why lines are looked at before they are parsed: most of those
//! that a search passes over can be told by a few bytes.

use std::fmt;
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
    /// In which lane of all that are read: the lines of one process, or of several that ran one after the other.
    pub lane: usize,
}

/// A log that cannot be read.
#[derive(Debug)]
pub struct Unreadable {
    /// Which of its files.
    pub file: PathBuf,
    /// Why; [`NotFound`](io::ErrorKind::NotFound) where there is no log.
    pub error: io::Error,
}

impl Unreadable {
    pub(super) fn at(file: &Path) -> impl FnOnce(io::Error) -> Self {
        |error| Self {
            file: file.to_owned(),
            error,
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.file.display();
        match self.error.kind() {
            io::ErrorKind::NotFound => write!(f, "there is no audit log at {shown}"),
            _ => write!(f, "cannot read the audit log {shown}: {}", self.error),
        }
    }
}

/// What a line says.
#[derive(Debug)]
pub enum Said<'a> {
    /// What became of a call, or that it began.
    Call(Box<Entry<'a>>),
    /// Something about the log itself.
    Mark(Mark<'a>),
}

/// Reads what the lines of these logs say, and how many could not be read.
///
/// # Errors
/// [`Unreadable`].
pub fn said<'l>(
    logs: impl IntoIterator<Item = &'l Path>,
    window: Window,
    mut on_line: impl FnMut(RawLine<'_>, Said<'_>) -> ControlFlow<()>,
) -> Result<u64, Unreadable> {
    let mut unreadable = 0;
    lines(logs, window, |line| {
        if let Ok(entry) = serde_json::from_slice::<Entry<'_>>(line.text) {
            return on_line(line, Said::Call(Box::new(entry)));
        }
        match serde_json::from_slice::<Mark<'_>>(line.text) {
            Ok(mark) if !matches!(mark.kind, Kind::Call | Kind::Begun) => {
                on_line(line, Said::Mark(mark))
            }
            _ => {
                unreadable += 1;
                ControlFlow::Continue(())
            }
        }
    })?;
    Ok(unreadable)
}

/// Reads the calls of the log at `file`, and how many lines could not be read.
///
/// # Errors
/// [`Unreadable`].
pub fn entries(
    file: &Path,
    window: Window,
    mut on_entry: impl FnMut(RawLine<'_>, Entry<'_>) -> ControlFlow<()>,
) -> Result<u64, Unreadable> {
    said([file], window, |line, said| match said {
        Said::Call(entry) => on_entry(line, *entry),
        Said::Mark(_) => ControlFlow::Continue(()),
    })
}

/// Reads the lines of these logs, marks and torn lines included.
///
/// # Errors
/// [`Unreadable`].
pub fn lines<'l>(
    logs: impl IntoIterator<Item = &'l Path>,
    window: Window,
    mut on_line: impl FnMut(RawLine<'_>) -> ControlFlow<()>,
) -> Result<(), Unreadable> {
    let (since, until) = (window.since.map(rfc3339), window.until.map(rfc3339));
    let (mut cursors, mut number) = (Vec::new(), 0);
    for log in logs {
        for lane in lanes(log).map_err(Unreadable::at(log))? {
            let mut cursor = Cursor::new(lane, number, window.since)?;
            number += 1;
            if cursor.step()? {
                cursors.push(cursor);
            }
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
    lane: usize,
    walk: Walk,
    /// The file that is read, or was last.
    path: PathBuf,
    lines: Option<Lines<File>>,
    /// The file after this one, once it is known.
    next: Option<Part>,
    text: Vec<u8>,
    number: u64,
}

impl Cursor {
    fn new(lane: Lane, number: usize, since: Option<Duration>) -> Result<Self, Unreadable> {
        let path = lane.file.clone();
        let mut walk = Walk::new(lane);
        if let Some(since) = since {
            let since = rfc3339(since.saturating_sub(CLOCK_STEP));
            let is_early = |line: &[u8]| time_of(line).is_some_and(|time| time < since.as_bytes());
            let skipped = walk.skip_while(|_, line| is_early(line));
            skipped.map_err(Unreadable::at(&path))?;
        }
        Ok(Self {
            lane: number,
            walk,
            path,
            lines: None,
            next: None,
            text: Vec::new(),
            number: 0,
        })
    }

    /// Goes to the next line; false when there is none.
    fn step(&mut self) -> Result<bool, Unreadable> {
        loop {
            if let Some(lines) = &mut self.lines
                && let Some(line) = lines.next().map_err(Unreadable::at(&self.path))?
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
                    self.next = self.walk.next().map_err(Unreadable::at(&self.path))?;
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
            lane: self.lane,
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
