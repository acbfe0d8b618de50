//! How calls become tasks, as written.

use schemars::JsonSchema;
use serde::Deserialize;

/// Calls of the tool go on as tasks, for clients that know them (MCP extension `io.modelcontextprotocol/tasks`).
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Task")]
pub(in crate::config) struct RawTask {
    /// How long a task and its result are kept, from its beginning on, such as `1h`. At least `timeout`, at most 7d.
    #[serde(default = "default_ttl")]
    pub(in crate::config) ttl: String,
    /// How often clients are to ask for news, such as `1s`. At most `ttl`.
    #[serde(default = "default_poll_every")]
    pub(in crate::config) poll_every: String,
    /// `true`: calls that cannot become tasks are refused.
    #[serde(default)]
    pub(in crate::config) required: bool,
}

fn default_ttl() -> String {
    "1h".into()
}

fn default_poll_every() -> String {
    "1s".into()
}
