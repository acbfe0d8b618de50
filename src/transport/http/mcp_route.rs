//! `POST /mcp`: MCP over Streamable HTTP, stateless (2026-07-28, streamable-http).

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use uuid::Uuid;

use super::cancellable::Cancellable;
use super::detached::Persistent;
use super::events::{as_event, of_listening};
use super::headers::{Accepted, accepted, credentials, is_json, is_modern, mcp_headers};
use super::outgoing::Outgoing;
use super::respond::Reply;
use super::{HttpSurface, body};
use crate::auth::Principal;
use crate::error::{CallError, EdgeError};
use crate::mcp::{Answer, Listening, error_before_message};
use crate::pipeline::Call;
use crate::record::Surface;

/// A message of a known caller, before it is read.
struct Received {
    call: Call,
    principal: Arc<Principal>,
    headers: HeaderMap,
    accepted: Accepted,
    message: Bytes,
}

impl HttpSurface {
    pub(super) async fn answer_mcp(
        self: &Arc<Self>,
        request: Request<Incoming>,
        source: Option<IpAddr>,
        refusal: Option<EdgeError>,
    ) -> Response<Outgoing> {
        let mut call = self.pipeline.open(Surface::McpHttp).from_address(source);
        // Until the message is read and says more.
        call.record.method("POST /mcp");
        if let Some(error) = refusal {
            return refused_at_edge(&mut call, error);
        }
        let (Parts { headers, .. }, incoming) = request.into_parts();
        let principal = match call.authenticate(&credentials(&headers)).await {
            Ok(principal) => principal,
            Err(error) => return self.refused_before_message(&call, &error),
        };
        let accepted = accepted(&headers);
        if !is_json(&headers) {
            return refused_at_edge(&mut call, EdgeError::UnsupportedMediaType);
        }
        if accepted == Accepted::Neither {
            return refused_at_edge(&mut call, EdgeError::NotAcceptable);
        }
        let message = match body::read(incoming, self.max_body_bytes, self.body_patience).await {
            Ok(message) => message,
            Err(error) => return refused_at_edge(&mut call, error),
        };
        let received = Received {
            call,
            principal,
            headers,
            accepted,
            message,
        };
        if is_modern(&received.headers) {
            return self.answer_message(received, true).await;
        }
        self.answer_persistently(received).await
    }

    /// For clients whose leaving cancels nothing.
    async fn answer_persistently(self: &Arc<Self>, received: Received) -> Response<Outgoing> {
        let (call_id, accepted) = (received.call.record.call_id(), received.accepted);
        let (caller, asked) = (Arc::clone(&received.principal), received.message.clone());
        let surface = Arc::clone(self);
        let work = Cancellable::new(
            async move { surface.answer_message(received, false).await },
            Arc::clone(&self.pipeline),
            caller,
            asked,
        );
        let done = Persistent::new(work, &self.detached).await;
        done.unwrap_or_else(|| cancelled(call_id, accepted))
    }

    async fn answer_message(
        self: &Arc<Self>,
        received: Received,
        leaving_cancels: bool,
    ) -> Response<Outgoing> {
        let Received {
            mut call,
            principal,
            headers,
            accepted,
            message,
        } = received;
        let mirrored = mcp_headers(&headers);
        let mut answer = self
            .mcp
            .handle(&mut call, &principal, &message, Some(&mirrored))
            .await;
        if let Some(id) = answer.cancels.as_ref().filter(|_| !leaving_cancels) {
            self.pipeline.cancellations.cancel(&principal, id);
        }
        match answer.listening.take() {
            Some(listening) => self.listen(call, listening, &headers, accepted),
            None => self.reply(&call, answer, accepted, headers),
        }
    }

    /// An answer that goes on until the server or the client ends it.
    fn listen(
        self: &Arc<Self>,
        mut call: Call,
        listening: Box<Listening>,
        headers: &HeaderMap,
        accepted: Accepted,
    ) -> Response<Outgoing> {
        if accepted == Accepted::Json {
            return refused_at_edge(&mut call, EdgeError::NotAcceptable);
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

    /// `headers` are those of the request, done with.
    fn reply(
        &self,
        call: &Call,
        answer: Answer,
        accepted: Accepted,
        headers: HeaderMap,
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

fn refused_at_edge(call: &mut Call, error: EdgeError) -> Response<Outgoing> {
    call.record.close_edge(error);
    let (row, id) = (error.row(), call.record.call_id());
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
