//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::error::Error;
use std::future::pending;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use http::header::{CONNECTION, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::answer::Answer;
use super::backlog::Backlog;
use super::frames::Frames;
use super::guard::Guarded;
use super::http2;
use super::paced::Paced;
use super::places::Place;
use super::{CLOSE_TIMEOUT, MAX_HEAD_BYTES, MAX_HEADERS};
use crate::error::EdgeError;
use crate::pipeline::Life;
use crate::transport::http::outgoing::Outgoing;
use crate::transport::http::received::Received;
use crate::transport::http::{HttpSurface, Limits, Tls};

/// What all connections of a listener share.
pub(super) struct Shared {
    /// The current one, looked up for each request.
    pub(super) surface: Arc<ArcSwap<HttpSurface>>,
    pub(super) limits: Limits,
    pub(super) backlog: Arc<Backlog>,
    pub(super) streams: http2::Streams,
    pub(super) http1: http1::Builder,
    pub(super) http2: hyper::server::conn::http2::Builder<http2::Streams>,
    pub(super) tls: Option<TlsAcceptor>,
}

/// What one connection has of its own, beside its stream.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: SocketAddr,
    /// Says when to finish what runs and close.
    pub(super) stop: watch::Receiver<()>,
    pub(super) place: Place,
}

impl Shared {
    pub(super) fn new(
        surface: Arc<ArcSwap<HttpSurface>>,
        limits: Limits,
        tls: Option<&Tls>,
    ) -> Arc<Self> {
        let streams = http2::Streams::default();
        Arc::new(Self {
            backlog: Backlog::new(surface.load().pipeline()),
            surface,
            http1: http1_builder(limits.head),
            http2: http2::builder(streams.clone()),
            streams,
            tls: tls.map(|tls| TlsAcceptor::from(Arc::clone(tls.config()))),
            limits,
        })
    }
}

impl Connection {
    /// HTTP/1.1 alone: HTTP/2 in the clear is spoken by nobody who needs it.
    pub(super) async fn serve_plain(self, stream: TcpStream) {
        self.serve_http1(stream).await;
    }

    /// The handshake is this connection's own affair: while it lasts, others are accepted.
    pub(super) async fn serve_tls(self, stream: TcpStream, acceptor: TlsAcceptor) {
        match timeout(self.shared.limits.handshake, acceptor.accept(stream)).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.serve_http2(stream).await;
            }
            Ok(Ok(stream)) => self.serve_http1(stream).await,
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_elapsed) => tracing::debug!("a TLS handshake took too long"),
        }
    }

    async fn serve_http1(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let (shared, peer) = (&self.shared, &self.peer);
        let stream = TokioIo::new(Guarded::new(Paced::new(stream, shared.limits.reply)));
        let (share, cut) = shared.backlog.share();
        let service = service_fn(|request: Request<Incoming>| {
            let (surface, share) = (shared.surface.load_full(), &share);
            let mut request = request.map(Received::from);
            // Of some size, and hyper would move it into the connection's memory, where it is cold. Its room
            // first: with nothing between its making and its place that could fail, it is made there.
            let room = Box::new_uninit();
            let answering = async move {
                let mut response = if request.headers().len() > MAX_HEADERS {
                    too_many_headers(&surface)
                } else {
                    surface.answer(&mut request, *peer).await
                };
                if surface.pipeline.load.is_leaving() {
                    // The client's next connection may lead to a server that stays (RFC 9112 §9.6).
                    response.headers_mut().insert(CONNECTION, CLOSE);
                }
                Ok::<_, Infallible>(response.map(|body| Answer::http1(body, share)))
            };
            Box::into_pin(Box::write(room, answering))
        });
        let connection = shared.http1.serve_connection(stream, service);
        drive(connection, cut, self.stop, pending(), pending()).await;
        drop(self.place);
    }

    async fn serve_http2(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let shared = &self.shared;
        let activity = Activity::new(&shared.limits);
        let stream = Paced::new(stream, shared.limits.reply);
        let stream = TokioIo::new(Frames::new(stream, Arc::clone(&activity)));
        let (share, cut) = shared.backlog.share();
        let service = http2::service(&shared.surface, &activity, &share, self.peer);
        let connection = shared.http2.serve_connection(stream, service);
        let leaving = drain_begins(shared.surface.load().pipeline().load.life());
        drive(connection, cut, self.stop, activity.expired(), leaving).await;
        drop(self.place);
    }
}

/// Resolves when the server begins to drain. Never on a connection that came later: it could not be
/// told why its requests are refused.
async fn drain_begins(mut life: watch::Receiver<Life>) {
    let came_later = *life.borrow_and_update() == Life::Draining;
    if came_later || life.wait_for(|life| *life == Life::Draining).await.is_err() {
        pending().await
    }
}

/// What happens to a connection besides its requests.
enum Event {
    Cut,
    Leaving,
    Over,
}

/// Serves until the client leaves, the connection is `cut`, `stop` speaks, or the connection
/// `expired`. In the last two cases what runs may end, for a moment: before `stop` speaks, calls
/// have had their grace. Once the server is `leaving`, the client is told to begin nothing new here
/// (HTTP/2: GOAWAY, RFC 9113 §6.8), and what runs may end in its time.
async fn drive<C>(
    connection: C,
    cut: oneshot::Receiver<()>,
    mut stop: watch::Receiver<()>,
    expired: impl Future<Output = ()> + Send,
    leaving: impl Future<Output = ()> + Send,
) where
    C: GracefulConnection<Error: Error>,
{
    let mut connection = pin!(connection);
    let cut = async {
        // Nobody cuts a connection any more whose share is gone.
        if cut.await.is_err() {
            pending().await
        }
        Event::Cut
    };
    let over = async {
        tokio::select! {
            biased;
            _ = stop.changed() => {}
            () = expired => {}
        }
        Event::Over
    };
    let leaving = leaving.map(|()| Event::Leaving);
    // Polled only when one of them has something to say, and not with each request.
    let mut events = FuturesUnordered::from_iter([cut.boxed(), over.boxed(), leaving.boxed()]);
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut connection => break ended,
            Some(event) = events.next() => match event {
                Event::Cut => return,
                Event::Leaving => connection.as_mut().graceful_shutdown(),
                Event::Over => {
                    connection.as_mut().graceful_shutdown();
                    break timeout(CLOSE_TIMEOUT, connection).await.unwrap_or(Ok(()));
                }
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Counted here and not by hyper, which by default reads at most 100: asked for another number, it
/// fills room for so many before each head.
fn too_many_headers(surface: &HttpSurface) -> Response<Outgoing> {
    let mut response = surface.edge_problem(EdgeError::TooManyHeaders);
    response.headers_mut().insert(CONNECTION, CLOSE);
    response
}

/// hyper's timer covers a connection from its first moment, also one that stays silent or idle.
fn http1_builder(head: Duration) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_buf_size(MAX_HEAD_BYTES)
        .half_close(false)
        // Answers are small: one copy into one buffer beats two for the kernel to gather.
        .writev(false);
    builder
}
