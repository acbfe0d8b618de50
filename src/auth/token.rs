//! Verifying a JSON Web Token (RFC 7519) against the configured issuers.
//!
//! The signature is checked by `jsonwebtoken`; the rest is ours, because its defaults are looser
//! than our promise (`nbf` off, `aud` and `iss` only if present, `crit` ignored, doubled claims
//! kept). Order: shape, header, issuer, algorithm, signature, and only then the claims.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::AuthError;
use super::cache::Verified;
use super::claims::{ClaimNames, Claims, audience_matches, numeric_date};
use super::inclusion::ScopeInclusion;
use crate::json::StrictObject;

/// Longest token that is looked at, in bytes.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// How far clocks may differ, in seconds, for `exp`, `nbf` and `iat`.
pub(super) const LEEWAY_SECONDS: u64 = 30;
/// Shortest shared secret, in bytes (RFC 7518 §3.2: a key at least as long as the hash).
const MIN_SECRET_BYTES: usize = 32;
/// Header parameters that would have us follow, trust or skip something (RFC 7515 §4.1, RFC 7797).
const FORBIDDEN_HEADERS: [&str; 6] = ["crit", "b64", "jku", "x5u", "jwk", "x5c"];

/// A party whose tokens are accepted, with the key that proves them.
pub struct Issuer {
    name: String,
    audiences: Vec<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
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
        let audiences: Vec<String> = audiences.into_iter().map(Into::into).collect();
        if secret.expose_secret().len() < MIN_SECRET_BYTES {
            return Err(IssuerError::ShortSecret);
        }
        if audiences.is_empty() {
            return Err(IssuerError::NoAudience);
        }
        Ok(Self {
            name: name.to_owned(),
            audiences,
            algorithms: vec![Algorithm::HS256],
            key: DecodingKey::from_secret(secret.expose_secret().as_bytes()),
        })
    }

    /// Accepts these HMAC algorithms instead of HS256 alone.
    pub fn with_algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }
}

/// When a token is good, in seconds since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Lifetime {
    expires: u64,
    not_before: u64,
}

impl Lifetime {
    fn of(claims: &Claims) -> Result<Self, AuthError> {
        let expires = numeric_date(claims, "exp")?.ok_or(AuthError::Invalid {
            cause: "exp is missing",
        })?;
        let not_before = numeric_date(claims, "nbf")?.unwrap_or(0);
        let issued = numeric_date(claims, "iat")?.unwrap_or(0);
        Ok(Self {
            expires,
            // A token from the future is not good yet, whichever claim says so.
            not_before: not_before.max(issued),
        })
    }

    pub(super) fn check(self, now: u64) -> Result<(), AuthError> {
        if now >= self.expires.saturating_add(LEEWAY_SECONDS) {
            return Err(AuthError::Invalid { cause: "expired" });
        }
        if now.saturating_add(LEEWAY_SECONDS) < self.not_before {
            return Err(AuthError::Invalid {
                cause: "not good yet (nbf or iat)",
            });
        }
        Ok(())
    }
}

pub(super) struct Verifier {
    issuers: Vec<Issuer>,
    names: ClaimNames,
    inclusion: Arc<ScopeInclusion>,
}

impl Verifier {
    pub(super) fn new(
        issuers: Vec<Issuer>,
        names: ClaimNames,
        inclusion: Arc<ScopeInclusion>,
    ) -> Self {
        Self {
            issuers,
            names,
            inclusion,
        }
    }

    pub(super) fn verify(&self, token: &str, now: u64) -> Result<Verified, AuthError> {
        let (message, signature) = token.rsplit_once('.').ok_or(SHAPE)?;
        let (header, payload) = message.split_once('.').ok_or(SHAPE)?;
        let algorithm = algorithm_of(&decode(header)?)?;
        let claims = decode(payload)?;

        let issuer = self.issuer_of(&claims)?;
        if !issuer.algorithms.contains(&algorithm) {
            return Err(AuthError::Invalid {
                cause: "the issuer does not use this algorithm",
            });
        }
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &issuer.key, algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => {
                return Err(AuthError::Invalid {
                    cause: "wrong signature",
                });
            }
        }

        if !audience_matches(&claims, &issuer.audiences) {
            return Err(AuthError::Invalid {
                cause: "meant for another audience",
            });
        }
        let lifetime = Lifetime::of(&claims)?;
        lifetime.check(now)?;
        Ok(Verified {
            principal: Arc::new(self.inclusion.expand(self.names.principal(&claims)?)),
            lifetime,
        })
    }

    fn issuer_of(&self, claims: &Claims) -> Result<&Issuer, AuthError> {
        claims
            .get("iss")
            .and_then(Value::as_str)
            .and_then(|name| self.issuers.iter().find(|issuer| issuer.name == name))
            .ok_or(AuthError::Invalid {
                cause: "unknown issuer",
            })
    }
}

const SHAPE: AuthError = AuthError::Invalid {
    cause: "not a signed JWT in compact form",
};

/// One part of the token: base64url without padding around one JSON object without doubled keys.
fn decode(part: &str) -> Result<Claims, AuthError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| SHAPE)?;
    let StrictObject(object) = serde_json::from_slice(&bytes).map_err(|_| SHAPE)?;
    Ok(object)
}

fn algorithm_of(header: &Claims) -> Result<Algorithm, AuthError> {
    if FORBIDDEN_HEADERS
        .iter()
        .any(|name| header.contains_key(*name))
    {
        return Err(AuthError::Invalid {
            cause: "a header parameter that is never accepted",
        });
    }
    // RFC 9068 §4 and RFC 8725 §3.11: a token that says it is something else is something else.
    let is_access_token = match header.get("typ") {
        None => true,
        Some(Value::String(typ)) => ["jwt", "at+jwt", "application/at+jwt"]
            .iter()
            .any(|known| typ.eq_ignore_ascii_case(known)),
        Some(_) => false,
    };
    if !is_access_token {
        return Err(AuthError::Invalid {
            cause: "typ is not JWT or at+jwt",
        });
    }
    header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok())
        .ok_or(AuthError::Invalid {
            cause: "unknown algorithm",
        })
}
