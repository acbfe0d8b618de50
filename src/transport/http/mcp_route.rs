//! `POST /mcp`: MCP over Streamable HTTP, stateless (2026-07-28, streamable-http).

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::runtime::Handle;

use super::headers::{Accepted, accepted, credentials, is_json, mcp_headers};
use super::respond::Reply;
use super::{HttpSurface, body};
use crate::error::{CallError, EdgeError};
use crate::mcp::{Answer, error_before_message};
use crate::pipeline::{Call, Load};
use crate::record::Surface;

impl HttpSurface {
    pub(super) async fn answer_mcp(
        self: &Arc<Self>,
        request: Request<Incoming>,
        refusal: Option<EdgeError>,
    ) -> Response<Full<Bytes>> {
        let mut call = self.pipeline.open(Surface::McpHttp);
        // Until the message is read and says more.
        call.record.method("POST /mcp");
        if let Some(error) = refusal {
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
        let surface = Arc::clone(self);
        let leaving_cancels = mcp_headers(&head.headers).are_modern();
        let answering = async move {
            let headers = mcp_headers(&head.headers);
            let answer = surface
                .mcp
                .handle(&mut call, &principal, &message, Some(&headers))
                .await;
            surface.reply(&call, answer, accepted)
        };
        if leaving_cancels {
            answering.await
        } else {
            let load = Arc::clone(&self.pipeline.load);
            Persistent(Some(Box::pin(answering)), load).await
        }
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
            .quota(&call.record, &self.quota_policies);
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

/// Work that goes on when nobody waits for it any more.
///
/// Before 2026-07-28 a broken connection is not a cancellation (2025-11-25, transports, "Sending
/// Messages to the Server"), so a tool that has begun is not torn off half-way. While the client
/// stays, this costs a box and no task.
struct Persistent<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>, Arc<Load>);

impl<F: Future<Output: Send> + Send + 'static> Future for Persistent<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.0 else {
            return Poll::Pending;
        };
        let done = work.as_mut().poll(context);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Persistent<F> {
    fn drop(&mut self) {
        if let Some(work) = self.0.take()
            // At shutdown the calls that outlasted the grace are cut, these as well.
            && !self.1.is_closed()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(work);
        }
    }
}
