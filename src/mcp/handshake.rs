//! What only clients of the `initialize` era say: the handshake, which log messages they want, what
//! they subscribe to, and their answers to our questions.

use bytes::Bytes;
use serde_json::json;

use super::calls::refused_resource;
use super::client::{log_level, session_text};
use super::envelope;
use super::front::{Era, LEGACY};
use super::session::{MAX_URI_BYTES, session_id};
use super::{Answer, Listening, Mcp, NOTHING, Peer, Request, capabilities, fault, required};
use crate::auth::Principal;
use crate::error::ProtocolError;
use crate::pipeline::{Call, CallRequest};
use crate::tool::{Arguments, TargetRef};

impl Mcp {
    /// Greets a client, and remembers what it can do, or has it remember that itself.
    pub(super) fn initialize(&self, request: Request<'_, '_>) -> Result<Answer, ProtocolError> {
        let asked = &request.params.protocol_version;
        let asked = required(asked, "protocolVersion must be a string")?;
        let over_http = request.peer.is_over_http();
        let mut result = json!({
            "protocolVersion": negotiated(Some(asked)),
            // Over HTTP this era would listen on a stream of `GET`, which is not served.
            "capabilities": capabilities(!over_http),
            "serverInfo": {"name": self.info.name, "version": self.info.version},
        });
        if let Some(instructions) = &self.info.instructions {
            result["instructions"] = json!(instructions);
        }
        let mut answer = Answer::result(request.id, result.to_string().as_bytes());
        let can = envelope::initialize_capabilities(request.message).get();
        match request.peer.session {
            Some(session) => {
                session.begin(can);
                let (ear, uris) = (request.call.overhear(), session.uris.clone());
                let listening = Listening::legacy(self, request.principal, ear, uris);
                answer.listening = Some(Box::new(listening));
            }
            None => answer.session = session_id(&self.lasting, request.principal, can),
        }
        request.call.record.close_ok();
        Ok(answer)
    }

    pub(super) fn set_log_level(&self, request: &Request<'_, '_>) -> Result<Bytes, ProtocolError> {
        let fault = "level must be a string";
        let level = envelope::level(request.message);
        let level = log_level(&level.ok_or(ProtocolError::InvalidParams(fault))?)?;
        match request.peer.session {
            Some(session) => session.want_log(level),
            None => {
                let session = request.peer.headers.map(|headers| headers.session);
                let session = session_text(session.unwrap_or_default());
                let levels = &self.lasting.log_levels;
                levels.set(request.principal, session, level);
            }
        }
        Ok(NOTHING)
    }

    /// Subscribes to a resource that the caller may read: every check of a call, and no run. Over HTTP
    /// there is no stream in this era on which to hear of it.
    pub(super) async fn subscribe(
        &self,
        request: Request<'_, '_>,
    ) -> Result<Answer, ProtocolError> {
        let uri = required(&request.params.uri, "uri must be a string")?;
        let uris = request.peer.session.map(|session| &session.uris);
        // Before the call is decided, which closes its record. On stdio nobody else adds to them.
        if uri.len() > MAX_URI_BYTES || uris.is_some_and(|uris| !uris.has_room(uri)) {
            let fault = "more subscriptions, or a longer URI, than allowed";
            return Err(ProtocolError::InvalidParams(fault));
        }
        let asked = CallRequest::new(TargetRef::Resource(uri), Arguments::new());
        if let Err(error) = request.call.decide(request.principal, asked).await {
            let (call, id) = (&*request.call, request.id);
            return Ok(refused_resource(call, id, uri, error, Era::Legacy));
        }
        if let Some(uris) = uris {
            uris.add(uri);
        }
        Ok(Answer::result(request.id, &NOTHING))
    }

    /// A client's answer to what we asked it. Where nothing was asked it is taken note of in the era
    /// that allows it over HTTP, and refused in the one that forbids it.
    pub(super) fn response(
        &self,
        call: &mut Call,
        principal: &Principal,
        message: &[u8],
        era: Era,
        peer: Peer<'_>,
    ) -> Answer {
        if era == Era::Modern && peer.is_over_http() {
            let error = ProtocolError::InvalidRequest("responses are not accepted");
            // Its id is one of ours, if any: echoed, it would look like an answer to one of theirs.
            return fault(call, None, &error, era);
        }
        if let Some((id, answer)) = envelope::response(message) {
            self.lasting.questions.answer(principal, &id, answer);
        }
        call.record.close_ok();
        Answer::accepted()
    }
}

pub(super) fn unsubscribe(request: &Request<'_, '_>) -> Result<Bytes, ProtocolError> {
    let uri = required(&request.params.uri, "uri must be a string")?;
    if let Some(session) = request.peer.session {
        session.uris.remove(uri);
    }
    Ok(NOTHING)
}

/// The revision that is spoken after `initialize`: the one that was asked for, else the newest of its era.
pub(super) fn negotiated(asked: Option<&str>) -> &'static str {
    let known = LEGACY.iter().find(|known| Some(**known) == asked);
    known.unwrap_or(&LEGACY[0])
}
