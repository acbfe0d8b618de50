//! The public keys of issuers: where they come from, how they are kept fresh, which one fits.
//!
//! `source` loads a set (`discovery` finds its URL), `jwks` reads it, `ring` holds the current one
//! and decides when to load again. Only the ring's keeper loads, callers never do: so there is one
//! fetch at a time however many callers wait, and a caller who leaves takes no fetch with him.

mod discovery;
mod jwks;
mod ring;
mod source;

use std::path::PathBuf;
use std::time::Duration;

pub(super) use jwks::Key;
pub(super) use ring::KeyRing;

use super::fetch::FetchError;

/// Where an issuer's public keys are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// By the issuer's own metadata (OpenID Connect Discovery 1.0, RFC 8414): its name is its URL.
    Discovery,
    /// A JWK Set (RFC 7517 §5) at this URL: https, or http on this machine.
    Url(String),
    /// A JWK Set in this file, read again every few seconds.
    File(PathBuf),
}

/// When an issuer's public keys are loaded again, and how long they may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTimes {
    /// Keys are loaded again after this long. A shorter `max-age` of the source is honoured, though
    /// not below a minute; a longer one is not. Default 5 minutes.
    pub refresh: Duration,
    /// Keys are not used longer than this after they were last loaded. Default 24 hours.
    pub max_age: Duration,
    /// An unknown key id makes the keys load at most this often. Default 30 seconds.
    pub cooldown: Duration,
}

impl Default for KeyTimes {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(5 * 60),
            max_age: Duration::from_secs(24 * 3_600),
            cooldown: Duration::from_secs(30),
        }
    }
}

/// How it stands with an issuer's public keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyState {
    /// The issuer's name.
    pub issuer: String,
    /// Whether there are keys, and young enough to be used.
    pub usable: bool,
    /// Time since they were last loaded, if ever.
    pub age: Option<Duration>,
    /// How many there are.
    pub keys: usize,
    /// How often loading them went well.
    pub refreshes: u64,
    /// How often it did not.
    pub failures: u64,
}

/// Why keys cannot come from a source. For the operator; callers never read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeySourceError {
    /// The issuer's name is no URL that its keys could be discovered at.
    #[error(
        "keys are discovered at the issuer's URL, and `issuer` is not one: use an https URL without query and fragment (http on this machine only), or give `secret` or `jwks`"
    )]
    IssuerUrl,
    /// The URL of the key set is no URL to trust.
    #[error(
        "the URL of the keys must be an https URL without user and fragment (http on this machine only)"
    )]
    JwksUrl,
    /// The times contradict each other.
    #[error(
        "keys must be refreshed before they are too old: `keys.refresh` must be less than `keys.maxAge`"
    )]
    Times,
    /// The source could not be read.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The file could not be read.
    #[error("the file of keys cannot be read")]
    File,
    /// The file or answer is too long.
    #[error("the set of keys is longer than 256 KiB")]
    TooLong,
    /// The document is no JWK Set (RFC 7517 §5).
    #[error("not a JWK Set: a JSON object with a list `keys`")]
    NotKeySet,
    /// Nobody needs so many.
    #[error("the set holds more than 100 keys")]
    TooMany,
    /// The metadata is of somebody else.
    #[error("the discovered metadata names another issuer")]
    OtherIssuer,
    /// The metadata does not say where the keys are, or names a place that is not trusted.
    #[error("the discovered metadata names no `jwks_uri` that can be trusted")]
    NoJwksUri,
}
