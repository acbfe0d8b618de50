//! Writing answers: straight into one buffer, around parts prepared at start.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::envelope::{parse, rescue_id};
use super::front::Era;
use super::listen::Listening;
use super::tasks::TASKS;
use crate::error::{CallError, ProtocolError, millis_up};
use crate::tool::{Asked, Body, Capability, ResourceContents, Suggestions, ToolOutput, is_wrapped};

/// What to send back for one message.
#[derive(Debug, Default)]
pub struct Answer {
    /// HTTP status; stdio ignores it.
    pub status: u16,
    /// The JSON-RPC message, on one line; empty for notifications.
    pub body: Vec<u8>,
    /// Why the call was not served, for the headers that tell it.
    pub error: Option<CallError>,
    /// The request that the client wants cancelled, by the text of its id.
    pub cancels: Option<String>,
    /// The id of the session that begins with this answer, for a client that carries it.
    pub(crate) session: Option<String>,
    /// What the client is told from now on, instead of a body or after it.
    pub(crate) listening: Option<Box<Listening>>,
}

impl Answer {
    /// A notification was taken note of.
    pub(super) fn accepted() -> Self {
        Self {
            status: 202,
            ..Self::default()
        }
    }

    /// A result whose text is ready.
    pub(super) fn result(id: &str, result: &[u8]) -> Self {
        let mut body = Vec::with_capacity(result.len() + id.len() + 40);
        open_result(&mut body, id);
        body.extend_from_slice(result);
        Self::completed(body)
    }

    /// The result of `tools/call`: the value as text, for models, and as structured content.
    /// `schema` is what the tool says it answers with.
    pub(super) fn of_tool(
        id: &str,
        output: &ToolOutput,
        schema: Option<&Value>,
        era: Era,
        meta: &Meta,
    ) -> Self {
        let text = output.structured().map(text_of).unwrap_or_default();
        let mut body = Vec::with_capacity(2 * text.len() + id.len() + 300);
        open_result(&mut body, id);
        write_tool_result(&mut body, output, &text, schema, era, meta);
        Self::completed(body)
    }

    /// Closes what [`open_result`] opened.
    fn completed(mut body: Vec<u8>) -> Self {
        body.push(b'}');
        Self {
            status: 200,
            body,
            ..Self::default()
        }
    }

    /// The answer is what comes from now on.
    pub(super) fn listening(listening: Listening) -> Self {
        Self {
            status: 200,
            listening: Some(Box::new(listening)),
            ..Self::default()
        }
    }

    /// The message itself was at fault.
    pub(super) fn protocol(
        id: Option<&str>,
        error: &ProtocolError,
        era: Era,
        call_id: Uuid,
    ) -> Self {
        let row = error.row();
        let mut data = ErrorData::new(call_id);
        if let ProtocolError::UnsupportedVersion {
            requested,
            supported,
        } = error
        {
            data.supported = Some(supported);
            data.requested = Some(requested);
        }
        let speaks_http = matches!(
            error,
            ProtocolError::Parse
                | ProtocolError::InvalidRequest(_)
                | ProtocolError::InvalidMeta(_)
                | ProtocolError::HeaderMismatch(_)
                | ProtocolError::UnsupportedVersion { .. }
        );
        Self {
            status: if era == Era::Legacy && !speaks_http {
                200
            } else {
                row.mcp_status
            },
            body: error_body(id, row.code, &error.detail(), &data),
            ..Self::default()
        }
    }

    /// The call was not served, and the protocol says so in an error.
    pub(super) fn refused(id: Option<&str>, error: CallError, code: i32, call_id: Uuid) -> Self {
        let data = ErrorData::of(&error, call_id);
        Self {
            status: error.row().mcp_status,
            body: error_body(id, code, &error.detail(), &data),
            error: Some(error),
            ..Self::default()
        }
    }

