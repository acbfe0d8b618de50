//! The Model Context Protocol: one message in, one answer out, no I/O.
//!
//! The front is ours rather than an SDK's, because governance needs what SDKs keep to themselves:
//! status codes, headers, the order of checks, a record of every malformed message. Two eras are
//! served side by side without sessions: 2026-07-28, and the `initialize` revisions before it.
//!
//! Order of checks: parse, `_meta`, headers, version, method, parameters, and then the pipeline.
//! Transports authenticate before they read the message at all.

mod answer;
mod calls;
mod client;
mod envelope;
mod front;
mod handshake;
mod listen;
mod lists;
mod mirror;
mod notice;
mod peer;
mod session;
mod tasks;
mod typing;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

pub use answer::{Answer, error_before_message};
pub(crate) use answer::{answer_to_unauthenticated, answer_to_unread};
pub(crate) use envelope::id_of;
pub use front::{Header, McpHeaders};
pub(crate) use listen::{Heard, Listening, Served};
pub(crate) use notice::{Notices, may_want_notices};
pub use peer::Peer;
pub(crate) use session::Session;

use crate::auth::Principal;
use crate::error::ProtocolError;
use crate::pipeline::{Call, Lasting, Pipeline, WriteEnd};
use crate::record::RequestFacts;
use crate::trace::Remote;
use answer::Meta;
use envelope::{Envelope, Filter, MAX_ECHOED_BYTES, Params, Text, Wanted};
use front::{Era, MODERN, judge};
use handshake::{negotiated, unsubscribe};
use lists::{ListKind, Lists};
use mirror::Mirrors;
use session::{MAX_URI_BYTES, MAX_URIS};
use tasks::{TASKS, cannot_have_tasks, write_end};

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
    meta: Arc<Meta>,
    /// Whether calls of any tool may become tasks.
    has_tasks: bool,
    write_end: WriteEnd,
    info: ServerInfo,
    discover: Bytes,
    lasting: Arc<Lasting>,
}

impl Mcp {
    /// Prepares everything that does not depend on the request.
    /// Lists are answered in pages of at most `page_size` entries.
    pub fn new(pipeline: &Pipeline, info: ServerInfo, page_size: usize) -> Self {
        let server_info = json!({"name": info.name, "version": info.version});
        let meta = Arc::new(Meta::new(&server_info));
        let has_tasks = pipeline.has_tasks();
        let mut discover = json!({
            "resultType": "complete",
            "supportedVersions": [MODERN],
            "capabilities": capabilities(true),
            "ttlMs": 3_600_000,
            // The same for everybody.
            "cacheScope": "public",
        });
        if has_tasks {
            discover["capabilities"]["extensions"] = json!({TASKS: {}});
        }
        if let Some(instructions) = &info.instructions {
            discover["instructions"] = json!(instructions);
        }
        let mut discover = discover.to_string();
        discover.pop();
        discover.push_str(meta.end(Era::Modern));
        Self {
            lists: Lists::new(&pipeline.catalog, &pipeline.list_lookups, page_size),
            mirrors: Mirrors::new(&pipeline.catalog),
            has_tasks,
            write_end: write_end(&meta),
            meta,
            info,
            discover: Bytes::from(discover),
            lasting: Arc::clone(&pipeline.lasting),
        }
    }

