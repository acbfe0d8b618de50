//! Which files a log is made of: lanes, and each lane's segments in the order of its chain.
//!
//! ```text
//! audit.jsonl.000000000001  audit.jsonl.000000004711  audit.jsonl  audit.jsonl.head      the log
//! audit-2.jsonl  audit-2.jsonl.head                              a second process on the same log
//! ```
//!
//! A reader would ask why names are compared to what would have been written and not matched loosely:
//! a backup or an editor's copy beside the log must never be taken for a part of it.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use super::Sealed;

/// Most processes that write beside each other.
pub const MAX_LANES: usize = 64;
/// Longest line that is looked at.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;

/// One chain: the file that is written, and those that were full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The file that is written now.
    pub file: PathBuf,
}

/// A file of a lane that was full, by the number in its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Segment {
    /// Sequence number of its first line.
    pub first: u64,
    /// Where it is.
    pub path: PathBuf,
}

/// The lanes of the log at `file` that have left anything behind, in their order.
///
/// # Errors
/// Those of the system, and [`ErrorKind::NotFound`] where there is no log.
pub fn lanes(file: &Path) -> io::Result<Vec<Lane>> {
    let names = names_beside(file)?;
    let lanes = (1..=MAX_LANES).map(|number| Lane {
        file: lane_path(file, number),
    });
    let found: Vec<Lane> = lanes.filter(|lane| lane.is_among(&names)).collect();
    if found.is_empty() {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(found)
}

impl Lane {
    /// The small file that tells where the chain ends.
    pub fn head(&self) -> PathBuf {
        with_suffix(&self.file, ".head")
    }

    /// The segments that are full, by their numbers.
    ///
    /// # Errors
    /// Those of the system.
    pub fn segments(&self) -> io::Result<Vec<Segment>> {
        let names = names_beside(&self.file)?;
        let mut segments: Vec<Segment> =
            names.iter().filter_map(|name| self.segment(name)).collect();
        segments.sort_unstable();
        Ok(segments)
    }

    fn segment(&self, name: &str) -> Option<Segment> {
        let own = self.file.file_name()?.to_str()?;
        let digits = name.strip_prefix(own)?.strip_prefix('.')?;
        let first = digits.parse().ok()?;
        (digits == format!("{first:012}")).then(|| Segment {
            first,
            path: self.file.with_file_name(name),
        })
    }

    fn is_among(&self, names: &[String]) -> bool {
        let Some(own) = self.file.file_name().and_then(|name| name.to_str()) else {
            return false;
        };
        let head = format!("{own}.head");
        let is_ours = |name: &String| name == own || *name == head || self.segment(name).is_some();
        names.iter().any(is_ours)
    }
}

/// The file of a lane: `audit.jsonl`, `audit-2.jsonl`, `audit-3.jsonl`, …
pub(super) fn lane_path(file: &Path, number: usize) -> PathBuf {
    if number <= 1 {
        return file.to_owned();
    }
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = match file.extension() {
        Some(extension) => format!("{stem}-{number}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{number}"),
    };
    file.with_file_name(name)
}

pub(super) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

/// Opens a file of a log. What is no file, such as a pipe, would be waited for without end.
pub(super) fn open(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    File::open(path)
}

/// What the first line of a file says of itself, unchecked; `None` where there is none.
pub(super) fn first_line(path: &Path) -> io::Result<Option<(Sealed, Vec<u8>)>> {
    let limit = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    BufReader::new(open(path)?.take(limit)).read_until(b'\n', &mut line)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    Ok(Sealed::claimed(line).map(|sealed| (sealed, line.to_vec())))
}

fn names_beside(file: &Path) -> io::Result<Vec<String>> {
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        // A name that is no text is none of ours.
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_the_writer_would_have_named_is_part_of_a_log() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            "audit.jsonl",
            "audit.jsonl.head",
            "audit.jsonl.000000000042",
            "audit.jsonl.000000000007",
            "audit.jsonl.1234567890123",
            "audit-3.jsonl.head",
            // None of these.
            "audit.jsonl.bak",
            "audit.jsonl.42",
            "audit.jsonl.0000000000042",
            "audit.jsonl.+00000000042",
            "audit.jsonl.000000000042.gz",
            "audit-02.jsonl",
            "audit-65.jsonl",
            "audit-2.jsonl.swp",
            "xaudit-2.jsonl",
        ] {
            fs::write(at(name), "").unwrap();
        }
        let found = lanes(&at("audit.jsonl")).unwrap();
        let files: Vec<_> = found.iter().map(|lane| lane.file.clone()).collect();
        assert_eq!(files, [at("audit.jsonl"), at("audit-3.jsonl")]);
        let firsts: Vec<_> = found[0].segments().unwrap();
        let firsts: Vec<_> = firsts.iter().map(|segment| segment.first).collect();
        assert_eq!(firsts, [7, 42, 1_234_567_890_123]);
    }

    proptest! {
        #[test]
        fn whatever_lies_beside_a_log_is_read_as_its_own_name_or_not_at_all(name in "audit(-[0-9]{1,3})?(\\.[a-z0-9.]{0,16})?") {
            let lane = Lane { file: "audit.jsonl".into() };
            if let Some(segment) = lane.segment(&name) {
                prop_assert_eq!(format!("audit.jsonl.{:012}", segment.first), name);
            }
        }
    }
}
