//! Prompts: simple, with arguments that are completed, with a resource, with an image.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tollgate::{
    CallContext, Content, Prompt, PromptMessage, ResourceContents, Suggestions, ToolError,
};

use crate::contents::{NoArgs, PIXEL};

#[derive(Deserialize, JsonSchema)]
struct TwoArgs {
    /// First test argument
    arg1: String,
    /// Second test argument
    arg2: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ResourceArgs {
    /// URI of the resource to embed
    resource_uri: String,
}

pub(crate) fn prompts() -> Vec<Prompt> {
    vec![
        Prompt::new("test_simple_prompt", "A prompt without arguments.")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| {
                Ok::<_, ToolError>("This is a simple prompt for testing.".to_owned())
            }),
        Prompt::new("test_prompt_with_arguments", "A prompt with arguments.")
            .any_authenticated()
            .complete("arg1", async |_, typing| {
                let known = ["paris", "park", "party"];
                Ok(Suggestions::beginning_with(&typing.value, known))
            })
            .handler(async |_: CallContext, args: TwoArgs| {
                let TwoArgs { arg1, arg2 } = args;
                Ok::<_, ToolError>(format!(
                    "Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"
                ))
            }),
        Prompt::new("test_prompt_with_embedded_resource", "Embeds a resource.")
            .any_authenticated()
            .handler(async |_: CallContext, args: ResourceArgs| {
                let text = ResourceContents::text("Embedded resource content for testing.");
                let resource = Content::embedded(args.resource_uri, text.mime_type("text/plain"));
                Ok::<_, ToolError>(vec![
                    PromptMessage::user(resource),
                    PromptMessage::user("Please process the embedded resource above."),
                ])
            }),
        Prompt::new("test_prompt_with_image", "Shows an image.")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| {
                Ok::<_, ToolError>(vec![
                    PromptMessage::user(Content::image(PIXEL, "image/png")),
                    PromptMessage::user("Please analyze the image above."),
                ])
            }),
        Prompt::new("test_input_required_result_prompt", "Asks for its context.")
            .any_authenticated()
            .handler(async |call: CallContext, _: NoArgs| {
                let schema = json!({
                    "type": "object",
                    "properties": {"context": {"type": "string"}},
                    "required": ["context"],
                });
                let message = "What context should the prompt use?";
                let answer = call.elicit("user_context", message, schema).await?;
                let context = answer.content.get("context").cloned().unwrap_or_default();
                Ok::<_, ToolError>(format!("Use this context: {context}"))
            }),
    ]
}
