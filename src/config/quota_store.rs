//! `quotas.store` and what goes with it: the store that replicas share.
//!
//! A reader would ask why the URL is not taken apart here: whoever connects to it reads it, and reports
//! what is wrong with it through [`QuotaStore::origin`]. It is a secret all along, since it may hold a
//! password.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::document::At;
use super::duration;
use super::faults::{Faults, Origin};
use super::raw::{RawOnStoreFailure, RawQuotas};

const TIMEOUTS: [Duration; 2] = [Duration::from_millis(5), Duration::from_secs(1)];
const MAX_PREFIX_BYTES: usize = 64;
/// No store that replicas share: each counts for itself.
pub(super) const MEMORY: &str = "memory";

/// A shared store. `Debug` does not show its URL.
#[derive(Debug, Clone)]
pub struct QuotaStore {
    /// Its URL. Whether it is one is for who uses it.
    pub url: SecretString,
    /// Where the URL stands, for faults found later.
    pub origin: Origin,
    /// What becomes of calls while it fails.
    pub on_failure: OnStoreFailure,
    /// How long a call waits for it: 5 ms to 1 s, default 75 ms.
    pub timeout: Duration,
    /// Path of the certificates that its own must be issued by, and where the path stands; a relative one has
    /// been joined to the folder of the config file.
    pub roots: Option<(PathBuf, Origin)>,
    /// What its keys begin with: 1 to 64 letters, digits, `.`, `_`, `-` or `:`.
    pub key_prefix: String,
}

/// What becomes of calls while the store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnStoreFailure {
    /// Each replica counts for itself.
    Local,
    /// They are refused.
    Deny,
    /// They are let through uncounted.
    Allow,
}

pub(super) fn check(
    raw: RawQuotas,
    file: &Path,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<QuotaStore> {
    let timeout = timeout(&raw.store_timeout, &at.key("storeTimeout"), faults);
    let known = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    let fits = (1..=MAX_PREFIX_BYTES).contains(&raw.key_prefix.len());
    if !fits || !raw.key_prefix.bytes().all(known) {
        let message = "must be 1 to 64 letters, digits, `.`, `_`, `-` or `:`";
        at.key("keyPrefix").fault(faults, message);
    }
    if raw.store == MEMORY {
        if raw.store_ca.is_some() {
            at.key("storeCa")
                .fault(faults, "does not go with `store: memory`");
        }
        return None;
    }
    let is_tls = raw.store.starts_with("rediss");
    let folder = file.parent().unwrap_or(Path::new(""));
    let roots = raw.store_ca.map(|path| {
        let at = at.key("storeCa");
        if !is_tls {
            at.fault(
                faults,
                "goes with a store over TLS alone, such as rediss://host",
            );
        }
        (folder.join(path), at.origin())
    });
    Some(QuotaStore {
        url: raw.store.into(),
        origin: at.key("store").origin(),
        on_failure: match raw.on_store_failure {
            RawOnStoreFailure::Local => OnStoreFailure::Local,
            RawOnStoreFailure::Deny => OnStoreFailure::Deny,
            RawOnStoreFailure::Allow => OnStoreFailure::Allow,
        },
        timeout,
        roots,
        key_prefix: raw.key_prefix,
    })
}

fn timeout(text: &str, at: &At<'_>, faults: &mut Faults) -> Duration {
    let [least, most] = TIMEOUTS;
    match duration::parse(text) {
        Ok(timeout) if (least..=most).contains(&timeout) => return timeout,
        Ok(_) => at.fault(faults, "must be from 5ms to 1s"),
        Err(message) => at.fault(faults, message),
    }
    most
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::config::testing::{faults, good};

    #[test]
    fn a_store_is_read_with_its_defaults_and_shows_no_password() {
        let config = good("quotas: {store: 'redis://:hunter2@h/1', onStoreFailure: deny}");
        assert!(!format!("{config:?}").contains("hunter2"));
        let store = config.quotas.store.expect("a store");
        assert_eq!(store.url.expose_secret(), "redis://:hunter2@h/1");
        assert_eq!(store.on_failure, OnStoreFailure::Deny);
        assert_eq!(store.timeout, Duration::from_millis(75));
        assert_eq!(store.key_prefix, "tollgate");
        assert!(good("quotas: {store: memory}").quotas.store.is_none());
    }

    #[test]
    fn every_key_is_checked() {
        let text = "quotas:\n  store: redis://h\n  storeTimeout: 2s\n  storeCa: ca.pem\n  keyPrefix: 'a{b'\n";
        assert_eq!(
            faults(text),
            [
                "tollgate.yaml:3: quotas.storeTimeout: must be from 5ms to 1s",
                "tollgate.yaml:4: quotas.storeCa: goes with a store over TLS alone, such as rediss://host",
                "tollgate.yaml:5: quotas.keyPrefix: must be 1 to 64 letters, digits, `.`, `_`, `-` or `:`",
            ]
        );
        assert_eq!(
            faults("quotas:\n  storeCa: ca.pem\n"),
            ["tollgate.yaml:2: quotas.storeCa: does not go with `store: memory`"]
        );
    }
}
