//! The `audit` section: where every call is put on record.
//!
//! A reader would ask why the key is not made up when none is given: a log whose key nobody kept
//! proves nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::document::At;
use super::faults::Faults;
use super::raw::{RawAudit, RawAuditArguments, RawAuditMode, RawAuditOverride, usual_secrets};
use super::secret;

/// The checked `audit` section. `Debug` does not show the key.
#[derive(Debug, Clone)]
pub struct Audit {
    /// The file; a relative path has been joined to the folder of the config file. None: standard output.
    pub file: Option<PathBuf>,
    /// What the chain's keys come from: at least 32 bytes and not a well-known secret.
    pub key: SecretString,
    /// The one before it, likewise.
    pub previous_key: Option<SecretString>,
    /// Whether calls wait until their lines are on disk.
    pub is_strict: bool,
    /// Whether arguments are recorded, and not only their digest.
    pub records_arguments: bool,
    /// Names of members whose values are left out, in lower case.
    pub redact: BTreeSet<String>,
    /// Whether the file names others than the usual ones.
    pub names_redacted: bool,
    /// When its files are full.
    pub rotate: AuditRotation,
}

/// When a file of the audit log is full, and how many are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRotation {
    /// Longest file in bytes, 64 KiB to 1 TiB, default 100 MiB.
    pub max_bytes: u64,
    /// Whether each day (UTC) has a file of its own.
    pub daily: bool,
    /// How many full files are kept; 0 is all of them.
    pub keep: usize,
}

/// What the log keeps of the arguments of one tool or resource, where that is otherwise than for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditOverride {
    /// Whether arguments are recorded, and not only their digest.
    pub records_arguments: Option<bool>,
    /// Names of members whose values are left out, in lower case.
    pub redact: Option<BTreeSet<String>>,
}

pub(super) fn check_override(raw: RawAuditOverride) -> AuditOverride {
    let is_recorded = |kept| matches!(kept, RawAuditArguments::Recorded);
    AuditOverride {
        records_arguments: raw.arguments.map(is_recorded),
        redact: raw.redact.as_ref().map(lower_case),
    }
}

fn lower_case(names: &BTreeSet<String>) -> BTreeSet<String> {
    names.iter().map(|name| name.to_lowercase()).collect()
}

/// `-` is standard output; a relative path is joined to the folder of the config file.
pub(super) fn destination(file: &str, config: &Path) -> Option<PathBuf> {
    let folder = config.parent().unwrap_or(Path::new(""));
    // Without the `./` in the middle: it is shown at start.
    (file != "-").then(|| folder.join(file).components().collect())
}

pub(super) fn check(raw: RawAudit, file: &Path, at: &At<'_>, faults: &mut Faults) -> Audit {
    secret::check(&raw.key, 32, &at.key("key"), faults);
    if let Some(previous) = &raw.previous_key {
        secret::check(previous, 32, &at.key("previousKey"), faults);
    }
    let destination = destination(&raw.file, file);
    if destination.is_none() && matches!(raw.mode, RawAuditMode::Strict) {
        at.key("mode").fault(
            faults,
            "nothing tells when a line on standard output is safe: name a file, or set bestEffort",
        );
    }
    Audit {
        file: destination,
        key: raw.key.into(),
        previous_key: raw.previous_key.map(Into::into),
        is_strict: matches!(raw.mode, RawAuditMode::Strict),
        records_arguments: matches!(raw.arguments, RawAuditArguments::Recorded),
        names_redacted: raw.redact != usual_secrets(),
        redact: lower_case(&raw.redact),
        rotate: AuditRotation {
            max_bytes: raw.rotate.max_bytes,
            daily: raw.rotate.daily,
            keep: raw.rotate.keep,
        },
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{SECRET, faults, good};

    #[test]
    fn nothing_is_put_on_record_unless_it_is_said_where() {
        assert!(good("telemetry: {}").audit.is_none());
        let audit = good(&format!("audit: {{file: a.jsonl, key: {SECRET}}}")).audit;
        let audit = audit.expect("an audit section");
        assert!(!audit.is_strict && !audit.records_arguments);
        assert!(audit.redact.contains("apikey"));
    }

    #[test]
    fn a_key_that_anybody_can_guess_is_refused() {
        let found = faults("audit:\n  file: a.jsonl\n  key: changeme\n");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("tollgate.yaml:3: audit.key: the secret is shorter than 32 bytes")
        );
        let found = faults("audit: {file: a.jsonl}");
        assert!(found[0].contains("key"), "{found:?}");
        let found = faults(&format!(
            "audit:\n  file: a.jsonl\n  key: {SECRET}\n  previousKey: changeme\n"
        ));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("tollgate.yaml:4: audit.previousKey: the secret is shorter"));
    }

    #[test]
    fn a_dash_is_standard_output_which_is_never_strict() {
        let audit = good(&format!("audit: {{file: '-', key: {SECRET}}}")).audit;
        assert_eq!(audit.expect("an audit section").file, None);
        let found = faults(&format!(
            "audit:\n  file: '-'\n  key: {SECRET}\n  mode: strict\n"
        ));
        assert_eq!(
            found,
            [
                "tollgate.yaml:4: audit.mode: nothing tells when a line on standard output is safe: name a file, or set bestEffort"
            ]
        );
    }
}
