//! What a tool or resource tells clients of itself besides its name: hints on what it does, whom it is
//! for, icons (2026-07-28, schema, `ToolAnnotations`, `Annotations`, `Icon`).
//!
//! Nothing here governs a call: clients decide by it what to ask their users, and must not trust it
//! unless they trust the server. So what contradicts itself is refused when the catalogue is made.

use jiff::Timestamp;
use serde::Serialize;

use super::Annotations;

/// What a tool does to the world. What is not said means what MCP says: it may change things,
/// destructively, a second call does more, and it reaches outside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ToolHints {
    /// It changes nothing.
    #[serde(rename = "readOnlyHint", skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
    /// It may undo or overwrite something, and not only add.
    #[serde(rename = "destructiveHint", skip_serializing_if = "Option::is_none")]
    pub destructive: Option<bool>,
    /// A second call with the same arguments changes nothing more.
    #[serde(rename = "idempotentHint", skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// It deals with things outside of what its server knows, such as the web.
    #[serde(rename = "openWorldHint", skip_serializing_if = "Option::is_none")]
    pub open_world: Option<bool>,
}

impl ToolHints {
    /// What is said here, and else what `others` say.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            read_only: self.read_only.or(others.read_only),
            destructive: self.destructive.or(others.destructive),
            idempotent: self.idempotent.or(others.idempotent),
            open_world: self.open_world.or(others.open_world),
        }
    }

    pub(super) fn check(self) -> Result<(), String> {
        if self.read_only == Some(true) && self.destructive == Some(true) {
            return Err("says that it only reads and that it is destructive: readOnlyHint and destructiveHint cannot both be true".to_owned());
        }
        Ok(())
    }
}

impl Annotations {
    pub(super) fn check(&self) -> Result<(), String> {
        if self
            .priority
            .is_some_and(|priority| !(0.0..=1.0).contains(&priority))
        {
            return Err("its priority must be from 0 to 1".to_owned());
        }
        let modified = self.last_modified.as_deref();
        if modified.is_some_and(|modified| modified.parse::<Timestamp>().is_err()) {
            return Err(
                "lastModified must be a time with a zone, such as 2025-01-12T15:00:58Z".to_owned(),
            );
        }
        Ok(())
    }
}

/// What an icon is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// A light background.
    Light,
    /// A dark background.
    Dark,
}

/// A picture that clients may show beside the name; since revision 2025-11-25.
///
/// ```
/// use tollgate::tool::{Icon, Theme};
///
/// let icon = Icon::new("https://tools.example.com/weather.svg")
///     .mime_type("image/svg+xml")
///     .size("any")
///     .theme(Theme::Dark);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Icon {
    src: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mime_type: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sizes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    theme: Option<Theme>,
}

impl Icon {
    /// The picture at a URL, `https://…` or `http://…`, or in one, `data:image/png;base64,…`.
    pub fn new(src: impl Into<String>) -> Self {
        Self {
            src: src.into(),
            mime_type: None,
            sizes: Vec::new(),
            theme: None,
        }
    }

    /// Its media type, where that of the source is missing or too general.
    pub fn mime_type(mut self, mime_type: impl Into<String>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }

    /// A size it is good for, `48x48`, or `any`, besides those named already. Default: every size.
    pub fn size(mut self, size: impl Into<String>) -> Self {
        self.sizes.push(size.into());
        self
    }

    /// The background it is drawn for. Default: any.
    pub fn theme(mut self, theme: Theme) -> Self {
        self.theme = Some(theme);
        self
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let is_url = |scheme: &str| {
            let rest = self.src.strip_prefix(scheme);
            rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        };
        let is_data = self.src.starts_with("data:") && self.src.contains(";base64,");
        let is_plain = self.src.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain || !(is_url("https://") || is_url("http://") || is_data) {
            return Err(
                "an icon's src must be an http or https URL, or data:…;base64,…".to_owned(),
            );
        }
        if let Some(size) = self.sizes.iter().find(|size| !is_size(size)) {
            return Err(format!(
                "an icon's size is such as 48x48, or any; not `{size}`"
            ));
        }
        Ok(())
    }
}

fn is_size(size: &str) -> bool {
    let number = |text: &str| {
        !text.is_empty() && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    size == "any"
        || size
            .split_once('x')
            .is_some_and(|(width, height)| number(width) && number(height))
}
