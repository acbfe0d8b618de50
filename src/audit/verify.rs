//! Is a log what was written? Every line of every lane, in order, with what is found named by its place.
//!
//! A log is checked while it is written and rotated: the head is read before the lines, so that all
//! it names must be there, and the folder is looked at again before every file. After a fault the check
//! goes on from what the line claims, so that one edit is one finding and not one for every line after
//! it. A reader would ask what nobody can find: lines after the last head, and a lane that is gone with
//! its head. Whoever has the key can forge; keep it and a copy of the head elsewhere.

mod chain;
mod end;
mod findings;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::segments::{Lane, lanes};
use super::walk::Walk;
use super::{ChainKey, Head};
use chain::Checker;
pub use findings::{Finding, Flaw, Note};

/// Findings of one kind that are kept; further ones are counted.
const MAX_FINDINGS: usize = 20;
/// How often somebody is told how far it came, in lines.
const TELL_EVERY: u64 = 4096;

/// How a log is checked.
pub struct Check<'a> {
    /// The keys that it may be sealed with.
    pub keys: &'a [ChainKey],
    /// Whether the first of them is the one that it is written with now.
    pub first_is_in_force: bool,
    /// Files that end before this line are passed over. 0 or 1: none.
    pub since: u64,
    /// Whether the oldest files may be gone, since the writer keeps only so many.
    pub keeps_few: bool,
}

/// What was found in one lane.
#[derive(Debug)]
pub struct Verdict {
    /// The lane's file.
    pub file: PathBuf,
    /// Sequence number of the first line that was checked.
    pub first: Option<u64>,
    /// Of the last one; 0 where there is none.
    pub last: u64,
    /// How many lines were checked.
    pub lines: u64,
    /// In how many files.
    pub files: u64,
    /// What is not as it was written.
    pub flaws: Findings<Flaw>,
    /// What is worth knowing.
    pub notes: Findings<Note>,
}

/// The first findings of a kind, and how many there are.
#[derive(Debug)]
pub struct Findings<T> {
    /// The first ones.
    pub listed: Vec<Finding<T>>,
    /// All of them.
    pub count: u64,
}

impl<T> Default for Findings<T> {
    fn default() -> Self {
        Self {
            listed: Vec::new(),
            count: 0,
        }
    }
}

impl<T> Findings<T> {
    fn push(&mut self, finding: Finding<T>) {
        self.count += 1;
        if self.listed.len() < MAX_FINDINGS {
            self.listed.push(finding);
        }
    }
}

impl Verdict {
    /// Whether everything is as it was written.
    pub fn is_whole(&self) -> bool {
        self.flaws.count == 0
    }
}

/// Checks every lane of the log at `file`, and says from time to time how many bytes it has read.
///
/// # Errors
/// Those of the system; [`NotFound`](io::ErrorKind::NotFound) where there is no log.
pub fn verify(
    file: &Path,
    check: &Check<'_>,
    told: &mut dyn FnMut(u64),
) -> io::Result<Vec<Verdict>> {
    let mut read = 0;
    let lanes = lanes(file)?.into_iter();
    lanes
        .map(|lane| verify_lane(&lane, check, &mut read, told))
        .collect()
}

fn verify_lane(
    lane: &Lane,
    check: &Check<'_>,
    read: &mut u64,
    told: &mut dyn FnMut(u64),
) -> io::Result<Verdict> {
    // Before the lines: whatever it names was written by then.
    let head = end::read_head(lane, check.keys)?;
    let named = head.as_ref().ok().map(|named| named.head);
    let mut checker = Checker::new(check, named);
    let mut walk = Walk::new(lane.clone());
    if check.since > 1 {
        walk.skip_while(|next, _| next.seq <= check.since)?;
    }
    let mut part = walk.next()?;
    while let Some(now) = part {
        checker.begin_file(now.path);
        let mut lines = Lines::new(now.file);
        let mut drain = |lines: &mut Lines<File>, checker: &mut Checker<'_>| {
            while let Some(line) = lines.next()? {
                *read += line.text.len() as u64 + 1;
                if line.number.is_multiple_of(TELL_EVERY) {
                    told(*read);
                }
                checker.line(line);
            }
            Ok::<_, io::Error>(())
        };
        drain(&mut lines, &mut checker)?;
        part = walk.next()?;
        if part.is_some() {
            // It may have been written on until it was full.
            drain(&mut lines, &mut checker)?;
        }
        checker.end_file(lines.rest(), part.is_none());
    }
    Ok(checker.end(lane, head))
}

/// What became of reading a head: what it says, or what is wrong with it.
type HeadRead = Result<Named, Flaw>;

/// What a head says.
#[derive(Clone, Copy)]
struct Named {
    head: Head,
    /// Which of the keys sealed it.
    key: usize,
}
