//! Tokens made by hand: any header, any payload, any key. What a library would refuse to sign is
//! what a server must refuse to accept.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// A JWS in compact form (RFC 7515 §7.1) over these very bytes.
pub(crate) fn signed(
    header: &[u8],
    payload: &[u8],
    algorithm: hmac::Algorithm,
    secret: &str,
) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
    format!("{message}.{signature}")
}

/// An ordinary HS256 token with these claims.
pub(crate) fn hs256(claims: &Value, secret: &str) -> String {
    let header = br#"{"alg":"HS256","typ":"JWT"}"#;
    signed(
        header,
        claims.to_string().as_bytes(),
        hmac::HMAC_SHA256,
        secret,
    )
}