    /// No resource answers for `uri` (2026-07-28, server/resources, "Error Handling").
    pub(super) fn unknown_resource(id: &str, code: i32, uri: &str, call_id: Uuid) -> Self {
        let error = CallError::UnknownResource;
        let mut data = ErrorData::new(call_id);
        data.uri = Some(uri);
        Self {
            status: error.row().mcp_status,
            body: error_body(Some(id), code, &error.detail(), &data),
            error: Some(error),
            ..Self::default()
        }
    }

    /// The call was not served, and the model is told so in a result.
    pub(super) fn refused_to_model(
        id: &str,
        error: CallError,
        era: Era,
        meta: &Meta,
        call_id: Uuid,
    ) -> Self {
        let mut answer = Self::result(id, &refused_result(&error, era, meta, call_id));
        answer.error = Some(error);
        answer
    }
}

/// The `_meta` of results: who serves.
pub(super) struct Meta {
    /// `"io.modelcontextprotocol/serverInfo":{…}`
    member: String,
    /// `,"_meta":{…}}`, which ends a modern result.
    tail: String,
}

impl Meta {
    pub(super) fn new(server_info: &Value) -> Self {
        let member = format!("\"io.modelcontextprotocol/serverInfo\":{server_info}");
        Self {
            tail: format!(",\"_meta\":{{{member}}}}}"),
            member,
        }
    }

    /// The member of `_meta` that tells who serves.
    pub(super) fn member(&self) -> &str {
        &self.member
    }

    /// The end of a result in `era`: its `_meta`, if it has one, and the closing brace.
    pub(super) fn end(&self, era: Era) -> &str {
        match era {
            Era::Modern => &self.tail,
            Era::Legacy => "}",
        }
    }
}

/// Writes the result of `tools/call`; `text` is its value's.
fn write_tool_result(
    body: &mut Vec<u8>,
    output: &ToolOutput,
    text: &str,
    schema: Option<&Value>,
    era: Era,
    meta: &Meta,
) {
    let (pieces, value) = (output.pieces(), output.structured());
    open_complete(body, era);
    if pieces.is_empty() && value.is_some() {
        body.extend_from_slice(b"\"content\":[{\"type\":\"text\",\"text\":");
        write(body, &text);
        body.extend_from_slice(b"}]");
    } else {
        body.extend_from_slice(b"\"content\":");
        write(body, &pieces);
    }
    if let Some(value) = value {
        body.extend_from_slice(b",\"structuredContent\":");
        // Before 2026-07-28 structured content is an object, and the list wraps schemas alike.
        let wrap = era == Era::Legacy && schema.map_or(!value.is_object(), is_wrapped);
        if wrap {
            body.extend_from_slice(b"{\"result\":");
        }
        if value.is_string() {
            write(body, value);
        } else {
            body.extend_from_slice(text.as_bytes());
        }
        if wrap {
            body.push(b'}');
        }
    }
    body.extend_from_slice(b",\"isError\":false");
    body.extend_from_slice(meta.end(era).as_bytes());
}

/// The result of a task's run, as `tools/call` would have answered it.
pub(super) fn tool_result(output: &ToolOutput, schema: Option<&Value>, meta: &Meta) -> Vec<u8> {
    let text = output.structured().map(text_of).unwrap_or_default();
    let mut result = Vec::with_capacity(2 * text.len() + 300);
    write_tool_result(&mut result, output, &text, schema, Era::Modern, meta);
    result
}

/// The result that tells a model of an error.
pub(super) fn refused_result(error: &CallError, era: Era, meta: &Meta, call_id: Uuid) -> Vec<u8> {
    let mut result = Vec::with_capacity(256);
    open_complete(&mut result, era);
    result.extend_from_slice(b"\"content\":[{\"type\":\"text\",\"text\":");
    write(&mut result, &error.detail());
    result.extend_from_slice(b"}],\"isError\":true,\"_meta\":{");
    if era == Era::Modern {
        result.extend_from_slice(meta.member.as_bytes());
        result.push(b',');
    }
    result.extend_from_slice(b"\"tollgate/callId\":");
    write(&mut result, &call_id);
    result.extend_from_slice(b"}}");
    result
}

