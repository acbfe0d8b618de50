//! The Model Context Protocol: one message in, one answer out, no I/O.
//!
//! The front is ours rather than an SDK's, because governance needs what SDKs keep to themselves:
//! status codes, headers, the order of checks, a record of every malformed message. Two eras are
//! served side by side without sessions: 2026-07-28, and the `initialize` revisions before it.
//!
//! Order of checks: parse, `_meta`, headers, version, method, parameters, and then the pipeline.
//! Transports authenticate before they read the message at all.

mod answer;
mod envelope;
mod front;
mod listen;
mod lists;
mod mirror;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

pub use answer::{Answer, error_before_message};
pub(crate) use answer::{answer_to_unauthenticated, answer_to_unread};
pub(crate) use envelope::id_of;
pub use front::{Header, McpHeaders};
pub(crate) use listen::{Heard, Listening, Served};

use crate::auth::Principal;
use crate::error::{CallError, LEGACY_RESOURCE_NOT_FOUND, ProtocolError};
use crate::pipeline::{Call, CallRequest, Pipeline};
use crate::record::RequestFacts;
use crate::tool::{Arguments, Schema, Target, TargetKind, TargetRef};
use crate::trace::Remote;
use answer::{Meta, resource_result};
use envelope::{Envelope, Filter, Object, Text};
use front::{Era, LEGACY, MODERN, judge};
use lists::{ListKind, Lists};
use mirror::Mirrors;

/// How the server presents itself.
#[derive(Clone, Debug)]
pub struct ServerInfo {
    /// Name of the server software or deployment.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Advice for models on how to use the server, if any.
    pub instructions: Option<String>,
}

/// Speaks MCP for a pipeline.
pub struct Mcp {
    lists: Lists,
    mirrors: Mirrors,
    meta: Meta,
    info: ServerInfo,
    discover: Bytes,
}

impl Mcp {
    /// Prepares everything that does not depend on the request.
    /// Lists are answered in pages of at most `page_size` entries.
    pub fn new(pipeline: &Pipeline, info: ServerInfo, page_size: usize) -> Self {
        let server_info = json!({"name": info.name, "version": info.version});
        let meta = Meta::new(&server_info);
        let mut discover = json!({
            "resultType": "complete",
            "supportedVersions": [MODERN],
            "capabilities": capabilities(true),
            "ttlMs": 3_600_000,
            // The same for everybody.
            "cacheScope": "public",
        });
        if let Some(instructions) = &info.instructions {
            discover["instructions"] = json!(instructions);
        }
        let mut discover = discover.to_string();
        discover.pop();
        discover.push_str(meta.end(Era::Modern));
        Self {
            lists: Lists::new(&pipeline.catalog, &pipeline.list_lookups, page_size),
            mirrors: Mirrors::new(&pipeline.catalog),
            meta,
            info,
            discover: Bytes::from(discover),
        }
    }

    /// Answers one message of an authenticated caller. `headers` are those of an HTTP request;
    /// without them the message came over stdio.
    pub async fn handle(
        &self,
        call: &mut Call,
        principal: &Arc<Principal>,
        message: &[u8],
        headers: Option<&McpHeaders<'_>>,
    ) -> Answer {
        let answer = self.answer(call, principal, message, headers).await;
        match call.record.settle().await {
            Ok(()) => answer,
            Err(error) => {
                let (id, code) = (envelope::rescue_id(message), error.row().code);
                Answer::refused(id, error, code, call.record.call_id())
            }
        }
    }

