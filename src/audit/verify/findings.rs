//! What a check of a log finds, in words: faults, and what is worth knowing.

use std::path::PathBuf;

/// Something in a log that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The text is no line of a log, and no mark says that it is a torn one.
    #[error("this is no line of an audit log: it was put in or overwritten")]
    NoLine,
    /// A mark that names a torn line, and no such line before it.
    #[error("this line names a torn line of {bytes} bytes before it, and that is gone")]
    NoFragment {
        /// How long it was.
        bytes: u64,
    },
    /// The line, or its seal, is not what was written.
    #[error("the line was changed after it was written")]
    Changed,
    /// Lines before this one are gone.
    #[error("{} missing before this line: deleted, or moved elsewhere", span(*.from, *.to))]
    Missing {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// The line before, again.
    #[error("the line before stands here once more: it was duplicated")]
    Twice,
    /// A line of another place.
    #[error(
        "the line does not belong here, where sequence {expected} was to come: it was moved or duplicated"
    )]
    Misplaced {
        /// What was to come.
        expected: u64,
    },
    /// Sealed with a key that was not given.
    #[error(
        "from here on the log is sealed with the key {id}, which was not given: give it as a further key, or somebody else wrote this"
    )]
    ForeignKey {
        /// What tells the key apart.
        id: String,
    },
    /// A start that found lines gone.
    #[error("when the server opened the log here, {} gone that the head named: cut off, or taken away", span(*.from, *.to))]
    WasCut {
        /// The first one.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// A start that found other lines than those that the head names.
    #[error(
        "when the server opened the log here, its head named another sequence {to} than the one that is here: lines up to there were replaced"
    )]
    WasReplaced {
        /// The last one that was.
        to: u64,
    },
    /// A start that found no head.
    #[error(
        "when the server opened the log here, the head was {head}: whether lines before were cut off cannot be told"
    )]
    HeadWasGone {
        /// `missing` or `unreadable`.
        head: String,
    },
    /// Sealed with a key that was given, and that no mark had announced.
    #[error(
        "from here on the log is sealed with the key {id} without the mark that announces another key"
    )]
    Unannounced {
        /// What tells the key apart.
        id: String,
    },
    /// The first line that there is continues lines that are gone.
    #[error(
        "the log begins with sequence {first}: what came before is gone; if it was taken away on purpose, check from there with --since-seq {first}"
    )]
    BeginsLate {
        /// The first one that is there.
        first: u64,
    },
    /// The mark that every file begins with is gone.
    #[error(
        "the file does not begin with the mark that every file begins with: its first lines are gone or changed"
    )]
    NoOpening,
    /// A file that was full ends within a line.
    #[error("the file ends within a line, and another file comes after it")]
    EndsEarly,
    /// The head names lines that are not there.
    #[error("the log ends with sequence {last}, but its head names {head}: {} cut off the end", span(.last + 1, *.head))]
    CutOff {
        /// The last line that is there.
        last: u64,
        /// The last line that was.
        head: u64,
    },
    /// No head.
    #[error("the head {file} is missing: whether lines were cut off the end cannot be told")]
    NoHead {
        /// Where it was to be.
        file: String,
    },
    /// The head is none of these keys.
    #[error("the head {file} was not sealed with a key that was given, or was changed")]
    ForeignHead {
        /// Where it is.
        file: String,
    },
    /// The head and the line that it names are of different keys.
    #[error(
        "the head names sequence {seq} and was not sealed with the key of that line: somebody who has another key wrote it"
    )]
    HeadOfOtherKey {
        /// Which it names.
        seq: u64,
    },
    /// The head names a line that is another one here.
    #[error("the head is of another log: its line {seq} is not the one that is here")]
    HeadElsewhere {
        /// Which it names.
        seq: u64,
    },
    /// The head is older than what certainly updated it.
    #[error("the head is an old one that was put back: it names sequence {head}, and the log went on for {} more", lines(.last - .head))]
    OldHead {
        /// Which it names.
        head: u64,
        /// The last line.
        last: u64,
    },
}

/// Something in a log that is as it was written, and worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    /// A line that was torn, and said to be.
    #[error("a torn line of {bytes} bytes, marked as such: the process died while it wrote")]
    Torn {
        /// How long it is.
        bytes: u64,
    },
    /// The end is within a line.
    #[error(
        "the log ends within a line: it is being written, or the process died while it wrote; the next start marks it"
    )]
    TornEnd,
    /// Lines that were never written.
    #[error("{} dropped here, since the log could not take them", lines(*.count))]
    Gap {
        /// How many.
        count: u64,
    },
    /// The chain goes on with another key.
    #[error("from here on the key {id} seals the log")]
    NewKey {
        /// What tells the key apart.
        id: String,
    },
    /// The last line is not sealed with the key in force.
    #[error(
        "the log ends under the key {id}, which is not the one in force: either no server has taken up a newer one \
         yet, or somebody who has {id} wrote the end"
    )]
    EndsUnder {
        /// What tells the key apart.
        id: String,
    },
    /// Checked from somewhere in the middle.
    #[error("checked from sequence {first} on, where a file begins")]
    Since {
        /// The first line that was checked.
        first: u64,
    },
    /// A stream that does not end with the stop of the server.
    #[error(
        "it was written to standard output and does not end with a stop: whether lines are missing at the end cannot be told"
    )]
    NoEnd,
    /// The head is a little behind.
    #[error("the head names sequence {head}, {} before the end: so it is while the server writes, and after it was killed", lines(.last - .head))]
    HeadBehind {
        /// Which it names.
        head: u64,
        /// The last line.
        last: u64,
    },
}

/// A finding and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding<T> {
    /// In which file.
    pub file: PathBuf,
    /// In which of its lines, from 1.
    pub line: u64,
    /// What the line says its sequence number is, or what it was to be.
    pub seq: u64,
    /// What was found.
    pub what: T,
}

fn span(from: u64, to: u64) -> String {
    if from >= to {
        format!("sequence {from} is")
    } else {
        format!("sequences {from} to {to} are")
    }
}

fn lines(count: u64) -> String {
    if count == 1 {
        "1 line".to_owned()
    } else {
        format!("{count} lines")
    }
}
