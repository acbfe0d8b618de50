//! A party whose tokens are accepted: what its tokens must say, and the keys that prove them.
//!
//! An issuer has a shared secret or public keys, never both, and its algorithms are of that one
//! kind. So a token signed with HMAC and a public key as the secret finds no key at all, instead of
//! being told apart by a check that somebody may forget (RFC 8725 §2.1).

use std::sync::Arc;

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use secrecy::{ExposeSecret, SecretString};

use super::AuthError;
use super::keys::{Key, KeyRing, KeySource, KeySourceError, KeyTimes};
use crate::clock::Clock;

/// Shortest shared secret, in bytes (RFC 7518 §3.2: a key at least as long as the hash).
const MIN_SECRET_BYTES: usize = 32;
/// What an issuer with public keys may sign with when nothing else is said: what identity providers
/// use today. The others are for those who ask for them.
const DEFAULT_PUBLIC: [Algorithm; 4] = [
    Algorithm::RS256,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// A party whose tokens are accepted, with the keys that prove them.
pub struct Issuer {
    name: String,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    allow_missing_audience: bool,
    keys: Keys,
}

enum Keys {
    Secret(Arc<Key>),
    Public(Arc<KeyRing>),
}

/// Why an issuer cannot be trusted as configured.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// The secret is shorter than 32 bytes.
    #[error("the secret must hold at least 32 bytes")]
    ShortSecret,
    /// No audience was given, so a token for anybody would do.
    #[error("at least one audience is needed")]
    NoAudience,
    /// No algorithm is left to sign with.
    #[error("at least one algorithm is needed")]
    NoAlgorithm,
    /// An HMAC algorithm for public keys, or the reverse.
    #[error(
        "HS256, HS384 and HS512 go with a secret, all other algorithms with public keys; an issuer has one kind"
    )]
    ForeignAlgorithm,
    /// The keys cannot come from there.
    #[error(transparent)]
    KeySource(#[from] KeySourceError),
}

/// A key that may have signed a token, and the set it was found in.
pub(super) struct Candidate {
    pub(super) key: Arc<Key>,
    /// Changes when the issuer's keys change; see [`Issuer::still_vouches`].
    pub(super) generation: u64,
}

impl Issuer {
    /// An issuer that signs with a shared secret of at least 32 bytes (HS256, RFC 7518 §3.2).
    ///
    /// `name` is compared exactly with `iss`; one of `audiences` must be in `aud`.
    ///
    /// # Errors
    /// [`IssuerError`] for a short secret or when no audience is given.
    pub fn hs256(
        name: &str,
        audiences: impl IntoIterator<Item = impl Into<String>>,
        secret: &SecretString,
    ) -> Result<Self, IssuerError> {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < MIN_SECRET_BYTES {
            return Err(IssuerError::ShortSecret);
        }
        let key = Key::secret(DecodingKey::from_secret(secret));
        let keys = Keys::Secret(Arc::new(key));
        Self::new(name, audiences, vec![Algorithm::HS256], keys)
    }

    /// An issuer that signs with private keys, whose public halves come from `source`: by default
    /// RS256, ES256, ES384 or EdDSA (RFC 7518 §3.1, RFC 8037).
    ///
    /// `name` is compared exactly with `iss`; one of `audiences` must be in `aud`. Keys are fetched
    /// while [`Authenticator::keep_fresh`](super::Authenticator::keep_fresh) runs.
    ///
    /// # Errors
    /// [`IssuerError`] when the source cannot be one, or when no audience is given.
    pub fn with_keys(
        name: &str,
        audiences: impl IntoIterator<Item = impl Into<String>>,
        source: &KeySource,
        times: KeyTimes,
    ) -> Result<Self, IssuerError> {
        let keys = Keys::Public(Arc::new(KeyRing::new(name, source, times)?));
        Self::new(name, audiences, DEFAULT_PUBLIC.to_vec(), keys)
    }

    fn new(
        name: &str,
        audiences: impl IntoIterator<Item = impl Into<String>>,
        algorithms: Vec<Algorithm>,
        keys: Keys,
    ) -> Result<Self, IssuerError> {
        let audiences: Vec<String> = audiences.into_iter().map(Into::into).collect();
        if audiences.is_empty() {
            return Err(IssuerError::NoAudience);
        }
        Ok(Self {
            name: name.to_owned(),
            audiences,
            algorithms,
            allow_missing_audience: false,
            keys,
        })
    }

    /// Accepts these algorithms instead of the default ones.
    ///
    /// # Errors
    /// [`IssuerError`] when there is none, or one that does not go with the issuer's keys.
    pub fn with_algorithms(
        mut self,
        algorithms: impl IntoIterator<Item = Algorithm>,
    ) -> Result<Self, IssuerError> {
        self.algorithms = algorithms.into_iter().collect();
        let has_secret = matches!(self.keys, Keys::Secret(_));
        let foreign =
            |algorithm: &Algorithm| (algorithm.family() == AlgorithmFamily::Hmac) != has_secret;
        if self.algorithms.is_empty() {
            return Err(IssuerError::NoAlgorithm);
        }
        if self.algorithms.iter().any(foreign) {
            return Err(IssuerError::ForeignAlgorithm);
        }
        Ok(self)
    }

    /// Accepts tokens that say not at all whom they are for. One that names others is still refused.
    /// For issuers that cannot be taught `aud`; any token of theirs then opens this server, too.
    pub fn allow_missing_audience(mut self) -> Self {
        self.allow_missing_audience = true;
        self
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn audiences(&self) -> &[String] {
        &self.audiences
    }

    pub(super) fn allows_missing_audience(&self) -> bool {
        self.allow_missing_audience
    }

    /// The keys that change, if they do.
    pub(super) fn ring(&self) -> Option<&KeyRing> {
        match &self.keys {
            Keys::Secret(_) => None,
            Keys::Public(ring) => Some(ring),
        }
    }

    /// Takes over the keys of the one of `before` that has them from the same source; of another one of the same
    /// issuer, what was counted.
    pub(super) fn keep_keys(&mut self, before: &[Self]) {
        let Keys::Public(own) = &mut self.keys else {
            return;
        };
        let rings = before.iter().filter_map(|issuer| match &issuer.keys {
            Keys::Public(ring) => Some(ring),
            Keys::Secret(_) => None,
        });
        for known in rings {
            if known.is_same_as(own) {
                *own = Arc::clone(known);
            } else if let Some(own) = Arc::get_mut(own) {
                own.count_on(known);
            }
        }
    }

    /// The one key that a token with this header may be signed with.
    pub(super) async fn key(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        clock: &Clock,
    ) -> Result<Candidate, AuthError> {
        if !self.algorithms.contains(&algorithm) {
            return Err(AuthError::Invalid {
                cause: "the issuer does not use this algorithm",
            });
        }
        match &self.keys {
            Keys::Secret(key) => Ok(Candidate {
                key: Arc::clone(key),
                generation: 0,
            }),
            Keys::Public(ring) => ring.find(id, algorithm, clock).await,
        }
    }

    /// Whether a token that was verified with keys of this generation needs no second look.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] when the keys are too old to be trusted.
    pub(super) fn still_vouches(&self, generation: u64, clock: &Clock) -> Result<bool, AuthError> {
        match &self.keys {
            Keys::Secret(_) => Ok(true),
            Keys::Public(ring) => ring.is_at(generation, clock),
        }
    }
}
