//! HTTP/2 (RFC 9113), through ALPN alone: its caps, its tasks, and when a connection is over.
//!
//! hyper and h2 count streams, resets and CONTINUATION frames; what neither does is to end a
//! connection that is of no use. [`Activity`] does: it knows which requests run, and which answers
//! nobody takes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2::Builder;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioTimer;
use tokio::runtime::Handle;

use super::activity::Activity;
use super::answer::Answer;
use super::backlog::Share;
use super::{MAX_HEAD_BYTES, MAX_HEADERS};
use crate::error::EdgeError;
use crate::transport::http::HttpSurface;
use crate::transport::http::detached::Detached;
use crate::transport::http::received::Received;

const MAX_STREAMS: u32 = 100;
/// Resets by the peer before a stream was looked at, and resets by us for the peer's faults;
/// beyond them it is an attack (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
const MAX_LOCAL_RESETS: usize = 64;
/// What a client may send ahead, per stream and in all.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
const MAX_FRAME_BYTES: u32 = 16 * 1024;
/// What waits to be sent, per stream.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
/// A peer that is gone without a word is found by a ping.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn builder(streams: Streams) -> Builder<Streams> {
    let mut builder = Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .max_header_list_size(MAX_HEAD_BYTES as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_frame_size(MAX_FRAME_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// The requests that run on HTTP/2 connections, a task each: those of one connection run side by
/// side, and all end with the server.
#[derive(Clone, Default)]
pub(super) struct Streams(Arc<Detached>);

impl Streams {
    pub(super) async fn cut(&self) {
        self.0.cut().await;
    }
}

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        self.0.adopt(stream, &Handle::current());
    }
}

/// Answers the requests of one connection, and keeps its activity.
pub(super) fn service(
    surface: &Arc<ArcSwap<HttpSurface>>,
    activity: &Arc<Activity>,
    share: &Arc<Share>,
    peer: SocketAddr,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Answer>,
    Error = Infallible,
    Future: Send + 'static,
> + use<> {
    let (surface, activity) = (Arc::clone(surface), Arc::clone(activity));
    let share = Arc::clone(share);
    service_fn(move |request: Request<Incoming>| {
        let (surface, running) = (surface.load_full(), activity.begin());
        let share = Arc::clone(&share);
        let mut request = request.map(Received::from);
        async move {
            // hyper has no cap of its own here.
            let response = if request.headers().len() > MAX_HEADERS {
                surface.edge_problem(EdgeError::TooManyHeaders)
            } else {
                surface.answer(&mut request, peer).await
            };
            Ok(response.map(|body| Answer::http2(body, &share, running)))
        }
    })
}
