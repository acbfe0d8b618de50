//! The methods that run something: `tools/call`, `resources/read`, `prompts/get`,
//! `completion/complete`. Each is one governed call.

use std::sync::Arc;

use super::answer::{asks_result, completion_result, prompt_result, resource_result};
use super::client::About;
use super::envelope::Object;
use super::front::Era;
use super::{Answer, Mcp, Request, required, typing};
use crate::error::{CallError, ProtocolError, Told};
use crate::pipeline::{self, Call, CallRequest};
use crate::task::Task;
use crate::tool::{Arguments, Body, Client, Schema, Target, TargetKind, TargetRef, ToolOutput};

impl Request<'_, '_> {
    fn arguments(&mut self) -> Result<Arguments, ProtocolError> {
        match std::mem::take(&mut self.params.arguments) {
            Object::Is(arguments) => Ok(arguments),
            Object::Absent => Ok(Arguments::new()),
            Object::Wrong => Err(ProtocolError::InvalidParams("arguments must be an object")),
        }
    }
}

impl Mcp {
    pub(super) async fn call_tool(
        &self,
        mut request: Request<'_, '_>,
    ) -> Result<Answer, ProtocolError> {
        let name = required(&request.params.name, "name must be a string")?.to_owned();
        let arguments = request.arguments()?;
        let target = TargetRef::Tool(&name);
        let served = self.serve(&mut request, "tools/call", target, arguments);
        let served = served.await?;
        let (id, era, call) = (request.id, request.era, request.call);
        Ok(match served {
            Ok(Served::Asks(result)) => Answer::result(id, &result),
            Ok(Served::Task(handle, task)) => self.made_task(id, &handle, &task),
            Ok(Served::Output(output)) => {
                let schema = call.record.called().and_then(Target::output);
                Answer::of_tool(id, &output, schema.map(Schema::json), era, &self.meta)
            }
            Err(error) => match told(&error, "tools/call", era) {
                Told::InResult => {
                    Answer::refused_to_model(id, error, era, &self.meta, call.record.call_id())
                }
                Told::InError(code) => {
                    Answer::refused(Some(id), error, code, call.record.call_id())
                }
            },
        })
    }

    pub(super) async fn read_resource(
        &self,
        mut request: Request<'_, '_>,
    ) -> Result<Answer, ProtocolError> {
        let uri = required(&request.params.uri, "uri must be a string")?.to_owned();
        let target = TargetRef::Resource(&uri);
        let served = self.serve(&mut request, "resources/read", target, Arguments::new());
        let served = served.await?;
        let (id, era, call) = (request.id, request.era, request.call);
        Ok(match served {
            Ok(Served::Asks(result)) => Answer::result(id, &result),
            Ok(Served::Task(..)) => return Err(ProtocolError::MethodNotFound),
            Ok(Served::Output(output)) => {
                let mime_type = match call.record.called().map(|target| target.kind()) {
                    Some(TargetKind::Resource(face, _)) => face.mime_type.as_str(),
                    _ => "application/json",
                };
                let result = resource_result(&uri, mime_type, &output, era, &self.meta);
                Answer::result(id, &result)
            }
            Err(error) => refused_resource(call, id, &uri, error, era),
        })
    }

    pub(super) async fn get_prompt(
        &self,
        mut request: Request<'_, '_>,
    ) -> Result<Answer, ProtocolError> {
        let name = required(&request.params.name, "name must be a string")?.to_owned();
        let arguments = request.arguments()?;
        let target = TargetRef::Prompt(&name);
        let served = self.serve(&mut request, "prompts/get", target, arguments);
        let served = served.await?;
        let (id, era, call) = (request.id, request.era, request.call);
        Ok(match served {
            Ok(Served::Asks(result)) => Answer::result(id, &result),
            Ok(Served::Task(..)) => return Err(ProtocolError::MethodNotFound),
            Ok(Served::Output(output)) => {
                Answer::result(id, &prompt_result(&output, era, &self.meta))
            }
            Err(error) => refused_without_result(call, id, error, "prompts/get", era),
        })
    }

