//! What a tool gives back, and how it fails.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Asked, Capability, Content, PromptOutput, ResourceContents};

/// The answer of a tool, a resource or a prompt.
///
/// MCP clients get a JSON value as structured content and as text; REST clients as `result`. A function
/// that answers with a type of its own needs none of this; it is for pieces of content, and for
/// resources of several parts.
///
/// ```
/// use serde_json::json;
/// use tollgate::{Content, ResourceContents, ToolOutput};
///
/// let drawing = ToolOutput::content([
///     Content::text("The sales of May"),
///     Content::image(b"\x89PNG", "image/png"),
/// ])
/// .with_structured(json!({"total": 4711}));
/// assert_eq!(drawing.structured(), Some(&json!({"total": 4711})));
///
/// let folder = ToolOutput::resource([
///     ResourceContents::text("one").at("notes://1"),
///     ResourceContents::text("two").at("notes://2"),
/// ]);
/// assert_eq!(folder.as_json()["contents"][1]["uri"], "notes://2");
/// ```
#[derive(Clone, Debug)]
pub struct ToolOutput {
    body: Body,
}

/// What an answer is.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// One value; its text is the value's.
    Value(Value),
    /// Pieces, beside a value if there is one.
    Content(Vec<Content>, Option<Value>),
    /// What a resource holds.
    Resource(Vec<ResourceContents>),
    /// A prompt's messages.
    Prompt(PromptOutput),
    /// Not yet an answer: what has to be known first.
    Asks(Asked),
}

impl ToolOutput {
    /// One JSON value.
    pub fn json(value: Value) -> Self {
        Self {
            body: Body::Value(value),
        }
    }

    /// Pieces of content, in their order.
    pub fn content(content: impl IntoIterator<Item = Content>) -> Self {
        Self {
            body: Body::Content(content.into_iter().collect(), None),
        }
    }

    /// The same with a value for programs, which says what the pieces say to people and models.
    pub fn with_structured(self, value: Value) -> Self {
        let content = match self.body {
            Body::Content(content, _) => content,
            _ => Vec::new(),
        };
        Self {
            body: Body::Content(content, Some(value)),
        }
    }

    /// What a resource holds that has several parts, such as a folder.
    pub fn resource(contents: impl IntoIterator<Item = ResourceContents>) -> Self {
        Self {
            body: Body::Resource(contents.into_iter().collect()),
        }
    }

    /// The messages of a prompt.
    pub fn prompt(prompt: PromptOutput) -> Self {
        Self {
            body: Body::Prompt(prompt),
        }
    }

    pub(crate) fn asks(asked: Asked) -> Self {
        Self {
            body: Body::Asks(asked),
        }
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// The value for programs, if there is one.
    pub fn structured(&self) -> Option<&Value> {
        match &self.body {
            Body::Value(value) | Body::Content(_, Some(value)) => Some(value),
            _ => None,
        }
    }

    /// The pieces of content; none where the value says it all.
    pub fn pieces(&self) -> &[Content] {
        match &self.body {
            Body::Content(content, _) => content,
            _ => &[],
        }
    }

    /// What a program gets that reads one JSON value: the structured one, else the pieces.
    pub fn as_json(&self) -> Cow<'_, Value> {
        match &self.body {
            Body::Value(value) | Body::Content(_, Some(value)) => Cow::Borrowed(value),
            Body::Content(content, None) => Cow::Owned(json!({ "content": content })),
            Body::Resource(contents) => Cow::Owned(json!({ "contents": contents })),
            Body::Prompt(prompt) => Cow::Owned(json!(prompt)),
            Body::Asks(_) => Cow::Owned(Value::Null),
        }
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
    /// No failure: the caller has to answer something first. [`CallContext::ask`](super::CallContext::ask)
    /// gives it; pass it on with `?`.
    Asks(Box<Asked>),
    /// The caller has to answer something, and its client said not that it can.
    ClientCannot(Capability),
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
            Self::Asks(_) => "input-required",
            Self::ClientCannot(_) => "client-cannot",
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
            Self::Asks(_) => f.write_str("asks for input"),
            Self::ClientCannot(what) => write!(f, "the client does not support {what}"),
        }
    }
}
