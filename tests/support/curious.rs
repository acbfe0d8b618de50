//! Tools that ask their caller, and what a client says to that.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::server::ServerBuilder;
use tollgate::{Action, CallContext, Prompt, Question, Reply, SampleRequest, Tool, ToolError};

/// Arguments that make no difference but to the seal.
#[derive(Deserialize, JsonSchema)]
struct Whatever {
    #[serde(default)]
    #[expect(dead_code, reason = "makes no difference")]
    a: Value,
    #[serde(default)]
    #[expect(dead_code, reason = "makes no difference")]
    b: Value,
}

/// A form with one short text.
pub(crate) fn form(field: &str) -> Value {
    json!({
        "type": "object",
        "properties": {field: {"type": "string", "maxLength": 10}},
        "required": [field],
    })
}

/// What a user fills in.
pub(crate) fn accepted(content: Value) -> Value {
    json!({"action": "accept", "content": content})
}

/// What a client declares that can be asked anything.
pub(crate) fn everything() -> Value {
    json!({"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}})
}

/// Adds the tools, for anybody.
pub(crate) fn curious(server: ServerBuilder) -> ServerBuilder {
    let tool = |name: &str| Tool::new(name, "Asks.").any_authenticated();
    let patient = |name: &str| tool(name).timeout(Duration::from_secs(600));
    let prompt = Prompt::new("asks", "Asks.").any_authenticated();
    server
        .prompt(prompt.handler(name))
        .tool(patient("name").handler(name))
        .tool(patient("name_too").handler(name))
        .tool(patient("three").handler(three))
        .tool(patient("rounds").handler(rounds))
        .tool(patient("page").handler(page))
        .tool(
            tool("impatient")
                .timeout(Duration::from_secs(1))
                .handler(name),
        )
}

async fn name(call: CallContext, _: Whatever) -> Result<String, ToolError> {
    let reply = call.elicit("who", "Who are you?", form("name")).await?;
    Ok(match reply.action {
        Action::Accept => format!("Hello {}", reply.content["name"].as_str().unwrap_or("?")),
        Action::Decline => "declined".to_owned(),
        Action::Cancel => "closed".to_owned(),
    })
}

async fn three(call: CallContext, _: Whatever) -> Result<String, ToolError> {
    let questions = [
        ("who", Question::form("Who?", form("name"))),
        (
            "capital",
            Question::sample(SampleRequest::new(10).user("Capital?")),
        ),
        ("folders", Question::roots()),
    ];
    let replies = call.ask(questions).await?;
    match (
        replies.get("who"),
        replies.get("capital"),
        replies.get("folders"),
    ) {
        (Some(Reply::Form(form)), Some(Reply::Sampled(said)), Some(Reply::Roots(roots))) => {
            Ok(format!(
                "{} {} {}",
                form.content["name"],
                said.text().unwrap_or_default(),
                roots.len()
            ))
        }
        _ => Err(ToolError::refused("an answer is missing")),
    }
}

async fn rounds(call: CallContext, _: Whatever) -> Result<String, ToolError> {
    let first = match call.remembered::<String>() {
        Some(first) => first,
        None => {
            let reply = call.elicit("first", "First?", form("name")).await?;
            reply.content["name"].as_str().unwrap_or("?").to_owned()
        }
    };
    call.remember(&first)?;
    let second = call.elicit("second", "Second?", form("name")).await?;
    Ok(format!(
        "{first} and {}",
        second.content["name"].as_str().unwrap_or("?")
    ))
}

async fn page(call: CallContext, _: Whatever) -> Result<String, ToolError> {
    let page = Question::url("Sign in", "https://sign.in/here", "visit-1");
    let replies = call.ask([("page", page)]).await?;
    Ok(format!("{:?}", replies.get("page")))
}
