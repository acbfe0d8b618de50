//! Whether the server may be sent calls: what `/readyz` answers, on every listener.
//!
//! One issuer without usable keys makes the whole server not ready, though others' tokens are still
//! served: callers of that issuer would be refused here and may be served by another replica.

use bytes::Bytes;
use serde_json::json;

use crate::auth::KeyState;
use crate::error::CallError;
use crate::pipeline::{Pipeline, Standing};

/// The status and the JSON body.
pub(super) fn readiness(pipeline: &Pipeline) -> (u16, Bytes) {
    let unavailable = CallError::Draining.row().rest_status;
    if pipeline.load.is_leaving() {
        return (
            unavailable,
            Bytes::from_static(b"{\"status\":\"draining\"}"),
        );
    }
    match without_keys(&pipeline.authenticator.key_states()) {
        Some(body) => (unavailable, body),
        None => (200, ready(pipeline.reloads.state().standing)),
    }
}

/// Ready all the same: what was served before is served on. No word on what is wrong, since anybody
/// may ask.
fn ready(standing: Standing) -> Bytes {
    let config = match standing {
        Standing::Current => return Bytes::from_static(b"{\"status\":\"ready\"}"),
        Standing::NeedsRestart => "the file has changes that need a restart",
        Standing::Refused => "the file could not be loaded: still serving the one before",
    };
    Bytes::from(json!({"status": "ready", "config": config}).to_string())
}

/// The answer that names the issuers whose tokens cannot be verified, if there are any.
fn without_keys(states: &[KeyState]) -> Option<Bytes> {
    let issuers: Vec<&str> = states
        .iter()
        .filter(|state| !state.usable)
        .map(|state| state.issuer.as_str())
        .collect();
    if issuers.is_empty() {
        return None;
    }
    let body = json!({"status": "keys unavailable", "issuers": issuers});
    Some(Bytes::from(body.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(issuer: &str, usable: bool) -> KeyState {
        KeyState {
            issuer: issuer.to_owned(),
            usable,
            age: None,
            keys: 0,
            refreshes: 0,
            failures: 0,
        }
    }

    #[test]
    fn issuers_without_keys_are_named() {
        assert_eq!(without_keys(&[]), None);
        assert_eq!(without_keys(&[keys("https://a.test/", true)]), None);
        let states = [
            keys("https://a.test/", true),
            keys("https://b.test/", false),
        ];
        assert_eq!(
            without_keys(&states).as_deref(),
            Some(&br#"{"status":"keys unavailable","issuers":["https://b.test/"]}"#[..])
        );
    }
}
