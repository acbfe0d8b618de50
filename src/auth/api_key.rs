//! API keys: a credential for teams without an identity provider.
//!
//! A key is `tgk_ID_SECRET` with 32 random bytes as its secret. The configuration holds nothing but
//! its SHA-256. A reader would ask why not a slow hash: those protect texts that people think up; 256
//! random bits cannot be found by trying, however fast each try is, and a slow hash on every call
//! would let anybody keep the server busy. Keys are looked up by their digest, so that neither time
//! nor a near miss tells anything about a key.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use super::AuthError;
use super::inclusion::ScopeInclusion;
use super::mint::{NoRandomness, random_secret};
use super::principal::Principal;

/// What every key begins with. A bearer token that begins like this is never taken for a token.
pub(super) const PREFIX: &str = "tgk_";
/// How many characters an id has that nobody chose: 62 bits.
const ID_LENGTH: usize = 12;

/// A key that is accepted: who presents it is `principal`.
pub struct ApiKey {
    hash: [u8; 32],
    principal: Principal,
    expires: Option<Duration>,
}

impl ApiKey {
    /// The key whose whole text has this SHA-256; good until `expires`, a time since the Unix epoch.
    pub fn new(hash: [u8; 32], principal: Principal, expires: Option<Duration>) -> Self {
        Self {
            hash,
            principal,
            expires,
        }
    }
}

/// Keys by their SHA-256.
#[derive(Default)]
pub(super) struct KeyTable(HashMap<[u8; 32], Entry>);

struct Entry {
    principal: Arc<Principal>,
    expires: Option<Duration>,
}

impl KeyTable {
    pub(super) fn new(keys: impl IntoIterator<Item = ApiKey>, inclusion: &ScopeInclusion) -> Self {
        let entry = |key: ApiKey| {
            let entry = Entry {
                principal: Arc::new(inclusion.expand(key.principal)),
                expires: key.expires,
            };
            (key.hash, entry)
        };
        Self(keys.into_iter().map(entry).collect())
    }

    pub(super) fn principals(&self) -> impl Iterator<Item = Arc<Principal>> {
        self.0.values().map(|entry| Arc::clone(&entry.principal))
    }

    /// Whose key this is at `now`, a time since the Unix epoch; `None` when it is not one of these.
    pub(super) fn find(&self, hash: &[u8; 32], now: Duration) -> Option<KeyResult> {
        let entry = self.0.get(hash)?;
        // No leeway: both times are of this machine.
        Some(if entry.expires.is_some_and(|expires| now >= expires) {
            Err(AuthError::Invalid {
                cause: "the API key has expired",
            })
        } else {
            Ok(Arc::clone(&entry.principal))
        })
    }
}

type KeyResult = Result<Arc<Principal>, AuthError>;

/// A new key, and what the configuration is to hold of it.
pub struct NewApiKey {
    /// Its name.
    pub id: String,
    /// The key itself, to be shown once.
    pub key: SecretString,
    /// `sha256:` and the key's SHA-256 in hexadecimal.
    pub hash: String,
}

impl NewApiKey {
    /// Makes a key, with this id or one of 12 random lower-case letters and digits.
    ///
    /// # Errors
    /// [`NoRandomness`] when the system gives no random bytes.
    pub fn random(id: Option<String>) -> Result<Self, NoRandomness> {
        let id = id.map_or_else(random_id, Ok)?;
        let secret = random_secret()?;
        let key = format!("{PREFIX}{id}_{}", secret.expose_secret());
        let hex: String = hash(&key)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Ok(Self {
            id,
            hash: format!("sha256:{hex}"),
            key: SecretString::from(key),
        })
    }
}

/// SHA-256 of a whole key.
pub(super) fn hash(key: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    hash
}

fn random_id() -> Result<String, NoRandomness> {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut id = String::with_capacity(ID_LENGTH);
    while id.len() < ID_LENGTH {
        let mut bytes = [0; 2 * ID_LENGTH];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        // 252 is the last multiple of 36: a byte above would favour the first letters.
        let even = bytes.iter().filter(|byte| **byte < 252);
        let letters = even.map(|byte| char::from(LETTERS[usize::from(byte % 36)]));
        id.extend(letters.take(ID_LENGTH - id.len()));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_its_id_and_32_random_bytes() {
        let (one, other) = (NewApiKey::random(None), NewApiKey::random(None));
        let (one, other) = (one.expect("random bytes"), other.expect("random bytes"));
        assert_ne!(one.id, other.id);
        let text = one.key.expose_secret();
        let rest = text.strip_prefix("tgk_").expect("the prefix");
        let (id, secret) = rest.split_once('_').expect("an id");
        assert_eq!((id, id.len(), secret.len()), (one.id.as_str(), 12, 43));
        assert!(
            id.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        );
        let named = NewApiKey::random(Some("ci-bot".to_owned())).expect("random bytes");
        assert!(named.key.expose_secret().starts_with("tgk_ci-bot_"));
    }

    #[test]
    fn the_hash_is_sha_256_of_the_whole_key() {
        // FIPS 180-4, example of one block.
        let known = hash("abc");
        assert_eq!(known[..4], [0xba, 0x78, 0x16, 0xbf]);
        let new = NewApiKey::random(None).expect("random bytes");
        let hex = new.hash.strip_prefix("sha256:").expect("the algorithm");
        let of_key = hash(new.key.expose_secret());
        assert_eq!(hex.len(), 64);
        assert_eq!(u8::from_str_radix(&hex[62..], 16), Ok(of_key[31]));
    }
}
