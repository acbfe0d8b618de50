//! Tools that ask: the user, the client's model, its roots; in one round and in several.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tollgate::{
    Action, CallContext, Capability, Content, FormReply, Question, SampleRequest, Tool, ToolError,
};

use crate::contents::NoArgs;

#[derive(Deserialize, JsonSchema)]
struct SamplingArgs {
    /// The prompt to send to the model
    prompt: String,
}

#[derive(Deserialize, JsonSchema)]
struct ElicitationArgs {
    /// The message to show the user
    message: String,
}

pub(crate) fn tools() -> Vec<Tool> {
    let tool = |name: &str, description: &str| Tool::new(name, description).any_authenticated();
    vec![
        tool("test_sampling", "Asks the client's model.").handler(sampling),
        tool("test_elicitation", "Asks the user.").handler(elicitation),
        tool("test_elicitation_sep1034_defaults", "Asks with defaults.").handler(defaults),
        tool("test_elicitation_sep1330_enums", "Asks for choices.").handler(enums),
        tool("test_missing_capability", "Needs sampling.").handler(capital),
        tool("test_streaming_elicitation", "Asks the user.").handler(name),
        tool("test_input_required_result_elicitation", "Asks the user.").handler(name),
        tool("test_input_required_result_sampling", "Asks the model.").handler(capital),
        tool("test_input_required_result_list_roots", "Asks for roots.").handler(roots),
        tool("test_input_required_result_request_state", "Remembers.").handler(confirm),
        tool("test_input_required_result_tampered_state", "Remembers.").handler(confirm),
        tool("test_input_required_result_multiple_inputs", "Asks thrice.").handler(several),
        tool("test_input_required_result_multi_round", "Asks in rounds.").handler(rounds),
        tool(
            "test_input_required_result_capabilities",
            "Asks what it can.",
        )
        .handler(possible),
    ]
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required})
}

fn told(reply: &FormReply) -> String {
    let action = match reply.action {
        Action::Accept => "accept",
        Action::Decline => "decline",
        Action::Cancel => "cancel",
    };
    format!("action={action}, content={}", json!(reply.content))
}

async fn sampling(call: CallContext, args: SamplingArgs) -> Result<Content, ToolError> {
    let request = SampleRequest::new(100).user(args.prompt);
    let said = call.sample("answer", request).await?;
    let text = said.text().unwrap_or_default();
    Ok(Content::text(format!("LLM response: {text}")))
}

async fn elicitation(call: CallContext, args: ElicitationArgs) -> Result<Content, ToolError> {
    let properties = json!({
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    });
    let schema = object(properties, &["username", "email"]);
    let reply = call.elicit("user", &args.message, schema).await?;
    Ok(Content::text(format!("User response: {}", told(&reply))))
}

async fn defaults(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    let statuses = ["active", "inactive", "pending"];
    let properties = json!({
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": statuses, "default": "active"},
        "verified": {"type": "boolean", "default": true},
    });
    let message = "Please review and update the form fields with defaults";
    let reply = call
        .elicit("form", message, object(properties, &[]))
        .await?;
    let told = told(&reply);
    Ok(Content::text(format!("Elicitation completed: {told}")))
}

async fn enums(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    let titled = |titles: [&str; 3]| {
        let values = ["value1", "value2", "value3"];
        let choice = |(value, title)| json!({"const": value, "title": title});
        let choices = values.into_iter().zip(titles).map(choice);
        choices.collect::<Vec<_>>()
    };
    let options = ["option1", "option2", "option3"];
    let properties = json!({
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {
            "type": "string",
            "oneOf": titled(["First Option", "Second Option", "Third Option"]),
        },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {
            "type": "array",
            "items": {"anyOf": titled(["First Choice", "Second Choice", "Third Choice"])},
        },
    });
    let message = "Please select options from the enum fields";
    let reply = call
        .elicit("form", message, object(properties, &[]))
        .await?;
    let told = told(&reply);
    Ok(Content::text(format!("Elicitation completed: {told}")))
}

fn capital_question() -> SampleRequest {
    SampleRequest::new(100).user("What is the capital of France?")
}

async fn capital(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    let said = call.sample("capital_question", capital_question()).await?;
    Ok(Content::text(said.text().unwrap_or_default()))
}

fn name_question() -> Question {
    let schema = object(json!({"name": {"type": "string"}}), &["name"]);
    Question::form("What is your name?", schema)
}

async fn name(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    let schema = object(json!({"name": {"type": "string"}}), &["name"]);
    let reply = call
        .elicit("user_name", "What is your name?", schema)
        .await?;
    let name = reply.content.get("name").and_then(Value::as_str);
    Ok(Content::text(format!(
        "Hello, {}!",
        name.unwrap_or("stranger")
    )))
}

async fn roots(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    let roots = call.roots("client_roots").await?;
    let uris: Vec<&str> = roots.iter().map(|root| root.uri.as_str()).collect();
    Ok(Content::text(format!("Roots: {}", uris.join(", "))))
}

async fn confirm(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    call.remember(&"asked")?;
    let schema = object(json!({"ok": {"type": "boolean"}}), &["ok"]);
    call.elicit("confirm", "Please confirm", schema).await?;
    match call.remembered::<String>().as_deref() {
        Some("asked") => Ok(Content::text("state-ok")),
        _ => Err(ToolError::refused("The state is missing")),
    }
}

async fn several(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    call.remember(&"asked")?;
    let greeting = SampleRequest::new(50).user("Generate a greeting");
    let questions = [
        ("user_name", name_question()),
        ("greeting", Question::sample(greeting)),
        ("client_roots", Question::roots()),
    ];
    let replies = call.ask(questions).await?;
    Ok(Content::text(format!("{:?}", replies.get("user_name"))))
}

async fn rounds(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    // Empty until it is known.
    let name = match call.remembered::<String>().filter(|name| !name.is_empty()) {
        Some(name) => name,
        None => {
            call.remember(&"")?;
            let schema = object(json!({"name": {"type": "string"}}), &["name"]);
            let reply = call.elicit("step1", "Step 1: What is your name?", schema);
            json!(reply.await?.content).to_string()
        }
    };
    call.remember(&name)?;
    let schema = object(json!({"color": {"type": "string"}}), &["color"]);
    let message = "Step 2: What is your favorite color?";
    let color = json!(call.elicit("step2", message, schema).await?.content);
    Ok(Content::text(format!("You are {name}, and like {color}")))
}

async fn possible(call: CallContext, _: NoArgs) -> Result<Content, ToolError> {
    let mut questions = Vec::new();
    if call.can(Capability::Elicitation) {
        questions.push(("user_name", name_question()));
    }
    if call.can(Capability::Sampling) {
        questions.push(("capital_question", Question::sample(capital_question())));
    }
    call.ask(questions).await?;
    Ok(Content::text("All that could be asked was answered"))
}
