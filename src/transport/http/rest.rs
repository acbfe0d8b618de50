//! `POST /mcp/tool/{name}`: a tool call for programs that do not speak MCP.
//!
//! The body is the tool's arguments, the answer `{"ok":true,"result":…}` or a problem document
//! (RFC 9457). The call passes the same pipeline as any other.

use std::net::IpAddr;

use bytes::Bytes;
use http::{Request, Response};

use super::headers::{accepted, confirmation, credentials, is_json, note_origin};
use super::outgoing::Outgoing;
use super::received::Received;
use super::respond::{self, Reply};
use super::{HttpSurface, body};
use crate::error::{CallError, EdgeError};
use crate::json::StrictObject;
use crate::pipeline::{Call, CallRequest, Served};
use crate::record::Surface;
use crate::tool::{Arguments, TargetRef};

impl HttpSurface {
    pub(super) async fn answer_rest(
        &self,
        request: &mut Request<Received>,
        source: Option<IpAddr>,
        name: &str,
        refusal: Option<EdgeError>,
    ) -> Response<Outgoing> {
        let mut call = self.pipeline.open(Surface::Rest);
        call.from_address(source);
        call.record.method("tools/call");
        if let Some(error) = refusal {
            return refused_at_edge(&mut call, error).await;
        }
        note_origin(&mut call, request);
        let principal = match call.authenticate(&credentials(request.headers())).await {
            Ok(principal) => principal,
            Err(error) => return self.refused(&call, &error),
        };
        let arguments = match self.arguments(request).await {
            Ok(arguments) => arguments,
            Err(error) => return refused_at_edge(&mut call, error).await,
        };
        let asked = CallRequest::new(TargetRef::Tool(name), arguments)
            .confirmed_with(confirmation(request.headers()));
        let served = call.serve(&principal, asked).await;
        match served.and_then(Served::output) {
            Ok(output) => {
                let mut body = b"{\"ok\":true,\"result\":".to_vec();
                // A `Value` into memory: this does not fail.
                let _ = serde_json::to_writer(&mut body, &*output.as_json());
                body.push(b'}');
                Reply::ok(Bytes::from(body))
                    .call_id(call.record.call_id())
                    .quota(&call.record, &self.quota_policies)
                    .build()
            }
            Err(error) => self.refused(&call, &error),
        }
    }

    /// One JSON object; no body at all is a call without arguments.
    async fn arguments(&self, request: &mut Request<Received>) -> Result<Arguments, EdgeError> {
        let headers = request.headers();
        let accept = headers.get_all(http::header::ACCEPT);
        let takes_problems = accept.iter().any(|value| {
            value
                .to_str()
                .is_ok_and(|value| value.contains("application/problem+json"))
        });
        if !accepted(headers).reads_json() && !takes_problems {
            return Err(EdgeError::NotAcceptable);
        }
        let is_json = is_json(headers);
        let body = body::read(request.body_mut(), self.max_body_bytes, self.body_patience).await?;
        if body.is_empty() {
            return Ok(Arguments::new());
        }
        if !is_json {
            return Err(EdgeError::UnsupportedMediaType);
        }
        let text = std::str::from_utf8(&body).map_err(|_| EdgeError::BodyNotObject)?;
        match serde_json::from_str(text) {
            Ok(StrictObject(arguments)) => Ok(arguments),
            Err(_) => Err(EdgeError::BodyNotObject),
        }
    }

    fn refused(&self, call: &Call, error: &CallError) -> Response<Outgoing> {
        respond::problem_of(error, call.record.call_id())
            .quota(&call.record, &self.quota_policies)
            .advice(error, &self.challenge)
            .build()
    }
}

async fn refused_at_edge(call: &mut Call, error: EdgeError) -> Response<Outgoing> {
    call.record.close_edge(error);
    if let Err(error) = call.record.settle().await {
        return respond::problem_of(&error, call.record.call_id()).build();
    }
    let row = error.row();
    respond::problem(row, row.rest_status, &error.detail(), call.record.call_id())
        .allow(error)
        .build()
}
