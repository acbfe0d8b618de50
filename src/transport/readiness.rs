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
use crate::pipeline::{Pipeline, Standing};
use crate::quota::{OnStoreFailure, StoreState};

/// The status and the JSON body.
pub(super) fn readiness(pipeline: &Pipeline) -> (u16, Bytes) {
    let unavailable = CallError::Draining.row().rest_status;
    if pipeline.load.is_leaving() {
        return (
            unavailable,
            Bytes::from_static(b"{\"status\":\"draining\"}"),
        );
    }
    if let Some(body) = without_keys(&pipeline.authenticator.key_states()) {
        return (unavailable, body);
    }
    let mut body = json!({"status": "ready"});
    let mut status = 200;
    if pipeline.recorder.is_refusing() {
        body["status"] = json!("audit log unavailable");
        status = unavailable;
    }
    if let Some(store) = pipeline.quotas.store_state() {
        let (is_ready, quotas) = who_counts(&store);
        body["quotas"] = json!(quotas);
        if !is_ready {
            body["status"] = json!("quota store unavailable");
            status = unavailable;
        }
    }
    if let Some(config) = of_file(pipeline.reloads.state().standing) {
        body["config"] = json!(config);
    }
    (status, Bytes::from(body.to_string()))
}

/// Whether calls with limits are served, and who counts them just now, where replicas share a store.
fn who_counts(store: &StoreState) -> (bool, &'static str) {
    match (store.is_up, store.on_failure) {
        (true, _) => (true, "store"),
        (false, OnStoreFailure::Deny) => (false, "deny"),
        (false, mode) => (true, mode.as_str()),
    }
}

/// Ready all the same: what was served before is served on. No word on what is wrong, since anybody
/// may ask.
fn of_file(standing: Standing) -> Option<&'static str> {
    match standing {
        Standing::Current => None,
        Standing::NeedsRestart => Some("the file has changes that need a restart"),
        Standing::Refused => Some("the file could not be loaded: still serving the one before"),
    }
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
