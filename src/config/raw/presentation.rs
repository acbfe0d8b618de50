//! What tools and resources tell clients of themselves. Taken as written: nothing of it governs a call.

use schemars::JsonSchema;
use serde::Deserialize;

/// What the tool does to the world, for clients that ask their users before some calls. The keys are those of MCP.
#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolAnnotations {
    /// Whether it changes nothing. Default: `true` with `sql`, and with `http` by GET or HEAD.
    pub read_only_hint: Option<bool>,
    /// Whether it may undo or overwrite something, and not only add. Clients take it that it does.
    pub destructive_hint: Option<bool>,
    /// Whether a second call with the same arguments changes nothing more. Default: `true` with `http` by PUT or DELETE, or
    /// with its `idempotent: true`.
    pub idempotent_hint: Option<bool>,
    /// Whether it deals with things outside of what its server knows, such as the web. Clients take it that it does.
    pub open_world_hint: Option<bool>,
}

/// What the resource tells of its content. The keys are those of MCP.
#[derive(Deserialize, JsonSchema, Debug, Clone, Default, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResourceAnnotations {
    /// Whom it is for.
    #[serde(default)]
    pub audience: Vec<Audience>,
    /// How much it matters, from 0 (entirely optional) to 1 (as good as required).
    #[schemars(range(min = 0.0, max = 1.0))]
    pub priority: Option<f64>,
    /// When it last changed, such as `2025-01-12T15:00:58Z`.
    pub last_modified: Option<String>,
}

/// Whom a content is for.
#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// A picture that clients may show beside the name.
#[derive(Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Icon {
    /// Its http or https URL, or `data:image/png;base64,…`.
    pub src: String,
    /// Its media type, such as `image/png`, where that of the source is missing or too general.
    pub mime_type: Option<String>,
    /// The sizes it is good for, such as `48x48`, or `any`. Default: every size.
    #[serde(default)]
    pub sizes: Vec<String>,
    /// The background it is drawn for. Default: any.
    pub theme: Option<Theme>,
}

/// What an icon is drawn for.
#[derive(Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// A light background.
    Light,
    /// A dark background.
    Dark,
}
