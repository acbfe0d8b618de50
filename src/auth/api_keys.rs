//! All API keys of a server: those it was made with, and those in a file that may change.
//!
//! The file is looked at on each call with an API key, by its metadata: one system call, and a key
//! that was taken out ends with the very next call. A reader would ask why no timer and no
//! notification does this: both leave a time in which a removed key still works, and neither is
//! there on stdio or for a single call. What a broken file says is unknown, so the last good keys
//! stay, and the log says so once for each change.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;

use super::AuthError;
use super::api_key::{ApiKey, KeyTable, hash};
use super::inclusion::ScopeInclusion;
use super::principal::Principal;

/// Reads the keys in a file, or says in words for the operator what is wrong with it.
type Read = dyn Fn() -> Result<Vec<ApiKey>, String> + Send + Sync;

/// A file with API keys that is read again when it changes.
pub struct ApiKeyFile {
    path: PathBuf,
    read: Box<Read>,
}

impl ApiKeyFile {
    /// The file at `path`, whose keys `read` reads. An error of `read` goes to the log.
    pub fn new<E: Display>(
        path: impl Into<PathBuf>,
        read: impl Fn() -> Result<Vec<ApiKey>, E> + Send + Sync + 'static,
    ) -> Self {
        Self {
            path: path.into(),
            read: Box::new(move || read().map_err(|error| error.to_string())),
        }
    }
}

pub(super) struct ApiKeys {
    fixed: KeyTable,
    file: Option<Watched>,
    inclusion: Arc<ScopeInclusion>,
}

impl ApiKeys {
    pub(super) fn new(
        fixed: Vec<ApiKey>,
        file: Option<ApiKeyFile>,
        inclusion: Arc<ScopeInclusion>,
    ) -> Self {
        let watched = |file: ApiKeyFile| Watched {
            file,
            reading: Mutex::new(()),
            current: ArcSwap::default(),
        };
        let keys = Self {
            fixed: KeyTable::new(fixed, &inclusion),
            file: file.map(watched),
            inclusion,
        };
        if let Some(file) = &keys.file {
            file.refresh(&keys.inclusion);
        }
        keys
    }

    /// Everybody who holds a key, as the file stood when it was last read.
    pub(super) fn principals(&self) -> Vec<Arc<Principal>> {
        let mut principals: Vec<_> = self.fixed.principals().collect();
        if let Some(file) = &self.file {
            principals.extend(file.current.load().keys.principals());
        }
        principals
    }

    /// Whose key `token` is at `now`, a time since the Unix epoch.
    pub(super) fn verify(&self, token: &str, now: Duration) -> Result<Arc<Principal>, AuthError> {
        let hash = hash(token);
        if let Some(found) = self.fixed.find(&hash, now) {
            return found;
        }
        let found = self.file.as_ref().and_then(|file| {
            file.refresh(&self.inclusion);
            file.current.load().keys.find(&hash, now)
        });
        found.unwrap_or(Err(AuthError::Invalid {
            cause: "unknown API key",
        }))
    }
}

struct Watched {
    file: ApiKeyFile,
    /// Held by the one that reads; whoever comes meanwhile waits for what it finds.
    reading: Mutex<()>,
    current: ArcSwap<Loaded>,
}

/// The last good keys, and the state of the file when it was last looked at.
#[derive(Default)]
struct Loaded {
    keys: Arc<KeyTable>,
    stamp: Option<Stamp>,
}

impl Watched {
    fn refresh(&self, inclusion: &ScopeInclusion) {
        if self.is_current() {
            return;
        }
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_current() {
            return;
        }
        let first = self.current.load().stamp.is_none();
        // Before reading: a change while reading shows as a change the next time.
        let stamp = Stamp::of(&self.file.path);
        let keys = match (self.file.read)() {
            Ok(keys) => {
                if !first {
                    tracing::info!(keys = keys.len(), "the file of API keys was read again");
                }
                Arc::new(KeyTable::new(keys, inclusion))
            }
            Err(error) => {
                tracing::error!(
                    error,
                    "the file of API keys is not good; the last good keys stay"
                );
                Arc::clone(&self.current.load().keys)
            }
        };
        self.current.store(Arc::new(Loaded {
            keys,
            stamp: Some(stamp),
        }));
    }

    fn is_current(&self) -> bool {
        self.current.load().stamp.as_ref() == Some(&Stamp::of(&self.file.path))
    }
}

/// What changes with a file's content: a new file in its place, or another time of change.
#[derive(PartialEq, Eq)]
enum Stamp {
    Absent,
    Present {
        bytes: u64,
        modified: Option<SystemTime>,
        identity: [u64; 3],
    },
}

impl Stamp {
    fn of(path: &Path) -> Self {
        fs::metadata(path).map_or(Self::Absent, |metadata| Self::Present {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            identity: identity(&metadata),
        })
    }
}

/// The time of change besides that of modification: the latter can be set back, as `cp -p` does.
#[cfg(unix)]
fn identity(metadata: &fs::Metadata) -> [u64; 3] {
    use std::os::unix::fs::MetadataExt;
    [
        metadata.ino(),
        metadata.ctime().cast_unsigned(),
        metadata.ctime_nsec().cast_unsigned(),
    ]
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> [u64; 3] {
    [0; 3]
}
