//! How the files of a log are called, and what may stand where one is written.
//!
//! ```text
//! audit.jsonl   audit.jsonl.head   audit.jsonl.000000000001      the log, its end, what was full
//! audit-2.jsonl audit-2.jsonl.head                               a second process on the same log
//! ```
//!
//! A reader would ask why links are refused: a rotation renames the link and not the file, and who
//! may place a link must not choose which file of ours is written to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Most processes that write beside each other.
pub(super) const MAX_LANES: usize = 64;

/// The file of a lane: `audit.jsonl`, `audit-2.jsonl`, `audit-3.jsonl`, …
pub(super) fn lane(file: &Path, number: usize) -> PathBuf {
    if number <= 1 {
        return file.to_owned();
    }
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(extension) = file.extension() {
        name.push(".");
        name.push(extension);
    }
    file.with_file_name(name)
}

/// The small file that tells where the chain ends.
pub(super) fn head(file: &Path) -> PathBuf {
    beside(file, ".head")
}

/// Where a file goes that is full, by the number of its first line.
pub(super) fn full(file: &Path, first: u64) -> PathBuf {
    beside(file, &format!(".{first:012}"))
}

/// The files that were full, by their numbers, oldest first.
pub(super) fn all_full(file: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder(file))? {
        // A name that is no text is none of ours.
        let Ok(name) = entry?.file_name().into_string() else {
            continue;
        };
        let digits = name.rsplit('.').next().unwrap_or_default();
        if let Ok(first) = digits.parse()
            && full(file, first).file_name() == Some(name.as_ref())
        {
            found.push((first, full(file, first)));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Opens a file to read it and to write it; made for its owner alone if there is none.
pub(super) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    check(path)?;
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options.read(true).open(path)
}

/// Whether there is a file at the path, or nothing.
pub(super) fn check(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        // Opening a pipe would wait for its reader.
        Ok(found) if !found.is_file() => Err(other_than_file(found.file_type())),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn other_than_file(found: fs::FileType) -> io::Error {
    let what = if found.is_dir() {
        "is a directory: name a file in it"
    } else if found.is_symlink() {
        "is a symbolic link: name the file itself"
    } else {
        "is no regular file: name another one"
    };
    io::Error::new(ErrorKind::InvalidInput, what)
}

/// Makes sure that names in the file's folder are on disk. Where a system cannot do that, it does it
/// by itself.
pub(super) fn sync_folder(file: &Path) {
    if let Ok(folder) = File::open(folder(file)) {
        let _ = folder.sync_all();
    }
}

fn folder(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lanes_heads_and_full_files_are_told_from_any_others() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.jsonl");
        let second = lane(&log, 2);
        assert_eq!(second, folder.path().join("audit-2.jsonl"));
        assert_eq!(head(&second), folder.path().join("audit-2.jsonl.head"));
        for name in [
            "audit.jsonl.000000000042",
            "audit.jsonl.000000000007",
            "audit.jsonl.42",
            "audit.jsonl.+00000000042",
            "audit.jsonl.head",
            "audit-2.jsonl.000000000001",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(all_full(&log).unwrap(), [full(&log, 7), full(&log, 42)]);
    }
}
