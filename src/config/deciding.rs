//! What of a config file decides calls: all that policy tests and replays read of it.
//!
//! They run where secrets are not: on a laptop, in CI. So what only serving needs is taken out before
//! `${…}` is looked up, and a variable that is not set there is no fault. A reader would ask why nothing
//! stands in for missing variables instead: where one decides something, such as a limit, a made-up value
//! would decide it wrongly, so it stays a fault.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::document::{self, Content, Node};
use super::environment::ProcessEnvironment;
use super::faults::Faults;
use super::{CONFIG_FILE, Config, interpolate, read};

/// The keys that decide.
const SECTIONS: [&str; 6] = ["auth", "quotas", "sources", "tools", "resources", "tenants"];
const AUTH: [&str; 1] = ["scopes"];
const QUOTAS: [&str; 3] = ["maxKeys", "default", "denialLimit"];
/// Of a source only what kind it is: tools differ by that in what they may say.
const SOURCE: [&str; 2] = ["sqlite", "http"];

impl Config {
    /// Takes out everything that counts calls.
    pub fn lift_limits(&mut self) {
        let tools = self.tools.iter_mut().map(|tool| &mut tool.policy);
        let resources = self.resources.iter_mut();
        for policy in tools.chain(resources.map(|resource| &mut resource.policy)) {
            policy.limits = None;
        }
        for tenant in self.tenants.values_mut() {
            tenant.limits = None;
            let own = tenant.tools.values_mut();
            own.chain(tenant.resources.values_mut())
                .for_each(|own| own.limits = None);
        }
        self.quotas.default.clear();
        self.quotas.denial_limit = None;
    }
}

/// Where the audit log of a config file is, if it has one: `audit.file`, and nothing else is read.
///
/// # Errors
/// A file that cannot be read, or a `${…}` in that key that cannot be expanded.
pub fn audit_file(path: &Path) -> Result<Option<PathBuf>, Faults> {
    let environment = ProcessEnvironment;
    let mut root = document::parse(&read(path, CONFIG_FILE, &environment)?, path)?;
    keep(&mut root, &["audit"]);
    entries(&mut root).for_each(|(_, section)| keep(section, &["file"]));
    let mut faults = Faults::default();
    interpolate::expand_all(&mut root, path, &environment, &mut faults);
    let value = root.to_value();
    let file = value.pointer("/audit/file").and_then(Value::as_str);
    let folder = path.parent().unwrap_or(Path::new(""));
    faults.or(file.map(|file| folder.join(file)))
}

/// Takes out everything else.
pub(super) fn keep_what_decides(root: &mut Node) {
    keep(root, &SECTIONS);
    for (name, section) in entries(root) {
        match name.as_str() {
            "auth" => keep(section, &AUTH),
            "quotas" => keep(section, &QUOTAS),
            "sources" => entries(section).for_each(|(_, source)| name_only(source)),
            _ => {}
        }
    }
}

/// Nothing is opened, so it does not matter where the source is.
fn name_only(source: &mut Node) {
    keep(source, &SOURCE);
    for (_, place) in entries(source) {
        if let Content::Scalar(Value::String(text)) = &mut place.content {
            "unopened".clone_into(text);
        }
    }
}

fn keep(node: &mut Node, keys: &[&str]) {
    if let Content::Map(entries) = &mut node.content {
        entries.retain(|(key, _)| keys.contains(&key.as_str()));
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
        assert_eq!(config.tenants.len(), 2);
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
