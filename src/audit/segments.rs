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

use super::{Sealed, places};

/// Longest line that is looked at.
pub(super) const MAX_LINE_BYTES: usize = 1 << 20;

/// One chain: the file that is written, and those that were full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The file that is written now.
    pub file: PathBuf,
}

/// A file of a lane that was full, by the number in its name.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    let mut found = Vec::new();
    for number in 1..=places::MAX_LANES {
        let lane = Lane {
            file: places::lane(file, number),
        };
        if lane.file.exists() || lane.head().exists() || !lane.segments()?.is_empty() {
            found.push(lane);
        }
    }
    if found.is_empty() {
        return Err(ErrorKind::NotFound.into());
    }
    Ok(found)
}

impl Lane {
    /// The small file that tells where the chain ends.
    pub fn head(&self) -> PathBuf {
        places::head(&self.file)
    }

    /// The segments that are full, by their numbers.
    ///
    /// # Errors
    /// Those of the system.
    pub fn segments(&self) -> io::Result<Vec<Segment>> {
        let paths = places::all_full(&self.file)?.into_iter();
        let segment = |path: PathBuf| {
            let first = path.extension()?.to_str()?.parse().ok()?;
            Some(Segment { first, path })
        };
        Ok(paths.filter_map(segment).collect())
    }
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
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(&name), "junk\n").unwrap();
            for lane in lanes(&folder.path().join("audit.jsonl")).unwrap_or_default() {
                for segment in lane.segments().unwrap() {
                    let own = lane.file.file_name().unwrap().to_str().unwrap();
                    prop_assert_eq!(format!("{own}.{:012}", segment.first), name.clone());
                }
            }
        }
    }
}
