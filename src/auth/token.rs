//! Verifying a JSON Web Token (RFC 7519) against the configured issuers.
//!
//! The signature is checked by `jsonwebtoken`; the rest is ours, because its defaults are looser
//! than our promise (`nbf` off, `aud` and `iss` only if present, `crit` ignored, doubled claims
//! kept). Order: shape, header, issuer, audience and times, key, signature, and only then identity.
//! All refusals look the same from outside, so a cheap check may come before a dear one.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::Value;

use super::AuthError;
use super::cache::{Proof, Verified};
use super::claims::{ClaimNames, Claims, audience_matches};
use super::inclusion::ScopeInclusion;
use super::issuer::Issuer;
use super::lifetime::Lifetime;
use crate::clock::Clock;
use crate::json::StrictObject;

/// Longest token that is looked at, in bytes.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// Header parameters that would have us follow, trust or skip something (RFC 7515 §4.1, RFC 7797).
const FORBIDDEN_HEADERS: [&str; 6] = ["crit", "b64", "jku", "x5u", "jwk", "x5c"];

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

    pub(super) fn names(&self) -> &ClaimNames {
        &self.names
    }

    pub(super) fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    pub(super) fn keep_keys(&mut self, before: &Self) {
        for issuer in &mut self.issuers {
            issuer.keep_keys(&before.issuers);
        }
    }

    /// Whether a token found good before is good still, as far as its issuer's keys go.
    ///
    /// # Errors
    /// [`AuthError::Unavailable`] when the issuer's keys are too old to tell.
    pub(super) fn still_vouches(&self, proof: Proof, clock: &Clock) -> Result<bool, AuthError> {
        let issuer = self.issuers.get(proof.issuer);
        issuer.map_or(Ok(false), |issuer| {
            issuer.still_vouches(proof.generation, clock)
        })
    }

    /// Verifies a token. Waits only where its issuer's keys have to be loaded first.
    pub(super) async fn verify(&self, token: &str, clock: &Clock) -> Result<Verified, AuthError> {
        let (message, signature) = token.rsplit_once('.').ok_or(SHAPE)?;
        let (header, payload) = message.split_once('.').ok_or(SHAPE)?;
        let header = Header::read(&decode(header)?)?;
        let claims = decode(payload)?;

        let (index, issuer) = self.issuer_of(&claims)?;
        // Before the signature, since it is cheaper: a stale token costs no key and no fetch.
        if !is_for_us(&claims, issuer) {
            return Err(AuthError::Invalid {
                cause: "meant for another audience",
            });
        }
        let lifetime = Lifetime::of(&claims)?;
        lifetime.check(clock.unix().as_secs())?;

        let id = header.key_id.as_deref();
        let found = issuer.key(id, header.algorithm, clock).await?;
        if !found.key.has_signed(message, signature, header.algorithm) {
            return Err(AuthError::Invalid {
                cause: "wrong signature",
            });
        }
        Ok(Verified {
            principal: Arc::new(self.inclusion.expand(self.names.principal(&claims)?)),
            lifetime,
            proof: Proof {
                issuer: index,
                generation: found.generation,
            },
        })
    }

    /// The issuer that a token names, if it is one that is trusted.
    pub(super) fn issuer_named_in(&self, token: &str) -> Option<String> {
        let claims = decode(token.split('.').nth(1)?).ok()?;
        let (_, issuer) = self.issuer_of(&claims).ok()?;
        Some(issuer.name().to_owned())
    }

    fn issuer_of(&self, claims: &Claims) -> Result<(usize, &Issuer), AuthError> {
        let name = claims.get("iss").and_then(Value::as_str);
        let mut issuers = self.issuers.iter().enumerate();
        issuers
            .find(|(_, issuer)| name == Some(issuer.name()))
            .ok_or(AuthError::Invalid {
                cause: "unknown issuer",
            })
    }
}

fn is_for_us(claims: &Claims, issuer: &Issuer) -> bool {
    (issuer.allows_missing_audience() && !claims.contains_key("aud"))
        || audience_matches(claims, issuer.audiences())
}

const SHAPE: AuthError = AuthError::Invalid {
    cause: "not a signed JWT in compact form",
};

/// One part of the token: base64url without padding around one JSON object without doubled keys.
pub(super) fn decode(part: &str) -> Result<Claims, AuthError> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| SHAPE)?;
    let StrictObject(object) = serde_json::from_slice(&bytes).map_err(|_| SHAPE)?;
    Ok(object)
}

/// What of a header counts (RFC 7515 §4.1).
struct Header {
    algorithm: Algorithm,
    key_id: Option<String>,
}

impl Header {
    fn read(header: &Claims) -> Result<Self, AuthError> {
        let key_id = match header.get("kid") {
            None => None,
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => {
                return Err(AuthError::Invalid {
                    cause: "kid is no string",
                });
            }
        };
        Ok(Self {
            algorithm: algorithm_of(header)?,
            key_id,
        })
    }
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
