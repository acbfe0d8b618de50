//! The accept loop.
//!
//! Ours rather than a framework's, because a framework's sets no timers: without one hyper waits
//! for a request's head for ever. Every connection has `TCP_NODELAY`, bounded headers and a bounded
//! time to send them.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::HttpSurface;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest head, in bytes, and the most headers in it.
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// Pause after `accept` failed, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections may take to close after the last call.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves connections until `stop` resolves. If it says that no call runs any more, the open ones
/// get a moment to close; else they are cut, and their calls with them.
pub async fn serve(
    listener: TcpListener,
    surface: Arc<HttpSurface>,
    stop: impl Future<Output = bool>,
) {
    let server = Arc::new(connection_builder());
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    let drained = loop {
        let accepted = tokio::select! {
            drained = &mut stop => break drained,
            accepted = listener.accept() => accepted,
            Some(_ended) = connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => {
                serve_connection(stream, peer, &server, &surface, &graceful, &mut connections);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    drop(listener);
    let patience = if drained {
        CLOSE_TIMEOUT
    } else {
        Duration::ZERO
    };
    if timeout(patience, graceful.shutdown()).await.is_err() {
        // Drops their calls, which closes the records while spans can still be sent.
        connections.shutdown().await;
    }
    surface.detached.cut().await;
}

fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    server: &Arc<http1::Builder>,
    surface: &Arc<HttpSurface>,
    graceful: &GracefulShutdown,
    connections: &mut JoinSet<()>,
) {
    if stream.set_nodelay(true).is_err() {
        // The peer is gone already.
        return;
    }
    let surface = Arc::clone(surface);
    let service = service_fn(move |request| {
        let surface = Arc::clone(&surface);
        async move { Ok::<_, Infallible>(surface.answer(request, peer).await) }
    });
    let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
    connections.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended badly");
        }
    });
}

/// HTTP/1.1 alone: the timer covers a connection from its first moment, also one that stays silent
/// or idle. HTTP/2 in the clear is spoken by nobody who needs it, and has no such timer.
fn connection_builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .half_close(false)
        // Answers are small: one copy into one buffer beats two for the kernel to gather.
        .writev(false);
    builder
}
