//! `POST /mcp`: MCP over Streamable HTTP, stateless (2026-07-28, streamable-http).

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use super::headers::{Accepted, accepted, credentials, is_json, mcp_headers};
use super::respond::{self, Reply};
use super::{HttpSurface, body};
use crate::error::{CallError, EdgeError};
use crate::mcp::{Answer, error_before_message};
use crate::pipeline::Call;
use crate::record::Surface;

impl HttpSurface {
    pub(super) async fn answer_mcp(
        &self,
        request: Request<Incoming>,
        refusal: Option<EdgeError>,
    ) -> Response<Full<Bytes>> {
        let mut call = self.pipeline.open(Surface::McpHttp);
        if let Some(error) = refusal {
            if self.is_preflight(&request) {
                call.record.close_ok();
                return respond::preflight();
            }
            return refused_at_edge(&mut call, error);
        }
        let (head, incoming) = request.into_parts();
        let principal = match call.authenticate(&credentials(&head.headers)).await {
            Ok(principal) => principal,
            Err(error) => return self.refused_before_message(&call, &error),
        };
        let accepted = accepted(&head.headers);
        if !is_json(&head.headers) {
            return refused_at_edge(&mut call, EdgeError::UnsupportedMediaType);
        }
        if accepted == Accepted::Neither {
            return refused_at_edge(&mut call, EdgeError::NotAcceptable);
        }
        let message = match body::read(incoming, self.max_body_bytes).await {
            Ok(message) => message,
            Err(error) => return refused_at_edge(&mut call, error),
        };
        let headers = mcp_headers(&head.headers);
        let answer = self
            .mcp
            .handle(&mut call, &principal, &message, Some(&headers))
            .await;
        self.reply(&call, answer, accepted)
    }

    fn reply(&self, call: &Call, answer: Answer, accepted: Accepted) -> Response<Full<Bytes>> {
        let Answer {
            status,
            body,
            error,
            ..
        } = answer;
        let reply = if body.is_empty() {
            Reply::empty(status)
        } else if accepted == Accepted::EventStreamOnly {
            Reply::new(status, "text/event-stream", Bytes::from(as_event(&body)))
        } else {
            Reply::json(status, Bytes::from(body))
        };
        let reply = reply
            .call_id(call.record.call_id())
            .quota(call.record.quota());
        match &error {
            Some(error) => reply.advice(error, &self.challenge).build(),
            None => reply.build(),
        }
    }

    /// The message was not read, so its id is not known.
    fn refused_before_message(&self, call: &Call, error: &CallError) -> Response<Full<Bytes>> {
        let (row, id) = (error.row(), call.record.call_id());
        let body = error_before_message(row.code, &error.detail(), error.retry_after(), id);
        Reply::json(row.mcp_status, Bytes::from(body))
            .call_id(id)
            .advice(error, &self.challenge)
            .build()
    }
}

fn refused_at_edge(call: &mut Call, error: EdgeError) -> Response<Full<Bytes>> {
    call.record.method("(refused)");
    call.record.close_edge(error);
    let (row, id) = (error.row(), call.record.call_id());
    let body = error_before_message(row.code, &error.detail(), None, id);
    Reply::json(row.mcp_status, Bytes::from(body))
        .call_id(id)
        .allow(error)
        .build()
}

/// One message as a server-sent event; it holds no line break.
fn as_event(message: &[u8]) -> Vec<u8> {
    [b"event: message\ndata: ", message, b"\n\n"].concat()
}
