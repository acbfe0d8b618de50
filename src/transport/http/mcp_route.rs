//! `POST /mcp`: MCP over Streamable HTTP, stateless (2026-07-28, streamable-http).

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};

use super::cancellable::Cancellable;
use super::detached::Persistent;
use super::events::{as_event, of_listening};
use super::headers::{Accepted, accepted, credentials, is_json, mcp_headers, note_origin};
use super::outgoing::Outgoing;
use super::received::Received;
use super::respond::Reply;
use super::speaking::Speaking;
use super::{HttpSurface, body};
use crate::auth::Principal;
use crate::error::{CallError, EdgeError};
use crate::mcp::{Answer, Listening, Notices, Peer, error_before_message, may_want_notices};
use crate::pipeline::Call;
use crate::record::Surface;

impl HttpSurface {
    pub(super) async fn answer_mcp(
        self: &Arc<Self>,
        request: &mut Request<Received>,
        source: Option<IpAddr>,
        refusal: Option<EdgeError>,
    ) -> Response<Outgoing> {
        let mut call = self.pipeline.open(Surface::McpHttp);
        call.from_address(source);
        // Until the message is read and says more.
        call.record.method("POST /mcp");
        if let Some(error) = refusal {
            return refused_at_edge(&mut call, error).await;
        }
        note_origin(&mut call, request);
        let headers = mem::take(request.headers_mut());
        let principal = match call.authenticate(&credentials(&headers)).await {
            Ok(principal) => principal,
            Err(error) => return self.refused_before_message(&call, &error),
        };
        if !is_json(&headers) {
            return refused_at_edge(&mut call, EdgeError::UnsupportedMediaType).await;
        }
        let accepted = accepted(&headers);
        if accepted == Accepted::Neither {
            return refused_at_edge(&mut call, EdgeError::NotAcceptable).await;
        }
        let (body, max_bytes) = (request.body_mut(), self.max_body_bytes);
        let message = match body::read(body, max_bytes, self.body_patience).await {
            Ok(message) => message,
            Err(error) => return refused_at_edge(&mut call, error).await,
        };
        let mirrored = mcp_headers(&headers);
        if !mirrored.are_modern() {
            return self
                .answer_persistently(call, principal, headers, message, accepted)
                .await;
        }
        if accepted.reads_events() && may_want_notices(&message) {
            let answering = self.answer_speaking(call, principal, headers, message, accepted);
            // Rare, and of some size.
            return Box::pin(answering).await;
        }
        let peer = Peer::over_http(&mirrored);
        let answer = self.mcp.handle(&mut call, &principal, &message, peer).await;
        self.told(call, answer, headers, accepted).await
    }

    /// For clients that want to hear something before the answer; their leaving cancels the call.
    async fn answer_speaking(
        self: &Arc<Self>,
        call: Call,
        principal: Arc<Principal>,
        headers: HeaderMap,
        message: Bytes,
        accepted: Accepted,
    ) -> Response<Outgoing> {
        let (call_id, clock) = (call.record.call_id(), call.record.clock());
        let notices = Notices::default();
        let surface = Arc::clone(self);
        let work = surface.work(call, principal, headers, message, Some(notices.clone()));
        self.speak(Speaking {
            work: Box::pin(work.map(Some)),
            notices,
            call_id,
            clock,
            accepted,
        })
        .await
    }

    /// For clients whose leaving cancels nothing.
    async fn answer_persistently(
        self: &Arc<Self>,
        call: Call,
        principal: Arc<Principal>,
        headers: HeaderMap,
        message: Bytes,
        accepted: Accepted,
    ) -> Response<Outgoing> {
        let (call_id, clock) = (call.record.call_id(), call.record.clock());
        let (caller, asked) = (Arc::clone(&principal), message.clone());
        let notices = Notices::default();
        let told = accepted.reads_events().then(|| notices.clone());
        let work = Arc::clone(self).work(call, principal, headers, message, told);
        let work = Cancellable::new(work, Arc::clone(&self.pipeline), caller, asked);
        self.speak(Speaking {
            work: Persistent::new(work, &self.detached),
            notices,
            call_id,
            clock,
            accepted,
        })
        .await
    }