    /// Answers one message of an authenticated caller.
    pub async fn handle(
        &self,
        call: &mut Call,
        principal: &Arc<Principal>,
        message: &[u8],
        peer: Peer<'_>,
    ) -> Answer {
        let answer = self.answer(call, principal, message, peer).await;
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
        peer: Peer<'_>,
    ) -> Answer {
        let mut envelope = match envelope::parse(message) {
            Ok(envelope) => envelope,
            Err(error) => {
                call.record.method("(unreadable)");
                return fault(call, envelope::rescue_id(message), &error, Era::Modern);
            }
        };
        let (era, version) = match judge(&envelope, peer.headers) {
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
        if envelope.is_response {
            return self.response(call, principal, message, era, peer);
        }
        let Some(id) = envelope.id else {
            return notification(call, &envelope);
        };
        if let (Era::Modern, Some(headers)) = (era, peer.headers)
            && let Err(error) = self.mirrors.check(&envelope, principal, headers)
        {
            return fault(call, Some(id), &error, era);
        }
        let method = envelope.method.as_str().unwrap_or_default();
        let request = Request {
            call,
            principal,
            id,
            params: &mut envelope.params,
            era,
            peer,
            message,
        };
        let answered = self.dispatch(request, method).await;
        answered.unwrap_or_else(|error| fault(call, Some(id), &error, era))
    }

    async fn dispatch(
        &self,
        request: Request<'_, '_>,
        method: &str,
    ) -> Result<Answer, ProtocolError> {
        match (method, request.era) {
            ("tools/call", _) => self.call_tool(request).await,
            ("resources/read", _) => self.read_resource(request).await,
            ("prompts/get", _) => self.get_prompt(request).await,
            ("completion/complete", _) => self.complete(request).await,
            ("subscriptions/listen", Era::Modern) => self.listen(request).await,
            ("tasks/get" | "tasks/update" | "tasks/cancel", Era::Modern) if self.has_tasks => {
                self.ask_task(request, method).await
            }
            ("resources/subscribe", Era::Legacy) => self.subscribe(request).await,
            ("initialize", Era::Legacy) => self.initialize(request),
            _ => {
                let result = self.told(&request, method)?;
                request.call.record.close_ok();
                Ok(Answer::result(request.id, &result))
            }
        }
    }

    /// What is known without running anything.
    fn told(&self, request: &Request<'_, '_>, method: &str) -> Result<Bytes, ProtocolError> {
        let (era, params) = (request.era, &*request.params);
        let list = |kind| {
            let principal = request.principal;
            self.lists.result(kind, era, principal, &self.meta, params)
        };
        match (method, era) {
            ("tools/list", _) => list(ListKind::Tools),
            ("resources/list", _) => list(ListKind::Resources),
            ("resources/templates/list", _) => list(ListKind::ResourceTemplates),
            ("prompts/list", _) => list(ListKind::Prompts),
            ("server/discover", Era::Modern) => Ok(self.discover.clone()),
            ("logging/setLevel", Era::Legacy) => self.set_log_level(request),
            ("resources/unsubscribe", Era::Legacy) => unsubscribe(request),
            ("ping", Era::Legacy) => Ok(NOTHING),
            _ => Err(ProtocolError::MethodNotFound),
        }
    }

    /// Opens a subscription; what comes of it is for the transport to send on.
    async fn listen(&self, request: Request<'_, '_>) -> Result<Answer, ProtocolError> {
        let can_have_tasks = request.can_have_tasks();
        let Request {
            call,
            principal,
            id,
            params,
            ..
        } = request;
        let Filter::Is(mut wanted) = std::mem::take(&mut params.notifications) else {
            let fault = "notifications must be an object of booleans and lists of texts";
            return Err(ProtocolError::InvalidParams(fault));
        };
        if !wanted.tasks.is_empty() && !can_have_tasks {
            return Ok(cannot_have_tasks(call, id));
        }
        check_filter(&wanted, id)?;
        let mut tasks = Vec::new();
        for task in wanted.tasks {
            if self.has_tasks && call.may_hear_of(principal, &task).await.is_some() {
                tasks.push(task);
            }
        }
        wanted.tasks = tasks;
        // The others are left out of what is acknowledged, as those that there are not.
        wanted.uris.retain(|uri| call.may_read(principal, uri));
        Ok(match call.listen(principal) {
            Ok(ear) => Answer::listening(Listening::modern(self, principal, ear, id, wanted)),
            Err(error) => {
                let code = error.row().code;
                Answer::refused(Some(id), error, code, call.record.call_id())
            }
        })
    }
}

/// What a listener asks for is kept for as long as it listens.
fn check_filter(wanted: &Wanted, id: &str) -> Result<(), ProtocolError> {
    let fault = if wanted.uris.len() > MAX_URIS {
        "resourceSubscriptions holds more URIs than allowed"
    } else if wanted.uris.iter().any(|uri| uri.len() > MAX_URI_BYTES) {
        "resourceSubscriptions holds a URI that is longer than allowed"
    } else if wanted.tasks.len() > MAX_URIS {
        "taskIds holds more than allowed"
    } else if id.len() > MAX_ECHOED_BYTES {
        // It stands in everything that the listener is told.
        "the id of a subscription is longer than allowed"
    } else {
        return Ok(());
    };
    Err(ProtocolError::InvalidParams(fault))
}

/// One request, as far as it is read.
struct Request<'a, 'p> {
    call: &'a mut Call,
    principal: &'a Arc<Principal>,
    id: &'a str,
    params: &'a mut Params<'p>,
    era: Era,
    peer: Peer<'a>,
    /// The whole of it, for what only few methods need.
    message: &'a [u8],
}

/// A result that says nothing but that it is one, before 2026-07-28.
const NOTHING: Bytes = Bytes::from_static(b"{}");

/// What is served, and whether changes are told.
fn capabilities(tells_changes: bool) -> Value {
    let (list, resources) = if tells_changes {
        let resources = json!({"listChanged": true, "subscribe": true});
        (json!({"listChanged": true}), resources)
    } else {
        (json!({}), json!({}))
    };
    json!({
        "tools": list, "resources": resources, "prompts": list, "completions": {}, "logging": {},
    })
}

fn required<'p>(text: &'p Text<'_>, fault: &'static str) -> Result<&'p str, ProtocolError> {
    text.as_str().ok_or(ProtocolError::InvalidParams(fault))
}

fn notification(call: &mut Call, envelope: &Envelope<'_>) -> Answer {
    call.record.close_ok();
    let mut answer = Answer::accepted();
    if envelope.method.as_str() == Some("notifications/cancelled") {
        answer.cancels = envelope.params.request_id.map(str::to_owned);
    }
    answer
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
        is_legacy: version.is_some_and(|version| version != MODERN),
    });
}

/// Methods that may name a span; others are `_other`, so that callers cannot invent names.
const METHODS: [&str; 20] = [
    "tools/call",
    "tools/list",
    "resources/read",
    "resources/list",
    "resources/templates/list",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "resources/subscribe",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/get",
    "tasks/update",
    "tasks/cancel",
    "initialize",
    "ping",
    "notifications/initialized",
    "notifications/cancelled",
];
