//! The `audit` section as written.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The audit log: one line per request, in a chain that shows every change. Default: none.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Audit")]
pub(in crate::config) struct RawAudit {
    /// The file, such as `./audit.jsonl`. Beside it lies its head, `audit.jsonl.head`. `-` is standard output, not with
    /// `mode: strict`.
    #[schemars(length(min = 1))]
    pub(in crate::config) file: String,
    /// The secret that seals the chain, at least 32 bytes, such as `${file:/run/secrets/audit}`. Whoever has it can forge lines.
    pub(in crate::config) key: String,
    /// The key before, for a start with a new one: a log that it sealed is gone on with, and a `rekeyed` line names the
    /// new key. May stay until the next change. Default: none.
    #[serde(default)]
    pub(in crate::config) previous_key: Option<String>,
    /// What calls wait for.
    #[serde(default)]
    pub(in crate::config) mode: RawAuditMode,
    /// What is kept of arguments.
    #[serde(default)]
    pub(in crate::config) arguments: RawAuditArguments,
    /// Names of members whose values are left out of recorded arguments, wherever they stand, without regard to
    /// case. Default: `password`, `secret`, `token`, `apiKey`, `api_key`, `authorization`.
    #[serde(default = "usual_secrets")]
    pub(in crate::config) redact: BTreeSet<String>,
    /// When a file is full. A full one is renamed to `FILE.` and the number of its first line, in 12 digits.
    #[serde(default)]
    pub(in crate::config) rotate: RawAuditRotation,
}

/// What the audit log keeps of one tool's or resource's arguments.
#[derive(Deserialize, Serialize, JsonSchema, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "AuditOverride")]
pub(in crate::config) struct RawAuditOverride {
    /// What is kept. Default: as `audit.arguments` says.
    pub(in crate::config) arguments: Option<RawAuditArguments>,
    /// Names of members whose values are left out, in place of those of `audit.redact`.
    pub(in crate::config) redact: Option<BTreeSet<String>>,
}

/// When a file of the audit log is full, and how many are kept. The chain goes on from file to file.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "AuditRotation")]
pub(in crate::config) struct RawAuditRotation {
    /// Longest file, in bytes. Lines that are written at once are not split: a file may get longer by them.
    #[schemars(range(min = 65_536, max = 1_099_511_627_776_u64))]
    pub(in crate::config) max_bytes: u64,
    /// Whether each day (UTC) has a file of its own.
    pub(in crate::config) daily: bool,
    /// How many full files are kept; older ones are deleted. 0: all.
    #[schemars(range(max = 1_000_000))]
    pub(in crate::config) keep: usize,
}

impl Default for RawAuditRotation {
    fn default() -> Self {
        Self {
            max_bytes: 100 << 20,
            daily: true,
            keep: 0,
        }
    }
}

/// `strict`: no tool starts that is not on record, no answer is sent before its line is on disk, and when the log
/// cannot be written, calls are refused. `bestEffort`: calls do not wait; lines that cannot be written are dropped and counted.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AuditMode")]
pub(in crate::config) enum RawAuditMode {
    Strict,
    #[default]
    BestEffort,
}

/// `digest`: a keyed digest, equal for equal arguments. `recorded`: the arguments as well, without what `redact` names.
#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AuditArguments")]
pub(in crate::config) enum RawAuditArguments {
    #[default]
    Digest,
    Recorded,
}

pub(in crate::config) fn usual_secrets() -> BTreeSet<String> {
    let names = [
        "password",
        "secret",
        "token",
        "apiKey",
        "api_key",
        "authorization",
    ];
    names.map(str::to_owned).into()
}
