//! `POST /mcp`: MCP over Streamable HTTP, stateless (2026-07-28, streamable-http).

use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use uuid::Uuid;

use super::cancellable::Cancellable;
use super::detached::Persistent;
use super::events::{as_event, of_listening};
use super::headers::{
    Accepted, accepted, credentials, is_json, is_modern, mcp_headers, note_origin,
};
use super::outgoing::Outgoing;
use super::respond::Reply;
use super::{HttpSurface, body};
use crate::auth::Principal;
use crate::error::{CallError, EdgeError};
use crate::mcp::{Answer, Listening, error_before_message};
use crate::pipeline::Call;
use crate::record::Surface;

impl HttpSurface {
    pub(super) async fn answer_mcp(
        self: &Arc<Self>,
        request: &mut Request<Incoming>,
        source: Option<IpAddr>,
        refusal: Option<EdgeError>,
    ) -> Response<Outgoing> {
        let mut call = self.pipeline.open(Surface::McpHttp).from_address(source);
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
        if !is_modern(&headers) {
            return self
                .answer_persistently(call, principal, headers, message, accepted)
                .await;
        }
        let mirrored = mcp_headers(&headers);
        let answer = self
            .mcp
            .handle(&mut call, &principal, &message, Some(&mirrored))
            .await;
        self.told(call, answer, headers, accepted).await
    }

    /// For clients whose leaving cancels nothing.
    fn answer_persistently(
        self: &Arc<Self>,
        mut call: Call,
        principal: Arc<Principal>,
        headers: HeaderMap,
        message: Bytes,
        accepted: Accepted,
    ) -> impl Future<Output = Response<Outgoing>> + use<> {
        let call_id = call.record.call_id();
        let (caller, asked) = (Arc::clone(&principal), message.clone());
        let surface = Arc::clone(self);
        let answering = async move {
            let mirrored = mcp_headers(&headers);
            let answer = surface
                .mcp
                .handle(&mut call, &principal, &message, Some(&mirrored))
                .await;
            if let Some(id) = &answer.cancels {
                surface.pipeline.cancellations.cancel(&principal, id);
            }
            surface.told(call, answer, headers, accepted).await
        };
        let work = Cancellable::new(answering, Arc::clone(&self.pipeline), caller, asked);
        let done = Persistent::new(work, &self.detached);
        done.map(move |done| done.unwrap_or_else(|| cancelled(call_id, accepted)))
    }

    /// What the client is told. `headers` are those of its request.
    async fn told(
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
            .quota(&call.record, &self.quota_policies);
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

/// A cancelled call has no answer (2025-11-25, basic/utilities/cancellation), but its request needs a
/// response: a stream that ends without a message, or the status that promises none.
fn cancelled(call_id: Uuid, accepted: Accepted) -> Response<Outgoing> {
    let reply = if accepted == Accepted::Json {
        Reply::empty(202)
    } else {
        Reply::events(Bytes::new())
    };
    reply.call_id(call_id).build()
}
