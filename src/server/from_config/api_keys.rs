//! The API keys of a configuration: those it lists, and those in the file that it names.
//!
//! The file is read here a first time for its faults, which stop the start like any other; the
//! authenticator reads it again whenever it changes.

use crate::auth::{ApiKey, ApiKeyFile, IdentityError, Principal};
use crate::config::{self, Faults, load_api_keys};
use crate::server::ServerBuilder;

pub(super) fn add(auth: &config::Auth, builder: &mut ServerBuilder, faults: &mut Faults) {
    match accepted(auth.api_keys.clone()) {
        Ok(keys) => builder.api_keys = keys,
        Err(found) => faults.0.extend(found.0),
    }
    let Some(path) = &auth.api_keys_file else {
        return;
    };
    let (file, listed) = (path.clone(), auth.api_keys.clone());
    let read = move || load_api_keys(&file, &listed).and_then(accepted);
    if let Err(found) = read() {
        faults.0.extend(found.0);
    }
    builder.api_key_file = Some(ApiKeyFile::new(path, read));
}

fn accepted(keys: Vec<config::ApiKey>) -> Result<Vec<ApiKey>, Faults> {
    let mut faults = Faults::default();
    let mut accepted = Vec::with_capacity(keys.len());
    for key in keys {
        match principal(&key) {
            Ok(principal) => accepted.push(ApiKey::new(key.hash, principal, key.expires)),
            Err(error) => faults.0.push(key.origin.fault(error.to_string())),
        }
    }
    faults.or(accepted)
}

fn principal(key: &config::ApiKey) -> Result<Principal, IdentityError> {
    Principal::configured(&key.tenant, &key.subject, &key.scopes)
}
