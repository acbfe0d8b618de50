//! `auth.apiKeysFile`: a file with a list of API keys of its own, which may change while the server runs.
//!
//! The same entries as `auth.apiKeys`, checked in the same way. A reader would ask why `${…}` is not expanded
//! in it: a command appends to it, and no entry holds a secret.

use std::path::Path;

use jsonschema::Draft;

use super::api_key::{self, ApiKey};
use super::document::{self, At};
use super::environment::{Environment, ProcessEnvironment};
use super::faults::{Faults, Origin};
use super::raw::RawApiKey;
use super::{schema, shape};

/// Reads the file. Its ids and hashes must differ from those of `others`, the keys in the config file.
///
/// # Errors
/// Every fault of the file, or that it cannot be read.
pub(crate) fn load_api_keys(path: &Path, others: &[ApiKey]) -> Result<Vec<ApiKey>, Faults> {
    let text = ProcessEnvironment.file(path).map_err(|error| {
        let origin = Origin {
            file: path.to_path_buf(),
            path: String::new(),
            line: None,
        };
        origin.fault(format!(
            "cannot read the file of API keys that auth.apiKeysFile names: {error}"
        ))
    })?;
    parse_api_keys(&text, path, others)
}

/// Checks the text of such a file; `path` names it in faults.
///
/// # Errors
/// Every fault at once.
pub(crate) fn parse_api_keys(
    text: &str,
    path: &Path,
    others: &[ApiKey],
) -> Result<Vec<ApiKey>, Faults> {
    let root = document::parse(text, path)?;
    let top = At::root(path, &root);
    let broken = || {
        top.origin()
            .fault("does not fit the schema of API keys (please report this)")
    };
    let schema = schema::json_schema_of::<Vec<RawApiKey>>();
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .build(&schema)
        .map_err(|_| broken())?;
    let value = root.to_value();
    let mut faults = Faults::default();
    shape::check(validator.iter_errors(&value), &schema, &top, &mut faults);
    faults.or(())?;
    let mut faults = Faults::default();
    let raw = serde_json::from_value(value).map_err(|_| broken())?;
    let keys = api_key::check(raw, others, &top, &mut faults);
    faults.or(keys)
}
