//! Tasks on the wire (MCP extension `io.modelcontextprotocol/tasks`, SEP-2663): handles instead of
//! results, and `tasks/get`, `tasks/update`, `tasks/cancel`.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, json};

use super::answer::{Meta, error_text, open_complete, refused_result, tool_result, write};
use super::envelope::Object;
use super::front::Era;
use super::{Answer, Mcp, Request, required};
use crate::clock::rfc3339;
use crate::error::{CallError, ProtocolError, Told};
use crate::pipeline::{Call, TaskAsk, WriteEnd};
use crate::task::{Ended, Status, Task};
use crate::tool::{Capability, Schema};

/// The extension's name, on either side.
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Writes how a run ended: as `tools/call` would have answered it.
pub(super) fn write_end(meta: &Arc<Meta>) -> WriteEnd {
    let meta = Arc::clone(meta);
    // Our own JSON is text.
    let text = |json: Vec<u8>| String::from_utf8(json).unwrap_or_default();
    Arc::new(move |target, call_id, end| match end {
        Ok(output) => {
            let schema = target.output().map(Schema::json);
            Ended::Completed(text(tool_result(&output, schema, &meta)))
        }
        Err(error) if error.row().told("tools/call", false) == Told::InResult => {
            Ended::Completed(text(refused_result(&error, Era::Modern, &meta, call_id)))
        }
        Err(error) => {
            let detail = error.detail().into_owned();
            Ended::Failed(text(error_text(&error, call_id)), detail)
        }
    })
}

/// The answer to a client that did not say that it knows tasks, and needs them for what it asks.
pub(super) fn cannot_have_tasks(call: &mut Call, id: &str) -> Answer {
    let error = CallError::ClientCannot(Capability::Tasks);
    call.record.close_error(&error);
    let code = error.row().code;
    Answer::refused(Some(id), error, code, call.record.call_id())
}

impl Request<'_, '_> {
    /// Whether its client says that it knows tasks.
    pub(super) fn can_have_tasks(&self) -> bool {
        let capabilities = self.params.meta.client_capabilities.get();
        capabilities.has(Capability::Tasks)
    }
}

impl Mcp {
    /// The result of a call that goes on as a task.
    pub(super) fn made_task(&self, id: &str, handle: &str, task: &Task) -> Answer {
        let mut result = b"{\"resultType\":\"task\",".to_vec();
        write_seed(&mut result, handle, task);
        result.extend_from_slice(self.meta.end(Era::Modern).as_bytes());
        Answer::result(id, &result)
    }

    /// `tasks/get`, `tasks/update` or `tasks/cancel`.
    pub(super) async fn ask_task(
        &self,
        request: Request<'_, '_>,
        method: &str,
    ) -> Result<Answer, ProtocolError> {
        if !request.can_have_tasks() {
            return Ok(cannot_have_tasks(request.call, request.id));
        }
        let Request {
            call,
            principal,
            id,
            params,
            ..
        } = request;
        let ask = match method {
            "tasks/get" => TaskAsk::Get,
            "tasks/cancel" => TaskAsk::Cancel,
            _ => match take(&mut params.input_responses) {
                Object::Is(given) => TaskAsk::Update(given),
                Object::Absent | Object::Wrong => {
                    let fault = "inputResponses must be an object";
                    return Err(ProtocolError::InvalidParams(fault));
                }
            },
        };
        let is_get = matches!(ask, TaskAsk::Get);
        let handle = required(&params.task_id, "taskId must be a string")?;
        Ok(match call.task(principal, handle, ask).await {
            Ok(task) => {
                let mut result = Vec::with_capacity(512);
                if is_get {
                    open_complete(&mut result, Era::Modern);
                    write_detailed(&mut result, handle, &task);
                } else {
                    result.extend_from_slice(b"{\"resultType\":\"complete\"");
                }
                result.extend_from_slice(self.meta.end(Era::Modern).as_bytes());
                Answer::result(id, &result)
            }
            Err(error) => {
                let code = error.row().code;
                Answer::refused(Some(id), error, code, call.record.call_id())
            }
        })
    }
}

/// The members that every task has, without braces around them.
fn write_seed(into: &mut Vec<u8>, handle: &str, task: &Task) {
    let time = |unix_ms| rfc3339(Duration::from_millis(unix_ms));
    let mut seed = Map::new();
    seed.insert("taskId".to_owned(), json!(handle));
    seed.insert("status".to_owned(), json!(status(&task.status)));
    if let Some(message) = &task.message {
        seed.insert("statusMessage".to_owned(), json!(message));
    }
    seed.insert("createdAt".to_owned(), json!(time(task.created_ms)));
    seed.insert("lastUpdatedAt".to_owned(), json!(time(task.updated_ms)));
    seed.insert("ttlMs".to_owned(), json!(task.ttl_ms));
    seed.insert("pollIntervalMs".to_owned(), json!(task.poll_ms));
    let mut text = Vec::with_capacity(300);
    write(&mut text, &seed);
    into.extend_from_slice(&text[1..text.len() - 1]);
}

/// All that there is to tell of a task, without braces around it.
pub(super) fn write_detailed(into: &mut Vec<u8>, handle: &str, task: &Task) {
    write_seed(into, handle, task);
    match &task.status {
        Status::Working | Status::Cancelled => {}
        Status::InputRequired(open) => {
            into.extend_from_slice(b",\"inputRequests\":");
            write(into, open);
        }
        Status::Completed(result) => {
            into.extend_from_slice(b",\"result\":");
            into.extend_from_slice(result.as_bytes());
        }
        Status::Failed(error) => {
            into.extend_from_slice(b",\"error\":");
            into.extend_from_slice(error.as_bytes());
        }
        Status::Lost => {
            let error = CallError::Internal(String::new());
            into.extend_from_slice(b",\"error\":");
            into.extend(error_text(&error, task.call_id));
        }
    }
}

fn status(status: &Status) -> &'static str {
    match status {
        Status::Working => "working",
        Status::InputRequired(_) => "input_required",
        Status::Completed(_) => "completed",
        Status::Failed(_) | Status::Lost => "failed",
        Status::Cancelled => "cancelled",
    }
}
