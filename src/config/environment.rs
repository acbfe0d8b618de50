//! What the config file may read beside itself: environment variables and files.
//!
//! A trait with two implementations, this process and the fixed one of the tests, so that loading is a pure
//! function. A reader would ask where else the environment is read: nowhere, this is the only place in the crate.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `${…}` in the config file reads. Tests bring their own; the server uses [`ProcessEnvironment`].
pub trait Environment {
    /// The value of an environment variable; `None` when it is unset or not UTF-8.
    fn variable(&self, name: &str) -> Option<String>;

    /// The whole text of a file.
    ///
    /// # Errors
    /// When the file cannot be read, is not UTF-8, or is too large.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// The environment and the files of this process. Files may have up to 4 MiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl ProcessEnvironment {
    const MAX_FILE_BYTES: u64 = 4 << 20;
}

impl Environment for ProcessEnvironment {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        // Bounded: a path may name a device that never ends.
        File::open(path)?
            .take(Self::MAX_FILE_BYTES + 1)
            .read_to_string(&mut text)?;
        if text.len() as u64 > Self::MAX_FILE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the file is larger than 4 MiB",
            ));
        }
        Ok(text)
    }
}

/// A variable whose value cannot be used; the value itself may be a secret.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} has a value that is not valid: {expected}")]
pub(crate) struct VariableFault {
    /// The variable.
    pub(crate) name: &'static str,
    /// What to write there.
    pub(crate) expected: &'static str,
}

/// Where programs keep a user's data: `$XDG_DATA_HOME` or `~/.local/share`, `%LOCALAPPDATA%` on Windows
/// (XDG Base Directory Specification, "Environment variables"). Without a home it is the current folder.
pub(crate) fn user_data_folder() -> PathBuf {
    let absolute = |name: &str| {
        let path = PathBuf::from(ProcessEnvironment.variable(name)?);
        path.is_absolute().then_some(path)
    };
    absolute("XDG_DATA_HOME")
        .or_else(|| absolute("LOCALAPPDATA"))
        .or_else(|| Some(absolute("HOME")?.join(".local/share")))
        .unwrap_or_default()
}

/// The socket on which a supervisor wants to hear how it goes: `NOTIFY_SOCKET` (sd_notify(3)).
pub(crate) fn notify_socket(environment: &dyn Environment) -> Option<String> {
    environment
        .variable("NOTIFY_SOCKET")
        .filter(|name| !name.is_empty())
}

/// How often a supervisor must hear from process `pid`, lest it restarts it: `WATCHDOG_USEC`, unless
/// `WATCHDOG_PID` is another process (sd_watchdog_enabled(3)).
pub(crate) fn watchdog_period(environment: &dyn Environment, pid: u32) -> Option<Duration> {
    let number = |name| environment.variable(name)?.parse::<u64>().ok();
    let is_for_us = match environment.variable("WATCHDOG_PID") {
        Some(named) => named.parse() == Ok(pid),
        None => true,
    };
    let period = number("WATCHDOG_USEC").filter(|micros| is_for_us && *micros > 0);
    period.map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_at_most_4_mib() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b' '; 4 << 20]).unwrap();
        assert_eq!(ProcessEnvironment.file(&path).unwrap().len(), 4 << 20);
        std::fs::write(&path, vec![b' '; (4 << 20) + 1]).unwrap();
        let error = ProcessEnvironment.file(&path).unwrap_err();
        assert_eq!(error.to_string(), "the file is larger than 4 MiB");
    }

    #[test]
    fn an_unset_variable_is_none() {
        assert_eq!(
            ProcessEnvironment.variable("TOLLGATE_NO_SUCH_VARIABLE"),
            None
        );
        assert!(ProcessEnvironment.variable("PATH").is_some());
    }
}
