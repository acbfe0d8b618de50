//! Whether the server may be sent calls: what `/readyz` answers, on every listener.
//!
//! One issuer without usable keys makes the whole server not ready, though others' tokens are still
//! served: callers of that issuer would be refused here and may be served by another replica. A quota
//! store that fails makes it not ready only where calls are refused meanwhile; else the body tells how
//! calls are counted.

use bytes::Bytes;
use serde_json::json;

use crate::auth::KeyState;
use crate::error::CallError;
use crate::pipeline::Pipeline;
use crate::quota::{OnStoreFailure, StoreState};

/// The status and the JSON body.
pub(super) fn readiness(pipeline: &Pipeline) -> (u16, Bytes) {
    let unavailable = CallError::Draining.row().rest_status;
    if pipeline.load.is_closed() {
        return (
            unavailable,
            Bytes::from_static(b"{\"status\":\"draining\"}"),
        );
    }
    if let Some(body) = without_keys(&pipeline.authenticator.key_states()) {
        return (unavailable, body);
    }
    match pipeline.quotas.store_state() {
        None => (200, Bytes::from_static(b"{\"status\":\"ready\"}")),
        Some(store) => with_store(&store, unavailable),
    }
}

/// The answer of a server that shares its counts: who counts just now.
fn with_store(store: &StoreState, unavailable: u16) -> (u16, Bytes) {
    let (status, text, quotas) = match (store.is_up, store.on_failure) {
        (true, _) => (200, "ready", "store"),
        (false, OnStoreFailure::Deny) => (unavailable, "quota store unavailable", "deny"),
        (false, mode) => (200, "ready", mode.as_str()),
    };
    let body = json!({"status": text, "quotas": quotas});
    (status, Bytes::from(body.to_string()))
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
