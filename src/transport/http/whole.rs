//! Requests and answers in one piece, for those who have no connection: the body is there, and the answer is waited
//! for to its last byte.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;

use super::HttpSurface;
use super::outgoing::Outgoing;
use super::received::Received;
use crate::error::EdgeError;

impl HttpSurface {
    /// Answers a request that `peer` sent.
    pub(in crate::transport) async fn answer_whole(
        self: &Arc<Self>,
        request: Request<Bytes>,
        peer: SocketAddr,
    ) -> Response<Bytes> {
        let mut request = request.map(Received::from);
        collected(self.answer(&mut request, peer).await).await
    }

    /// The answer to a request that never gets as far.
    pub(in crate::transport) async fn refuse_whole(&self, error: EdgeError) -> Response<Bytes> {
        collected(self.edge_problem(error)).await
    }
}

async fn collected(response: Response<Outgoing>) -> Response<Bytes> {
    let (head, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(never) => match never {},
    };
    Response::from_parts(head, body)
}
