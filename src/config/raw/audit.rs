//! The `audit` section as written.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The audit log: one line per request, in a chain that shows every change. Default: none.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Audit")]
pub(in crate::config) struct RawAudit {
    /// The file, such as `./audit.jsonl`. Beside it lies its head, `audit.jsonl.head`.
    #[schemars(length(min = 1))]
    pub(in crate::config) file: String,
    /// The secret that seals the chain, at least 32 bytes, such as `${file:/run/secrets/audit}`. Whoever has it can forge lines.
    pub(in crate::config) key: String,
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

fn usual_secrets() -> BTreeSet<String> {
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