    /// Suggests values. What is typed and for what is read from the whole message again: it is rare.
    pub(super) async fn complete(&self, request: Request<'_, '_>) -> Result<Answer, ProtocolError> {
        let fault = "completion/complete needs ref, and argument with name and value";
        let read = typing::read(request.message);
        let (reference, typing) = read.ok_or(ProtocolError::InvalidParams(fault))?;
        let (id, era, call) = (request.id, request.era, request.call);
        let suggested = call.complete(request.principal, reference.target(), typing);
        let suggested = suggested.await;
        Ok(match suggested {
            Ok(suggested) => Answer::result(id, &completion_result(&suggested, era, &self.meta)),
            Err(error) => refused_without_result(call, id, error, "completion/complete", era),
        })
    }

    /// Runs the call, and tells what it asks where it does.
    async fn serve(
        &self,
        request: &mut Request<'_, '_>,
        method: &str,
        target: TargetRef<'_>,
        arguments: Arguments,
    ) -> Result<Result<Served, CallError>, ProtocolError> {
        let (TargetRef::Tool(name)
        | TargetRef::Resource(name)
        | TargetRef::Template(name)
        | TargetRef::Prompt(name)) = target;
        let about = About {
            method,
            name,
            arguments: &arguments,
        };
        let (principal, era, peer) = (request.principal, request.era, request.peer);
        let client = self.client(principal, request.params, era, peer, &about)?;
        // Only a client that may be asked comes back; others need not pay for the copy.
        let may_ask = |client: &Arc<Client>| !client.capabilities.is_empty();
        let again = client.as_ref().filter(|client| may_ask(client));
        let again = again.map(|_| arguments.clone());
        let may_be_task = client
            .as_ref()
            .is_some_and(|client| client.desk().is_some());
        let asked = CallRequest::new(target, arguments)
            .of_client(client)
            .or_task(may_be_task.then(|| Arc::clone(&self.write_end)));
        let output = match request.call.serve(principal, asked).await {
            Ok(pipeline::Served::Output(output)) => output,
            Ok(pipeline::Served::Task(id, task)) => return Ok(Ok(Served::Task(id, task))),
            Err(error) => return Ok(Err(error)),
        };
        let Body::Asks(asked) = output.body() else {
            return Ok(Ok(Served::Output(output)));
        };
        let about = About {
            method,
            name,
            arguments: &again.unwrap_or_default(),
        };
        let state = self.request_state(principal, &about, asked);
        Ok(Ok(Served::Asks(asks_result(asked, state, &self.meta))))
    }
}

/// What a call came to.
enum Served {
    Output(ToolOutput),
    /// A result that asks.
    Asks(Vec<u8>),
    /// A task, of tools alone.
    Task(String, Arc<Task>),
}

fn told(error: &CallError, method: &str, era: Era) -> Told {
    error.row().told(method, era == Era::Legacy)
}

/// The code of an error that `method` has no result for.
fn code(error: &CallError, method: &str, era: Era) -> i32 {
    match told(error, method, era) {
        Told::InError(code) => code,
        Told::InResult => error.row().code,
    }
}

pub(super) fn refused_resource(
    call: &Call,
    id: &str,
    uri: &str,
    error: CallError,
    era: Era,
) -> Answer {
    let call_id = call.record.call_id();
    let code = code(&error, "resources/read", era);
    match error {
        CallError::UnknownResource | CallError::NotFound(_) | CallError::InvalidArguments(_) => {
            Answer::unknown_resource(id, code, uri, call_id)
        }
        other => of_era(Answer::refused(Some(id), other, code, call_id), era),
    }
}

/// Before 2026-07-28 what a client cannot do has no status of its own.
fn of_era(answer: Answer, era: Era) -> Answer {
    match (&answer.error, era) {
        (Some(CallError::ClientCannot(_)), Era::Legacy) => Answer {
            status: 200,
            ..answer
        },
        _ => answer,
    }
}

/// A refusal of a method whose results cannot tell one.
fn refused_without_result(
    call: &Call,
    id: &str,
    error: CallError,
    method: &str,
    era: Era,
) -> Answer {
    let code = code(&error, method, era);
    let answer = Answer::refused(Some(id), error, code, call.record.call_id());
    of_era(answer, era)
}