/// An error as it stands in an answer, for a task that failed with it.
pub(super) fn error_text(error: &CallError, call_id: Uuid) -> Vec<u8> {
    let data = ErrorData::of(error, call_id);
    error_object(error.row().code, &error.detail(), &data)
}

/// The result of `prompts/get`.
pub(super) fn prompt_result(output: &ToolOutput, era: Era, meta: &Meta) -> Vec<u8> {
    let mut result = Vec::with_capacity(512);
    open_complete(&mut result, era);
    let messages = match output.body() {
        Body::Prompt(prompt) => serde_json::to_string(prompt).unwrap_or_default(),
        // A prompt's function answers with nothing else.
        _ => "{\"messages\":[]}".to_owned(),
    };
    result.extend_from_slice(&messages.as_bytes()[1..messages.len() - 1]);
    result.extend_from_slice(meta.end(era).as_bytes());
    result
}

/// The result of `completion/complete`.
pub(super) fn completion_result(suggested: &Suggestions, era: Era, meta: &Meta) -> Vec<u8> {
    let mut completion = json!({"values": suggested.values(), "hasMore": suggested.has_more()});
    if let Some(total) = suggested.total() {
        completion["total"] = json!(total);
    }
    let mut result = Vec::with_capacity(256);
    open_complete(&mut result, era);
    result.extend_from_slice(b"\"completion\":");
    write(&mut result, &completion);
    result.extend_from_slice(meta.end(era).as_bytes());
    result
}

/// The result of a call that has to know more (2026-07-28, basic/patterns/mrtr).
pub(super) fn asks_result(asked: &Asked, state: Option<String>, meta: &Meta) -> Vec<u8> {
    let questions = asked.questions.iter();
    let questions: Map<String, Value> = questions
        .map(|(key, question)| (key.clone(), question.to_json()))
        .collect();
    let mut result = b"{\"resultType\":\"input_required\",\"inputRequests\":".to_vec();
    write(&mut result, &questions);
    if let Some(state) = state {
        result.extend_from_slice(b",\"requestState\":");
        write(&mut result, &state);
    }
    result.extend_from_slice(meta.end(Era::Modern).as_bytes());
    result
}

/// The result of `resources/read`: what there is under the URI that was asked for.
pub(super) fn resource_result(
    uri: &str,
    mime_type: &str,
    output: &ToolOutput,
    era: Era,
    meta: &Meta,
) -> Vec<u8> {
    let contents: Vec<ResourceContents> = match output.body() {
        Body::Resource(contents) => contents
            .iter()
            .map(|part| part.or(uri, mime_type))
            .collect(),
        _ => {
            let text = output.structured().map(text_of).unwrap_or_default();
            vec![ResourceContents::text(text).or(uri, mime_type)]
        }
    };
    let mut result = Vec::with_capacity(512);
    result.push(b'{');
    if era == Era::Modern {
        // Data behind a resource may change at any time, and is this caller's.
        result.extend_from_slice(
            b"\"resultType\":\"complete\",\"ttlMs\":0,\"cacheScope\":\"private\",",
        );
    }
    result.extend_from_slice(b"\"contents\":");
    write(&mut result, &contents);
    result.extend_from_slice(meta.end(era).as_bytes());
    result
}

/// A string as it is, anything else as JSON.
fn text_of(value: &Value) -> std::borrow::Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        // Faster than `to_string`, which writes piece by piece through a formatter.
        other => serde_json::to_string(other).unwrap_or_default().into(),
    }
}

fn open(body: &mut Vec<u8>, id: Option<&str>) {
    body.extend_from_slice(b"{\"jsonrpc\":\"2.0\"");
    // An error whose request has no readable id has none either (2026-07-28, basic/index).
    if let Some(id) = id {
        body.extend_from_slice(b",\"id\":");
        body.extend_from_slice(id.as_bytes());
    }
}

