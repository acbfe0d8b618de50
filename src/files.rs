//! Reading files that somebody else writes, and may replace while we run.
//!
//! Read whole and compared by content by whoever looks again, because a mounted secret is swapped by
//! moving a link and keeps no honest time of change. (The file of API keys alone goes by its
//! metadata: it is looked at on every call.)

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// The bytes of a file.
///
/// # Errors
/// Those of the system, and [`ErrorKind::FileTooLarge`] for one that is longer than `max_bytes`.
pub(crate) fn read_bounded(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A path may name a device that never ends.
    let most = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() > max_bytes {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        std::fs::write(&path, "four").expect("a file");
        assert_eq!(read_bounded(&path, 4).expect("it fits"), b"four");
        let error = read_bounded(&path, 3).expect_err("it does not fit");
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        let error = read_bounded(&folder.path().join("none"), 3).expect_err("it is not there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}
