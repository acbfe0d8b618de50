//! What a prompt gives back: messages for a conversation (MCP 2026-07-28, server/prompts).

use serde::Serialize;

use super::{Content, Role};

/// The messages of a prompt.
///
/// ```
/// use tollgate::{Content, PromptMessage, PromptOutput};
///
/// let begun = PromptOutput::new([
///     PromptMessage::user(Content::image(b"\x89PNG", "image/png")),
///     PromptMessage::user("What is wrong in this picture?"),
///     PromptMessage::assistant("Let me look at the edges first."),
/// ])
/// .description("Looks at a picture");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PromptOutput {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    messages: Vec<PromptMessage>,
}

impl PromptOutput {
    /// These messages, in this order.
    pub fn new(messages: impl IntoIterator<Item = PromptMessage>) -> Self {
        Self {
            description: None,
            messages: messages.into_iter().collect(),
        }
    }

    /// What it is about, for people.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PromptMessage {
    role: Role,
    content: Content,
}

impl PromptMessage {
    /// What the person says.
    pub fn user(content: impl Into<Content>) -> Self {
        Self {
            role: Role::User,
            content: content.into(),
        }
    }

    /// What the model says.
    pub fn assistant(content: impl Into<Content>) -> Self {
        Self {
            role: Role::Assistant,
            content: content.into(),
        }
    }
}

/// One message of the person's.
impl From<String> for PromptOutput {
    fn from(text: String) -> Self {
        Self::new([PromptMessage::user(text)])
    }
}

impl From<Vec<PromptMessage>> for PromptOutput {
    fn from(messages: Vec<PromptMessage>) -> Self {
        Self::new(messages)
    }
}