    async fn answer(
        &self,
        call: &mut Call,
        principal: &Arc<Principal>,
        message: &[u8],
        headers: Option<&McpHeaders<'_>>,
    ) -> Answer {
        let mut envelope = match envelope::parse(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                call.record.method("(unreadable)");
                return fault(call, envelope::rescue_id(message), &error, Era::Modern);
            }
        };
        let (era, version) = match judge(&envelope, headers) {
            Ok(judged) => judged,
            Err(error) => {
                note(call, &envelope, None);
                return fault(call, envelope.id, &error, Era::Modern);
            }
        };
        // `initialize` has no header: the version it is about is the one that it gets.
        let version = match (envelope.method.as_str(), era) {
            (Some("initialize"), Era::Legacy) => {
                negotiated(envelope.params.protocol_version.as_str())
            }
            _ => version,
        };
        note(call, &envelope, Some(version));
        let Some(id) = envelope.id else {
            return notification(call, &envelope, era);
        };
        if envelope.is_response {
            return response(call, era, headers.is_some());
        }
        if let (Era::Modern, Some(headers)) = (era, headers)
            && let Err(error) = self.mirrors.check(&envelope, principal, headers)
        {
            return fault(call, Some(id), &error, era);
        }
        let greets = headers.is_none() && envelope.method.as_str() == Some("initialize");
        match self
            .dispatch(call, principal, &mut envelope, era, headers.is_some())
            .await
        {
            Ok(mut answer) if greets => {
                let listening = Listening::legacy(self, principal, call.overhear());
                answer.listening = Some(Box::new(listening));
                answer
            }
            Ok(answer) => answer,
            Err(error) => fault(call, Some(id), &error, era),
        }
    }

    async fn dispatch(
        &self,
        call: &mut Call,
        principal: &Arc<Principal>,
        envelope: &mut Envelope<'_>,
        era: Era,
        over_http: bool,
    ) -> Result<Answer, ProtocolError> {
        let Envelope {
            id, method, params, ..
        } = envelope;
        let (id, method) = (id.unwrap_or_default(), method.as_str().unwrap_or_default());
        let list = |kind| self.lists.result(kind, era, principal, &self.meta, params);
        let result = match (method, era) {
            ("tools/call", _) => {
                let name = required(&params.name, "name must be a string")?;
                let arguments = match std::mem::take(&mut params.arguments) {
                    Object::Is(arguments) => arguments,
                    Object::Absent => Arguments::new(),
                    Object::Wrong => {
                        return Err(ProtocolError::InvalidParams("arguments must be an object"));
                    }
                };
                return Ok(self
                    .call_tool(call, principal, id, name, arguments, era)
                    .await);
            }
            ("resources/read", _) => {
                let uri = required(&params.uri, "uri must be a string")?;
                return Ok(self.read_resource(call, principal, id, uri, era).await);
            }
            ("subscriptions/listen", Era::Modern) => {
                let filter = std::mem::take(&mut params.notifications);
                return self.listen(call, principal, id, filter);
            }
            ("tools/list", _) => list(ListKind::Tools)?,
            ("resources/list", _) => list(ListKind::Resources)?,
            ("resources/templates/list", _) => list(ListKind::ResourceTemplates)?,
            ("prompts/list", _) => list(ListKind::Prompts)?,
            ("prompts/get", _) => return Err(ProtocolError::InvalidParams("unknown prompt")),
            ("server/discover", Era::Modern) => self.discover.clone(),
            ("initialize", Era::Legacy) => {
                let asked = required(&params.protocol_version, "protocolVersion must be a string")?;
                self.initialize(asked, over_http)
            }
            ("ping", Era::Legacy) => Bytes::from_static(b"{}"),
            _ => return Err(ProtocolError::MethodNotFound),
        };
        call.record.close_ok();
        Ok(Answer::result(id, &result))
    }

    async fn call_tool(
        &self,
        call: &mut Call,
        principal: &Arc<Principal>,
        id: &str,
        name: &str,
        arguments: Arguments,
        era: Era,
    ) -> Answer {
        let target = TargetRef::Tool(name);
        match call
            .serve(principal, CallRequest { target, arguments })
            .await
        {
            Ok(output) => {
                let schema = call.record.called().and_then(Target::output);
                let schema = schema.map(Schema::json);
                Answer::of_tool(id, &output, schema, era, &self.meta)
            }
            Err(error) if error.row().tool_result => {
                Answer::refused_to_model(id, error, era, &self.meta, call.record.call_id())
            }
            Err(error) => {
                let code = error.row().code;
                Answer::refused(Some(id), error, code, call.record.call_id())
            }
        }
    }

    async fn read_resource(
        &self,
        call: &mut Call,
        principal: &Arc<Principal>,
        id: &str,
        uri: &str,
        era: Era,
    ) -> Answer {
        let request = CallRequest {
            target: TargetRef::Resource(uri),
            arguments: Arguments::new(),
        };
        match call.serve(principal, request).await {
            Ok(output) => {
                let mime_type = match call.record.called().map(|target| target.kind()) {
                    Some(TargetKind::Resource(face, _)) => face.mime_type.as_str(),
                    _ => "application/json",
                };
                Answer::result(
                    id,
                    &resource_result(uri, mime_type, &output, era, &self.meta),
                )
            }
            Err(error) => {
                // Another tenant's object, a value off its pattern, no such template: one answer.
                let error = match error {
                    CallError::NotFound(_) | CallError::InvalidArguments(_) => {
                        CallError::UnknownResource
                    }
                    other => other,
                };
                let code = match (&error, era) {
                    (CallError::UnknownResource, Era::Legacy) => LEGACY_RESOURCE_NOT_FOUND,
                    _ => error.row().code,
                };
                let call_id = call.record.call_id();
                match error {
                    CallError::UnknownResource => Answer::unknown_resource(id, code, uri, call_id),
                    other => Answer::refused(Some(id), other, code, call_id),
                }
            }
        }
    }

    /// Opens a subscription; what comes of it is for the transport to send on.
    fn listen(
        &self,
        call: &mut Call,
        principal: &Arc<Principal>,
        id: &str,
        filter: Filter,
    ) -> Result<Answer, ProtocolError> {
        let Filter::Is(wanted) = filter else {
            let fault = "notifications must be an object of booleans";
            return Err(ProtocolError::InvalidParams(fault));
        };
        Ok(match call.listen(principal) {
            Ok(ear) => Answer::listening(Listening::modern(self, principal, ear, id, wanted)),
            Err(error) => {
                let code = error.row().code;
                Answer::refused(Some(id), error, code, call.record.call_id())
            }
        })
    }

    /// Over HTTP this era would listen on a stream of `GET`, which is not served.
    fn initialize(&self, asked: &str, over_http: bool) -> Bytes {
        let version = negotiated(Some(asked));
        let mut result = json!({
            "protocolVersion": version,
            "capabilities": capabilities(!over_http),
            "serverInfo": {"name": self.info.name, "version": self.info.version},
        });
        if let Some(instructions) = &self.info.instructions {
            result["instructions"] = json!(instructions);
        }
        Bytes::from(result.to_string())
    }
}

