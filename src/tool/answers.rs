//! Which Rust types a function may answer with, by what it is a function of.
//!
//! A tool or a resource may answer with any serialisable type that has a schema; each kind of target
//! has types of its own besides. A reader would ask why this is a trait over the kind: so that a
//! prompt that answers like a tool does not compile.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::schema::output_schema_of;
use super::{
    Content, PromptFace, PromptMessage, PromptOutput, ResourceContents, ResourceFace, ToolError,
    ToolFace, ToolOutput,
};

/// What a function of a [`Tool`](super::Tool), [`Resource`](super::Resource) or
/// [`Prompt`](super::Prompt) may answer with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer here",
    note = "tools and resources answer with types that are `Serialize` and `JsonSchema`; tools also with `ToolOutput` and `Content`, resources with `ResourceContents` and `ToolOutput::resource`, prompts with `PromptOutput`, `Vec<PromptMessage>` and `String`"
)]
pub trait Answers<Face> {
    /// The schema of all such answers, where there is one.
    fn schema() -> Option<Value>;

    /// The answer.
    ///
    /// # Errors
    /// [`ToolError::Defect`] when it cannot be written as JSON.
    fn into_output(self) -> Result<ToolOutput, ToolError>;
}

fn json_of(answer: impl Serialize) -> Result<ToolOutput, ToolError> {
    let value = serde_json::to_value(answer);
    let value = value.map_err(|error| ToolError::Defect(error.to_string()))?;
    Ok(ToolOutput::json(value))
}

impl<R: Serialize + JsonSchema> Answers<ToolFace> for R {
    fn schema() -> Option<Value> {
        Some(output_schema_of::<R>())
    }

    fn into_output(self) -> Result<ToolOutput, ToolError> {
        json_of(self)
    }
}

impl<R: Serialize + JsonSchema> Answers<ResourceFace> for R {
    fn schema() -> Option<Value> {
        Some(output_schema_of::<R>())
    }

    fn into_output(self) -> Result<ToolOutput, ToolError> {
        json_of(self)
    }
}

/// Answers that have no schema, and how they become an output.
macro_rules! without_schema {
    ($($face:ty: $answer:ty => $into:expr;)*) => {$(
        impl Answers<$face> for $answer {
            fn schema() -> Option<Value> {
                None
            }

            fn into_output(self) -> Result<ToolOutput, ToolError> {
                Ok($into(self))
            }
        }
    )*};
}

without_schema! {
    ToolFace: ToolOutput => |output| output;
    ToolFace: Content => |content| ToolOutput::content([content]);
    ResourceFace: ResourceContents => |contents| ToolOutput::resource([contents]);
    ResourceFace: ToolOutput => |output| output;
    PromptFace: PromptOutput => ToolOutput::prompt;
    PromptFace: Vec<PromptMessage> => |messages| ToolOutput::prompt(PromptOutput::new(messages));
    PromptFace: String => |text| ToolOutput::prompt(PromptOutput::from(text));
}
