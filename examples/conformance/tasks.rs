//! What the conformance suite's tasks scenarios call (SEP-2663).

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;
use tollgate::{CallContext, Progress, Question, Reply, TaskPolicy, Tool, ToolError};

#[derive(Deserialize, JsonSchema)]
struct NoArgs {}

#[derive(Deserialize, JsonSchema)]
struct Greet {
    name: String,
}

#[derive(Deserialize, JsonSchema)]
struct SlowCompute {
    seconds: u64,
    label: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct ConfirmDelete {
    filename: String,
}

async fn greet(_call: CallContext, args: Greet) -> Result<String, ToolError> {
    Ok(format!("Hello, {}!", args.name))
}

async fn slow_compute(call: CallContext, args: SlowCompute) -> Result<String, ToolError> {
    call.progress(Progress::new(0.0).message("computing"));
    sleep(Duration::from_secs(args.seconds)).await;
    Ok(format!("computed {}", args.label.unwrap_or_default()))
}

async fn failing_job(_call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    sleep(Duration::from_secs(1)).await;
    Err(ToolError::refused("This job always fails."))
}

async fn protocol_error_job(_call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    sleep(Duration::from_millis(200)).await;
    panic!("this job always breaks");
}

async fn confirm_delete(call: CallContext, args: ConfirmDelete) -> Result<String, ToolError> {
    let message = format!("Delete {}?", args.filename);
    let schema = json!({"type": "object", "properties": {"confirm": {"type": "boolean"}}});
    let reply = call.elicit("confirm", &message, schema).await?;
    let confirmed = reply.content.get("confirm") == Some(&json!(true));
    Ok(if confirmed {
        format!("deleted {}", args.filename)
    } else {
        "kept".to_owned()
    })
}

async fn multi_input(call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    let schema = || json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let questions = [
        ("first", Question::form("A name?", schema())),
        ("second", Question::form("Another one?", schema())),
    ];
    let replies = call.ask(questions).await?;
    let name = |key| match replies.get(key) {
        Some(Reply::Form(form)) => form.content.get("name").cloned().unwrap_or_default(),
        _ => json!(null),
    };
    Ok(format!("{} and {}", name("first"), name("second")))
}

async fn with_task(call: CallContext, _args: NoArgs) -> Result<String, ToolError> {
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
    });
    let reply = call.elicit("user_name", "Who are you?", schema).await?;
    call.continue_as_task().await;
    sleep(Duration::from_millis(200)).await;
    let name = reply.content.get("name").and_then(|name| name.as_str());
    Ok(format!("Hello, {}!", name.unwrap_or("whoever you are")))
}

/// The fixtures.
pub(crate) fn tools() -> Vec<Tool> {
    let tool = |name: &str| Tool::new(name, "A fixture.").any_authenticated();
    let minute = Duration::from_secs(60);
    let policy = TaskPolicy::new()
        .ttl(10 * minute)
        .poll_every(Duration::from_millis(200));
    let long = |name| tool(name).timeout(2 * minute);
    vec![
        tool("greet").handler(greet),
        long("slow_compute").task(policy).handler(slow_compute),
        long("failing_job")
            .task(policy.required())
            .handler(failing_job),
        long("protocol_error_job")
            .task(policy)
            .handler(protocol_error_job),
        long("confirm_delete").task(policy).handler(confirm_delete),
        long("multi_input").task(policy).handler(multi_input),
        long("test_tool_with_task")
            .task(policy.required().begins_when_told())
            .handler(with_task),
    ]
}
