//! Callers with API keys whose scopes a test changes while the server runs.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use tempfile::TempDir;
use tollgate::auth::{ApiKey, ApiKeyFile, Principal};

/// Who holds a key, and with which scopes.
#[derive(Clone)]
pub(crate) struct Keys {
    holders: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
    /// The server looks at this file to see that something changed.
    path: PathBuf,
    _folder: Arc<TempDir>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Self {
            path: folder.path().join("keys"),
            holders: Arc::default(),
            _folder: Arc::new(folder),
        };
        keys.touch();
        keys
    }

    /// What the server is given.
    pub(crate) fn file(&self) -> ApiKeyFile {
        let holders = Arc::clone(&self.holders);
        ApiKeyFile::new(&self.path, move || {
            let holders = holders.lock().expect("not poisoned");
            let keys = holders.iter().map(|(name, scopes)| {
                let hash = digest(&SHA256, Self::key(name).as_bytes());
                let principal = Principal::configured("acme", name, scopes).expect("good names");
                ApiKey::new(hash.as_ref().try_into().expect("32 bytes"), principal, None)
            });
            Ok::<_, Infallible>(keys.collect())
        })
    }

    /// The key of somebody.
    pub(crate) fn key(name: &str) -> String {
        format!("tgk_{name}_secret")
    }

    /// From now on `name` holds these scopes.
    pub(crate) fn grant(&self, name: &str, scopes: &[&str]) {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let mut holders = self.holders.lock().expect("not poisoned");
        holders.insert(name.to_owned(), scopes);
        drop(holders);
        self.touch();
    }

    /// From now on `name` is nobody.
    pub(crate) fn revoke(&self, name: &str) {
        self.holders.lock().expect("not poisoned").remove(name);
        self.touch();
    }

    /// Another length, so that a coarse clock of the file system does not matter.
    fn touch(&self) {
        let before = std::fs::read(&self.path).unwrap_or_default();
        std::fs::write(&self.path, [&before[..], b"x"].concat()).expect("a file");
    }
}
