//! What of a config file decides calls: all that policy tests and replays read of it.
//!
//! They run where secrets are not: on a laptop, in CI. So what only serving needs is taken out before
//! `${…}` is looked up, and a variable that is not set there is no fault. A reader would ask why nothing
//! stands in for missing variables instead: where one decides something, such as a limit, a made-up value
//! would decide it wrongly, so it stays a fault.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::audit::destination;
use super::document::{self, Content, Node};
use super::environment::ProcessEnvironment;
use super::faults::Faults;
use super::quota_store::MEMORY;
use super::{CONFIG_FILE, Config, interpolate, read};

/// The keys that decide nothing. Any other stays, so that a misspelt one is a fault as ever.
const SECTIONS: [&str; 4] = ["server", "stdio", "telemetry", "audit"];
const AUTH: [&str; 5] = [
    "issuers",
    "claims",
    "apiKeys",
    "apiKeysFile",
    "failureLimit",
];
const QUOTAS: [&str; 5] = [
    "store",
    "onStoreFailure",
    "storeTimeout",
    "storeCa",
    "keyPrefix",
];
/// Of a source only what kind it is decides: tools differ by that in what they may say.
const SOURCE: [&str; 2] = ["sqlite", "http"];

impl Config {
    /// Takes out everything that counts calls.
    pub fn lift_limits(&mut self) {
        let tools = self.tools.iter_mut().map(|tool| &mut tool.policy);
        let resources = self.resources.iter_mut();
        let resources = resources.map(|resource| &mut resource.policy);
        let prompts = self.prompts.iter_mut().map(|prompt| &mut prompt.policy);
        for policy in tools.chain(resources).chain(prompts) {
            policy.limits = None;
        }
        for tenant in self.tenants.values_mut() {
            tenant.limits = None;
            let own = tenant.tools.values_mut();
            own.chain(tenant.resources.values_mut())
                .chain(tenant.prompts.values_mut())
                .for_each(|own| own.limits = None);
        }
        self.quotas.default.clear();
        self.quotas.denial_limit = None;
    }
}

/// Where the audit log of a config file is, if it has one in a file: `audit.file`, and nothing else is read.
///
/// # Errors
/// A file that cannot be read, or a `${…}` in that key that cannot be expanded.
pub fn audit_file(path: &Path) -> Result<Option<PathBuf>, Faults> {
    let environment = ProcessEnvironment;
    let mut root = document::parse(&read(path, CONFIG_FILE, &environment)?, path)?;
    retain(&mut root, |key| key == "audit");
    entries(&mut root).for_each(|(_, section)| retain(section, |key| key == "file"));
    let mut faults = Faults::default();
    interpolate::expand_all(&mut root, path, &environment, &mut faults);
    let value = root.to_value();
    let file = value.pointer("/audit/file").and_then(Value::as_str);
    faults.or(file.and_then(|file| destination(file, path)))
}

/// Whether the servers of a config file count calls in a store that they share (`quotas.store`). Nothing else is read.
/// One whose `${…}` cannot be expanded here is such a store.
///
/// # Errors
/// A file that cannot be read.
pub fn shares_quotas(path: &Path) -> Result<bool, Faults> {
    let environment = ProcessEnvironment;
    let mut root = document::parse(&read(path, CONFIG_FILE, &environment)?, path)?;
    retain(&mut root, |key| key == "quotas");
    entries(&mut root).for_each(|(_, section)| retain(section, |key| key == "store"));
    interpolate::expand_all(&mut root, path, &environment, &mut Faults::default());
    let value = root.to_value();
    let store = value.pointer("/quotas/store").and_then(Value::as_str);
    Ok(store.is_some_and(|store| store != MEMORY))
}

/// Takes out what decides nothing.
pub(super) fn keep_what_decides(root: &mut Node) {
    retain(root, |key| !SECTIONS.contains(&key));
    for (name, section) in entries(root) {
        match name.as_str() {
            "auth" => retain(section, |key| !AUTH.contains(&key)),
            "quotas" => retain(section, |key| !QUOTAS.contains(&key)),
            "sources" => entries(section).for_each(|(_, source)| name_only(source)),
            _ => {}
        }
    }
}

/// Nothing is opened, so it does not matter where the source is.
fn name_only(source: &mut Node) {
    retain(source, |key| SOURCE.contains(&key));
    for (_, place) in entries(source) {
        if let Content::Scalar(Value::String(text)) = &mut place.content {
            "unopened".clone_into(text);
        }
    }
}

fn retain(node: &mut Node, keeps: impl Fn(&str) -> bool) {
    if let Content::Map(entries) = &mut node.content {
        entries.retain(|(key, _)| keeps(key));
    }
}

fn entries(node: &mut Node) -> impl Iterator<Item = &mut (String, Node)> {
    let entries = match &mut node.content {
        Content::Map(entries) => entries.as_mut_slice(),
        Content::Scalar(_) | Content::List(_) => &mut [],
    };
    entries.iter_mut()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::testing::{FULL, Fixed};
    use crate::config::{Config, Faults};

    fn deciding(text: &str) -> Result<Config, Faults> {
        Config::parse_deciding(text, Path::new("tollgate.yaml"), &Fixed::default())
    }

    #[test]
    fn what_decides_is_read_without_any_secret() {
        let config = deciding(FULL).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(config.auth.issuers.is_empty() && config.stdio.is_none());
        assert_eq!((config.sources.len(), config.tools.len()), (2, 2));
        assert_eq!(config.quotas.default.len(), 2);
        assert!(config.quotas.store.is_none());
        assert_eq!(config.tenants.len(), 1);
    }

    #[test]
    fn a_misspelt_key_is_a_fault_though_what_it_means_decides_nothing() {
        let faults = deciding("tenant: {}\nauth: {scpoes: {}}\nsevrer: {}\n").unwrap_err();
        let lines: Vec<String> = faults.0.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].contains("did you mean `tenants`?"), "{lines:?}");
        assert!(lines[1].contains("did you mean `scopes`?"), "{lines:?}");
    }

    #[test]
    fn a_variable_that_decides_and_is_not_set_is_a_fault() {
        let faults = deciding("quotas: {default: '${LIMIT:?calls per second}'}\n");
        assert_eq!(
            faults.unwrap_err().to_string(),
            "tollgate.yaml:1: quotas.default: environment variable `LIMIT` is not set or empty: calls per second"
        );
    }
}
