//! An API key as the configuration holds it, in YAML.

use std::fmt::Write;

use serde_json::json;

/// What the configuration holds of a key.
pub(super) struct Entry<'a> {
    pub(super) id: &'a str,
    pub(super) hash: &'a str,
    pub(super) tenant: &'a str,
    pub(super) subject: &'a str,
    pub(super) scopes: &'a [String],
    pub(super) expires: &'a str,
}

impl Entry<'_> {
    /// An item of a YAML list, each line after `indent`. Texts are quoted as in JSON, which YAML 1.2
    /// includes, so that none is taken for a number.
    pub(super) fn yaml(&self, indent: &str) -> String {
        let fields = [
            ("- id", json!(self.id)),
            ("  hash", json!(self.hash)),
            ("  tenant", json!(self.tenant)),
            ("  subject", json!(self.subject)),
            ("  scopes", json!(self.scopes)),
            ("  expires", json!(self.expires)),
        ];
        let mut yaml = String::new();
        for (name, value) in fields {
            // Writing to a string does not fail.
            let _ = writeln!(yaml, "{indent}{name}: {value}");
        }
        yaml
    }
}
