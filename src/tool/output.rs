//! What a tool gives back, and how it fails.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// A tool's answer: one JSON value.
///
/// MCP clients get it as structured content and as text; REST clients as `result`.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolOutput {
    value: Value,
}

impl ToolOutput {
    /// An answer.
    pub fn json(value: Value) -> Self {
        Self { value }
    }

    /// The answer's value.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

/// How a tool fails. What the model may read and what only the operator may read are apart.
///
/// Any `std::error::Error` becomes [`ToolError::Failed`] through `?`: logged in full, told to the
/// caller in general terms.
pub enum ToolError {
    /// The tool says no; the text goes to the model, so that it can do better.
    Refused(String),
    /// What was asked for does not exist; the text goes to the model.
    NotFound(String),
    /// The arguments fit the schema and still make no sense; the text goes to the model.
    InvalidArguments(String),
    /// The tool has too much to do; worth another try soon.
    Busy,
    /// What is behind the tool is left alone for a while, since it failed; nothing was tried.
    Unavailable {
        /// Until it is tried again.
        retry_after: Duration,
    },
    /// The tool noticed that its time was up.
    DeadlineExceeded,
    /// Something behind the tool broke; the text is for the log alone.
    Failed(String),
    /// The tool's own code is at fault; the text is for the log alone.
    Defect(String),
}

impl ToolError {
    /// The tool says no, and why.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(reason.into())
    }

    /// Which error it is, in a word that tells nothing else; the same as in the table of errors.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::NotFound(_) => "not-found",
            Self::InvalidArguments(_) => "invalid-arguments",
            Self::Busy => "source-busy",
            Self::Unavailable { .. } => "source-unavailable",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::Failed(_) => "source-failed",
            Self::Defect(_) => "internal",
        }
    }

    /// What was asked for does not exist.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound(what.into())
    }
}

/// `ToolError` is no `std::error::Error` itself: that is what lets every error become one.
impl<E: std::error::Error> From<E> for ToolError {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self::Failed(text)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(text) => write!(f, "refused: {text}"),
            Self::NotFound(text) => write!(f, "not found: {text}"),
            Self::InvalidArguments(text) => write!(f, "invalid arguments: {text}"),
            Self::Busy => f.write_str("busy"),
            Self::Unavailable { retry_after } => write!(f, "unavailable for {retry_after:?}"),
            Self::DeadlineExceeded => f.write_str("deadline exceeded"),
            Self::Failed(text) => write!(f, "failed: {text}"),
            Self::Defect(text) => write!(f, "defect: {text}"),
        }
    }
}
