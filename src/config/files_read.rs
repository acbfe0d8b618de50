//! What a load of the config file read, to tell whether another load would read the same.
//!
//! Files are compared by content. A reader would ask why not by time or inode: Kubernetes swaps a
//! link two folders up, editors put a new file in the place of the old one, and network file
//! systems keep times of their own. Environment variables are left out: those of a running process
//! do not change. So are pipes and devices, whose text is gone once it was read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use super::environment::{Environment, ProcessEnvironment};

/// The files that a load read, and the digest of each; no digest where it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesRead(BTreeMap<PathBuf, Option<[u8; 32]>>);

impl FilesRead {
    /// These files as they are now.
    pub fn of(paths: impl IntoIterator<Item: AsRef<Path>>) -> Self {
        let recording = Recording::default();
        for path in paths {
            // What cannot be read is noted as such.
            let _ = recording.file(path.as_ref());
        }
        recording.read()
    }

    /// The files of both.
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The same files as they are now. Blocks while it reads them.
    pub fn look_again(&self) -> Self {
        let recording = Recording::default();
        for path in self.0.keys() {
            // To open a pipe that nobody writes to would take for ever.
            if is_pipe_or_device(path) {
                recording.note(path, None);
            } else {
                // What cannot be read is noted as such.
                let _ = recording.file(path);
            }
        }
        recording.read()
    }
}

/// The environment of this process, which notes what is read of it.
#[derive(Default)]
pub(super) struct Recording(RefCell<FilesRead>);

impl Recording {
    pub(super) fn read(self) -> FilesRead {
        self.0.into_inner()
    }

    fn note(&self, path: &Path, text: Option<&str>) {
        let content = text.map(|text| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
            bytes
        });
        self.0.borrow_mut().0.insert(path.to_owned(), content);
    }
}

impl Environment for Recording {
    fn variable(&self, name: &str) -> Option<String> {
        ProcessEnvironment.variable(name)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let text = ProcessEnvironment.file(path);
        if !is_pipe_or_device(path) {
            self.note(path, text.as_deref().ok());
        }
        text
    }
}

fn is_pipe_or_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn every_file_of_a_load_is_compared_by_content_also_one_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let (file, secret) = (folder.path().join("t.yaml"), folder.path().join("secret"));
        std::fs::write(&file, "telemetry: {service: '${file:secret}'}\n").unwrap();
        let (config, without) = Config::load_watched(&file);
        assert!(config.is_err());
        assert_eq!(without.look_again(), without);
        std::fs::write(&secret, "one").unwrap();
        assert_ne!(without.look_again(), without);
        let (config, with) = Config::load_watched(&file);
        assert_eq!(config.unwrap().telemetry.service, "one");
        std::fs::remove_file(&secret).unwrap();
        std::fs::write(&secret, "one").unwrap();
        assert_eq!(with.look_again(), with, "the same content in another file");
        std::fs::write(&secret, "two").unwrap();
        assert_ne!(with.look_again(), with);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_once_and_never_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("t.yaml");
        std::fs::write(&file, "telemetry: {service: '${file:/dev/null}t'}\n").unwrap();
        let (config, read) = Config::load_watched(&file);
        assert_eq!(config.unwrap().telemetry.service, "t");
        assert_eq!(read.0.keys().collect::<Vec<_>>(), [&file]);
        std::fs::remove_file(&file).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&file).status();
        assert!(made.unwrap().success());
        assert_ne!(read.look_again(), read, "and it did not wait");
    }
}