/// The revision that is spoken after `initialize`: the one that was asked for, else the newest of its era.
fn negotiated(asked: Option<&str>) -> &'static str {
    let known = LEGACY.iter().find(|known| Some(**known) == asked);
    known.unwrap_or(&LEGACY[0])
}

/// What is served, and whether changes are told. Prompts are there for clients that ask for all three
/// lists; the list is empty and stays so.
fn capabilities(tells_changes: bool) -> Value {
    let list = if tells_changes {
        json!({"listChanged": true})
    } else {
        json!({})
    };
    json!({"tools": list, "resources": list, "prompts": {}})
}

fn required<'p>(text: &'p Text<'_>, fault: &'static str) -> Result<&'p str, ProtocolError> {
    text.as_str().ok_or(ProtocolError::InvalidParams(fault))
}

fn notification(call: &mut Call, envelope: &Envelope<'_>, era: Era) -> Answer {
    if envelope.is_response {
        return response(call, era, true);
    }
    call.record.close_ok();
    let mut answer = Answer::accepted();
    if envelope.method.as_str() == Some("notifications/cancelled") {
        answer.cancels = envelope.params.request_id.map(str::to_owned);
    }
    answer
}

/// A client's answer to something we never asked: taken note of in the era that allows it over
/// HTTP, refused in the one that forbids it.
fn response(call: &mut Call, era: Era, http: bool) -> Answer {
    if era == Era::Modern && http {
        let error = ProtocolError::InvalidRequest("responses are not accepted");
        // Its id is one of ours, if any: echoed, it would look like an answer to one of theirs.
        return fault(call, None, &error, era);
    }
    call.record.close_ok();
    Answer::accepted()
}

fn fault(call: &mut Call, id: Option<&str>, error: &ProtocolError, era: Era) -> Answer {
    call.record.close_protocol(error);
    Answer::protocol(id, error, era, call.record.call_id())
}

/// Tells the record what the message is about.
fn note(call: &mut Call, envelope: &Envelope<'_>, version: Option<&str>) {
    let known = METHODS
        .iter()
        .find(|known| Some(**known) == envelope.method.as_str());
    call.record.method(known.copied().unwrap_or("_other"));
    if !call.record.is_traced() {
        return;
    }
    // A caller's texts go no further than they are of use.
    let short =
        |text: Option<&str>, max: usize| text.filter(|text| text.len() <= max).map(str::to_owned);
    let meta = &envelope.params.meta;
    let parent = meta.traceparent.as_str();
    call.record
        .belongs_to(parent.and_then(|parent| Remote::parse(parent, meta.tracestate.as_str())));
    if !call.record.trace().is_sampled() {
        return;
    }
    call.record.request(RequestFacts {
        request_id: short(envelope.id.map(|id| id.trim_matches('"')), 128),
        protocol_version: version.map(str::to_owned),
    });
}

/// Methods that may name a span; others are `_other`, so that callers cannot invent names.
const METHODS: [&str; 13] = [
    "tools/call",
    "tools/list",
    "resources/read",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
    "prompts/get",
    "server/discover",
    "subscriptions/listen",
    "initialize",
    "ping",
    "notifications/initialized",
    "notifications/cancelled",
];