    /// Answers a message, and owns what that takes.
    async fn work(
        self: Arc<Self>,
        mut call: Call,
        principal: Arc<Principal>,
        headers: HeaderMap,
        message: Bytes,
        notices: Option<Notices>,
    ) -> Box<(Call, Answer, HeaderMap)> {
        let mirrored = mcp_headers(&headers);
        let outbox = notices.as_ref().map(Notices::outbox);
        let peer = Peer::over_http(&mirrored).told_through(outbox);
        let answer = self.mcp.handle(&mut call, &principal, &message, peer).await;
        if let Some(id) = &answer.cancels {
            self.pipeline.cancellations.cancel(&principal, id);
        }
        Box::new((call, answer, headers))
    }

    /// What the client is told. `headers` are those of its request.
    pub(super) async fn told(
        self: &Arc<Self>,
        call: Call,
        mut answer: Answer,
        headers: HeaderMap,
        accepted: Accepted,
    ) -> Response<Outgoing> {
        match answer.listening.take() {
            // Rare, and of some size.
            Some(listening) => Box::pin(self.listen(call, listening, &headers, accepted)).await,
            None => self.reply(&call, answer, headers, accepted),
        }
    }

    /// An answer that goes on until the server or the client ends it.
    async fn listen(
        self: &Arc<Self>,
        mut call: Call,
        listening: Box<Listening>,
        headers: &HeaderMap,
        accepted: Accepted,
    ) -> Response<Outgoing> {
        if accepted == Accepted::Json {
            return refused_at_edge(&mut call, EdgeError::NotAcceptable).await;
        }
        let call_id = call.record.call_id();
        let credentials = credentials(headers).into();
        let events = of_listening(
            listening,
            credentials,
            Arc::clone(&self.served),
            call.record,
        );
        Reply::events(events).call_id(call_id).build()
    }

    fn reply(
        &self,
        call: &Call,
        answer: Answer,
        headers: HeaderMap,
        accepted: Accepted,
    ) -> Response<Outgoing> {
        let Answer {
            status,
            body,
            error,
            session,
            ..
        } = answer;
        let reply = if body.is_empty() {
            Reply::empty(status)
        } else if !accepted.reads_json() {
            Reply::events(Bytes::from(as_event(&body)))
        } else {
            Reply::over(headers, status, "application/json", Bytes::from(body))
        };
        let reply = reply
            .call_id(call.record.call_id())
            .quota(&call.record, &self.quota_policies)
            .session(session.as_deref());
        match &error {
            Some(error) => reply.advice(error, &self.challenge).build(),
            None => reply.build(),
        }
    }

    /// The message was not read, so its id is not known.
    fn refused_before_message(&self, call: &Call, error: &CallError) -> Response<Outgoing> {
        let (row, id) = (error.row(), call.record.call_id());
        let body = error_before_message(row.code, &error.detail(), error.retry_after(), id);
        Reply::json(row.mcp_status, Bytes::from(body))
            .call_id(id)
            .advice(error, &self.challenge)
            .build()
    }
}

async fn refused_at_edge(call: &mut Call, error: EdgeError) -> Response<Outgoing> {
    call.record.close_edge(error);
    let id = call.record.call_id();
    if let Err(error) = call.record.settle().await {
        let row = error.row();
        let body = error_before_message(row.code, &error.detail(), error.retry_after(), id);
        return Reply::json(row.mcp_status, Bytes::from(body))
            .call_id(id)
            .build();
    }
    let row = error.row();
    let body = error_before_message(row.code, &error.detail(), None, id);
    Reply::json(row.mcp_status, Bytes::from(body))
        .call_id(id)
        .allow(error)
        .build()
}
