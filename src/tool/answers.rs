//! Which Rust types a function may answer with, by what it is a function of.
//!
//! A tool or a resource may answer with any serialisable type that has a schema; each kind of target
//! has types of its own besides. A reader would ask why this is a trait over the kind: so that a
//! prompt that answers like a tool does not compile.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::output::Body;
use super::schema::output_schema_of;
use super::{
    Content, PromptFace, PromptMessage, PromptOutput, ResourceContents, ResourceFace, ToolError,
    ToolFace, ToolOutput,
};

/// What a function of a [`Tool`](super::Tool), [`Resource`](super::Resource) or
/// [`Prompt`](super::Prompt) may answer with.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no answer here",
    note = "tools and resources answer with types that are `Serialize` and `JsonSchema`",
    note = "tools also with `Content`, or several by `ToolOutput::content`",
    note = "resources also with `ResourceContents`, or several by `ToolOutput::resource`",
    note = "prompts with `PromptOutput`, `Vec<PromptMessage>` and `String` alone"
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

#[diagnostic::do_not_recommend]
impl<R: Serialize + JsonSchema> Answers<ToolFace> for R {
    fn schema() -> Option<Value> {
        Some(output_schema_of::<R>())
    }

    fn into_output(self) -> Result<ToolOutput, ToolError> {
        json_of(self)
    }
}

#[diagnostic::do_not_recommend]
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
                $into(self)
            }
        }
    )*};
}

without_schema! {
    ToolFace: ToolOutput => of_tool;
    ToolFace: Content => |content| Ok(ToolOutput::content([content]));
    ResourceFace: ResourceContents => |contents| Ok(ToolOutput::resource([contents]));
    ResourceFace: ToolOutput => of_resource;
    PromptFace: PromptOutput => |prompt| Ok(ToolOutput::prompt(prompt));
    PromptFace: Vec<PromptMessage> => |messages| Ok(ToolOutput::prompt(PromptOutput::new(messages)));
    PromptFace: String => |text| Ok(ToolOutput::prompt(PromptOutput::from(text)));
}

/// One type for both, so what belongs to the other is refused here rather than sent as nothing.
fn of_tool(output: ToolOutput) -> Result<ToolOutput, ToolError> {
    match output.body() {
        Body::Resource(_) => Err(ToolError::Defect(
            "a tool answered with `ToolOutput::resource`; embed it: `Content::embedded`".to_owned(),
        )),
        _ => Ok(output),
    }
}

fn of_resource(output: ToolOutput) -> Result<ToolOutput, ToolError> {
    match output.body() {
        Body::Content(..) => Err(ToolError::Defect(
            "a resource answered with `ToolOutput::content`; use `ToolOutput::resource`".to_owned(),
        )),
        _ => Ok(output),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_belongs_to_another_kind_of_target_is_a_defect_and_not_an_empty_answer() {
        let parts = ToolOutput::resource([ResourceContents::text("x")]);
        let pieces = ToolOutput::content([Content::text("x")]);
        let (parts_too, value) = (parts.clone(), ToolOutput::json(json!(1)));
        let by_tool = <ToolOutput as Answers<ToolFace>>::into_output;
        let by_resource = <ToolOutput as Answers<ResourceFace>>::into_output;
        assert!(matches!(by_tool(parts), Err(ToolError::Defect(_))));
        assert!(matches!(
            by_resource(pieces.clone()),
            Err(ToolError::Defect(_))
        ));
        assert!(by_tool(pieces).is_ok() && by_resource(parts_too).is_ok());
        assert!(by_tool(value.clone()).is_ok() && by_resource(value).is_ok());
    }
}
