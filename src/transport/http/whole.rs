//! Requests and answers in one piece, for those who have no connection: the body is there, and the answer is waited
//! for to its last byte.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::BodyExt as _;

use super::HttpSurface;
use super::headers::accepted;
use super::outgoing::Outgoing;
use super::received::Received;
use crate::error::EdgeError;

impl HttpSurface {
    /// Answers a request that `caller` sent, as far as it is known.
    pub(in crate::transport) async fn answer_whole(
        self: &Arc<Self>,
        mut request: Request<Bytes>,
        caller: Option<IpAddr>,
    ) -> Response<Bytes> {
        take_no_streams(request.headers_mut());
        let source = caller.and_then(|caller| {
            let peer = SocketAddr::new(caller, 0);
            self.edge.caller_address(peer, request.headers())
        });
        let mut request = request.map(Received::from);
        collected(self.answer_from(&mut request, source).await).await
    }

    /// The answer to a request that never gets as far.
    pub(in crate::transport) async fn refuse_whole(&self, error: EdgeError) -> Response<Bytes> {
        collected(self.edge_problem(error)).await
    }

    /// Ends calls that go on without anybody who waits for them; they are on record as cancelled.
    pub(crate) async fn cut_detached(&self) {
        self.detached.cut().await;
    }
}

/// Whatever else the client takes, it gets JSON, or nothing.
fn take_no_streams(headers: &mut HeaderMap) {
    let lines = headers.get_all(header::ACCEPT).iter();
    let takes_problems = lines
        .filter_map(|line| line.to_str().ok())
        .any(|line| line.contains("application/problem+json"));
    let taken = match accepted(headers).reads_json() {
        true => "application/json",
        false if takes_problems => "application/problem+json",
        false => "*/*;q=0",
    };
    headers.insert(header::ACCEPT, HeaderValue::from_static(taken));
}

async fn collected(response: Response<Outgoing>) -> Response<Bytes> {
    let (head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(never) => match never {},
    };
    Response::from_parts(head, body)
}