/// Begins a result that is whole.
pub(super) fn open_complete(result: &mut Vec<u8>, era: Era) {
    result.push(b'{');
    if era == Era::Modern {
        result.extend_from_slice(b"\"resultType\":\"complete\",");
    }
}

fn open_result(body: &mut Vec<u8>, id: &str) {
    open(body, Some(id));
    body.extend_from_slice(b",\"result\":");
}

/// Writes JSON; neither the values nor the buffer can fail.
pub(super) fn write(body: &mut Vec<u8>, value: &impl Serialize) {
    let _ = serde_json::to_writer(body, value);
}

/// `error.data`: always the call's id, and what helps with the error at hand.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorData<'a> {
    call_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_scopes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_scopes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing_any_of: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supported: Option<&'a [&'a str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requested: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    required_capabilities: Option<Value>,
}

impl<'a> ErrorData<'a> {
    fn of(error: &'a CallError, call_id: Uuid) -> Self {
        let mut data = Self::new(call_id);
        data.retry_after_ms = error.retry_after().map(millis_up);
        if let CallError::InsufficientScope {
            required,
            missing,
            missing_any_of,
        } = error
        {
            data.required_scopes = Some(required);
            data.missing_scopes = Some(missing);
            data.missing_any_of = Some(&missing_any_of[..]).filter(|any| !any.is_empty());
        }
        data.required_capabilities = match error {
            CallError::ClientCannot(capability) => Some(required(*capability)),
            CallError::CannotConfirm => Some(required(Capability::Elicitation)),
            _ => None,
        };
        data
    }

    fn new(call_id: Uuid) -> Self {
        Self {
            call_id,
            retry_after_ms: None,
            required_scopes: None,
            missing_scopes: None,
            missing_any_of: None,
            supported: None,
            requested: None,
            uri: None,
            required_capabilities: None,
        }
    }
}

/// A capability as clients declare it.
fn required(capability: Capability) -> Value {
    match capability {
        Capability::Elicitation => json!({"elicitation": {"form": {}}}),
        Capability::ElicitationUrl => json!({"elicitation": {"url": {}}}),
        Capability::Sampling => json!({"sampling": {}}),
        Capability::Roots => json!({"roots": {}}),
        Capability::Tasks => json!({"extensions": {TASKS: {}}}),
    }
}

fn error_body(id: Option<&str>, code: i32, message: &str, data: &ErrorData<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(256);
    open(&mut body, id);
    body.extend_from_slice(b",\"error\":");
    body.extend(error_object(code, message, data));
    body.push(b'}');
    body
}

fn error_object(code: i32, message: &str, data: &ErrorData<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    struct ErrorObject<'a> {
        code: i32,
        message: &'a str,
        data: &'a ErrorData<'a>,
    }
    let mut object = Vec::with_capacity(200);
    let error = ErrorObject {
        code,
        message,
        data,
    };
    write(&mut object, &error);
    object
}

/// The answer to a message whose sender is nobody we know; only stdio reads the message at all.
pub(crate) fn answer_to_unauthenticated(message: &[u8], error: CallError, call_id: Uuid) -> Answer {
    let code = error.row().code;
    // Whoever answers an answer talks for ever.
    let is_response = parse(message).is_ok_and(|envelope| envelope.is_response);
    match rescue_id(message).filter(|_| !is_response) {
        Some(id) => Answer::refused(Some(id), error, code, call_id),
        None => Answer::accepted(),
    }
}

/// The answer to a line that is refused before it is read as a message.
pub(crate) fn answer_to_unread(id: Option<&str>, error: &ProtocolError, call_id: Uuid) -> Answer {
    Answer::protocol(id, error, Era::Modern, call_id)
}

/// A JSON-RPC error for a request that was refused before its message was read.
pub fn error_before_message(
    code: i32,
    message: &str,
    retry_after: Option<Duration>,
    call_id: Uuid,
) -> Vec<u8> {
    let mut data = ErrorData::new(call_id);
    data.retry_after_ms = retry_after.map(millis_up);
    error_body(None, code, message, &data)
}
