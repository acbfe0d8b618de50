//! One gRPC call with one message each way ("gRPC over HTTP2"), as a server sees it.

use std::io::Read as _;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Response};
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;

/// The message of a request, and whether it was compressed: a flag, its length, itself.
pub(crate) fn message(body: &[u8]) -> (Vec<u8>, bool) {
    let (flag, rest) = body.split_first().expect("a flag");
    let (length, message) = rest.split_first_chunk::<4>().expect("a length");
    assert_eq!(u32::from_be_bytes(*length) as usize, message.len());
    match flag {
        0 => (message.to_vec(), false),
        1 => (unpacked(message), true),
        other => panic!("no flag: {other}"),
    }
}

/// Whatever gzip packed.
pub(crate) fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut unpacking = flate2::read::GzDecoder::new(packed);
    unpacking.read_to_end(&mut bytes).expect("gzip");
    bytes
}

/// An empty message and status 0, or another status without one.
pub(crate) fn answer(status: u16) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(status));
    let message = (status == 0).then(|| Frame::data(Bytes::from_static(&[0; 5])));
    let frames = message.into_iter().chain([Frame::trailers(trailers)]);
    let frames = stream::iter(frames.map(Ok::<_, std::convert::Infallible>));
    Response::builder()
        .header("content-type", "application/grpc")
        .body(Body::new(StreamBody::new(frames)))
        .expect("an answer")
}
