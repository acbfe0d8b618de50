//! Signing a token with a configured secret: for `tollgate token`, dev mode and tests.
//!
//! Tollgate is a resource server, not an authorization server; this serves teams that share a
//! secret with their CI and people who try things out.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::claims::ClaimNames;

/// What a minted token says.
pub struct MintRequest<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// `aud`.
    pub audience: &'a str,
    /// The subject claim's value.
    pub subject: &'a str,
    /// The tenant claim's value.
    pub tenant: &'a str,
    /// The granted scopes, written as an array under the first configured scope claim that is
    /// plural, or as one space-separated string under `scope`.
    pub scopes: &'a [String],
    /// Time since the epoch: `iat`, and `exp` counts from it.
    pub now: Duration,
    /// How long the token is good.
    pub lifetime: Duration,
    /// The claims to write the identity under.
    pub claims: &'a ClaimNames,
}

/// Why a token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed: {0}")]
pub struct MintError(#[from] jsonwebtoken::errors::Error);

/// Makes a secret of 32 random bytes, written in base64url: 43 characters.
///
/// # Errors
/// [`NoRandomness`] when the system gives no random bytes.
pub fn random_secret() -> Result<SecretString, NoRandomness> {
    let mut bytes = [0; 32];
    // The system's own generator: the crypto library's would first gather entropy for some 30 ms.
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
}

/// The system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the system gave no random bytes")]
pub struct NoRandomness;

/// Signs a token with `secret` and an HMAC `algorithm`.
///
/// # Errors
/// [`MintError`] when `algorithm` is not an HMAC.
pub fn mint(
    request: &MintRequest<'_>,
    secret: &SecretString,
    algorithm: Algorithm,
) -> Result<String, MintError> {
    let now = request.now.as_secs();
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(request.issuer));
    claims.insert("aud".to_owned(), json!(request.audience));
    claims.insert("iat".to_owned(), json!(now));
    claims.insert(
        "exp".to_owned(),
        json!(now.saturating_add(request.lifetime.as_secs())),
    );
    claims.insert(request.claims.subject.clone(), json!(request.subject));
    claims.insert(request.claims.tenant.clone(), json!(request.tenant));
    let (name, scopes) = scope_claim(request);
    claims.insert(name, scopes);
    let key = EncodingKey::from_secret(secret.expose_secret().as_bytes());
    Ok(jsonwebtoken::encode(
        &Header::new(algorithm),
        &claims,
        &key,
    )?)
}

/// `scope` is a space-separated string by RFC 8693 §4.2; any other claim gets an array.
fn scope_claim(request: &MintRequest<'_>) -> (String, Value) {
    let names = &request.claims.scopes;
    match names.iter().find(|name| *name != "scope") {
        Some(name) => (name.clone(), json!(request.scopes)),
        None => ("scope".to_owned(), json!(request.scopes.join(" "))),
    }
}
