//! Tools and resources that answer with every kind of content, with errors, and with words before
//! the answer.

use std::future::ready;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;
use tollgate::{
    CallContext, Content, LogLevel, Progress, Resource, ResourceContents, Tool, ToolError,
    ToolOutput,
};

/// One red pixel.
pub(crate) const PIXEL: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0,
    1, 0, 0, 0, 1, 8, 2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, 0x49, 0x44, 0x41, 0x54, 8,
    0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0, 3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, 0x49, 0x45,
    0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

/// A WAV file without a sample.
const SILENCE: &[u8] =
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";

#[derive(Deserialize, JsonSchema)]
pub(crate) struct NoArgs {}

#[derive(Deserialize, JsonSchema)]
struct ById {
    id: String,
}

/// A tool that answers with one piece of content, always the same.
fn always(name: &str, description: &str, content: fn() -> Content) -> Tool {
    Tool::new(name, description)
        .any_authenticated()
        .handler(move |_: CallContext, _: NoArgs| ready(Ok::<_, ToolError>(content())))
}

pub(crate) fn tools() -> Vec<Tool> {
    let mixed = || {
        let resource = ResourceContents::text(r#"{"test":"data","value":123}"#);
        ToolOutput::content([
            Content::text("Multiple content types test:"),
            Content::image(PIXEL, "image/png"),
            Content::embedded(
                "test://mixed-content-resource",
                resource.mime_type("application/json"),
            ),
        ])
    };
    vec![
        always("test_simple_text", "Returns a simple text.", || {
            Content::text("This is a simple text response for testing.")
        }),
        always("test_image_content", "Returns an image.", || {
            Content::image(PIXEL, "image/png")
        }),
        always("test_audio_content", "Returns sound.", || {
            Content::audio(SILENCE, "audio/wav")
        }),
        always("test_embedded_resource", "Returns a resource.", || {
            let text = ResourceContents::text("This is an embedded resource content.");
            Content::embedded("test://embedded-resource", text.mime_type("text/plain"))
        }),
        Tool::new("test_multiple_content_types", "Returns several contents.")
            .any_authenticated()
            .handler(move |_: CallContext, _: NoArgs| ready(Ok::<_, ToolError>(mixed()))),
        Tool::new("test_error_handling", "Always fails.")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| {
                let text = "This tool intentionally returns an error for testing";
                Err::<Content, _>(ToolError::refused(text))
            }),
        Tool::new("test_tool_with_logging", "Logs while it runs.")
            .any_authenticated()
            .handler(logging),
        Tool::new("test_logging_tool", "Logs once.")
            .any_authenticated()
            .handler(async |call: CallContext, _: NoArgs| {
                call.log(LogLevel::Info, "Logged");
                Ok::<_, ToolError>(Content::text("Done"))
            }),
        Tool::new("test_tool_with_progress", "Tells how far it is.")
            .any_authenticated()
            .handler(progress),
    ]
}

async fn logging(call: CallContext, _args: NoArgs) -> Result<Content, ToolError> {
    call.log(LogLevel::Info, "Tool execution started");
    sleep(Duration::from_millis(50)).await;
    call.log(LogLevel::Info, "Tool processing data");
    sleep(Duration::from_millis(50)).await;
    call.log(LogLevel::Info, "Tool execution completed");
    Ok(Content::text("Tool with logging executed successfully"))
}

async fn progress(call: CallContext, _args: NoArgs) -> Result<Content, ToolError> {
    for done in [0.0, 50.0, 100.0] {
        call.progress(Progress::new(done).total(100.0));
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Content::text("Tool with progress executed successfully"))
}

pub(crate) fn resources() -> Vec<Resource> {
    vec![
        Resource::new("test://static-text", "static-text")
            .description("A text that never changes.")
            .mime_type("text/plain")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| {
                let text = "This is the content of the static text resource.";
                Ok::<_, ToolError>(text.to_owned())
            }),
        Resource::new("test://static-binary", "static-binary")
            .description("An image that never changes.")
            .mime_type("image/png")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| {
                Ok::<_, ToolError>(ResourceContents::blob(PIXEL))
            }),
        Resource::new("test://watched-resource", "watched-resource")
            .description("A text to subscribe to.")
            .mime_type("text/plain")
            .any_authenticated()
            .handler(async |_: CallContext, _: NoArgs| Ok::<_, ToolError>("Watched.".to_owned())),
        Resource::new("test://template/{id}/data", "template-data")
            .description("The data of an id.")
            .any_authenticated()
            .handler(async |_: CallContext, args: ById| {
                let id = args.id;
                Ok::<_, ToolError>(json!({
                    "id": id, "templateTest": true, "data": format!("Data for ID: {id}"),
                }))
            }),
    ]
}
