//! The accept loop.
//!
//! Ours rather than a framework's, because a framework's sets no timers: without one hyper waits
//! for a request's head for ever. Every connection has `TCP_NODELAY`, a place among a bounded
//! number, bounded heads, and a bounded time for each thing it does.

mod activity;
mod answer;
mod backlog;
mod connection;
mod frames;
mod framing;
mod guard;
mod http2;
mod paced;
mod places;

use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{HttpSurface, Limits, Tls};
use crate::clock::instant_now;
use crate::error::CallError;
use connection::{Connection, Shared};
use places::Places;

/// Longest head, in bytes, and the most headers in it.
const MAX_HEAD_BYTES: usize = 16 * 1024;
pub(in crate::transport) const MAX_HEADERS: usize = 64;
/// Pause after `accept` failed, as it does when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long connections may take to close after the last call.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a fault that strangers can cause is logged.
const LOG_PERIOD: Duration = Duration::from_secs(10);

/// Serves connections until `stop` resolves. If it says that no call runs any more, the open ones
/// get a moment to close; else they are cut, and their calls with them.
pub async fn serve(
    listener: TcpListener,
    surface: Arc<ArcSwap<HttpSurface>>,
    tls: Option<Tls>,
    limits: Limits,
    stop: impl Future<Output = bool>,
) {
    // Aborted when this function ends.
    let mut background = JoinSet::new();
    if let Some(tls) = tls.clone() {
        let recorder = Arc::clone(&surface.load().pipeline.recorder);
        background.spawn(tls.keep_current(limits.reload, recorder));
    }
    let shared = Shared::new(Arc::clone(&surface), limits, tls.as_ref());
    let (stopping, stopped) = watch::channel(());
    let mut acceptor = Acceptor::new(&shared, stopped);
    tokio::pin!(stop);
    let drained = loop {
        let accepted = tokio::select! {
            drained = &mut stop => break drained,
            accepted = listener.accept() => accepted,
            Some(_ended) = acceptor.connections.join_next() => continue,
        };
        match accepted {
            Ok((stream, peer)) => acceptor.take(stream, peer),
            // The peer's doing, and over already.
            Err(error) if is_of_the_peer(error.kind()) => {}
            Err(error) => {
                acceptor.failures.note(|count| {
                    tracing::warn!(%error, count, "connections could not be accepted");
                });
                sleep(ACCEPT_PAUSE).await;
            }
        }
    };
    drop(listener);
    let mut connections = acceptor.connections;
    let _ = stopping.send(());
    let patience = if drained {
        CLOSE_TIMEOUT
    } else {
        Duration::ZERO
    };
    let all_closed = async { while connections.join_next().await.is_some() {} };
    if timeout(patience, all_closed).await.is_err() {
        // Drops their calls, which closes the records while spans can still be sent.
        connections.shutdown().await;
    }
    shared.streams.cut().await;
    let detached = Arc::clone(&surface.load().detached);
    detached.cut().await;
}

/// Gives connections a place and a task, or refuses them.
struct Acceptor {
    shared: Arc<Shared>,
    stopped: watch::Receiver<()>,
    places: Arc<Places>,
    connections: JoinSet<()>,
    /// What a client reads for which there is no place.
    full: Vec<u8>,
    refusals: Seldom,
    failures: Seldom,
}

impl Acceptor {
    fn new(shared: &Arc<Shared>, stopped: watch::Receiver<()>) -> Self {
        let (row, limits) = (CallError::Overloaded.row(), &shared.limits);
        let full = format!(
            "HTTP/1.1 {} {}\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
            row.rest_status, row.title
        );
        Self {
            places: Places::new(limits.max_connections, limits.max_connections_per_address),
            shared: Arc::clone(shared),
            stopped,
            connections: JoinSet::new(),
            full: full.into_bytes(),
            refusals: Seldom::default(),
            failures: Seldom::default(),
        }
    }

    fn take(&mut self, stream: TcpStream, peer: SocketAddr) {
        let proxy = self.shared.surface.load().edge.may_be_proxy(peer.ip());
        let Some(place) = self.places.take((!proxy).then(|| peer.ip())) else {
            let surface = self.shared.surface.load();
            surface.pipeline.recorder.connection_refused();
            self.refusals.note(|count| {
                tracing::warn!(count, "too many connections; further ones were refused");
            });
            if self.shared.tls.is_none() {
                // As much as goes at once; nobody waits for a client that is one too many.
                let _ = stream
                    .into_std()
                    .and_then(|mut stream| stream.write(&self.full));
            }
            return;
        };
        if stream.set_nodelay(true).is_err() {
            // The peer is gone already.
            return;
        }
        let connection = Connection {
            shared: Arc::clone(&self.shared),
            peer,
            stop: self.stopped.clone(),
            place,
        };
        match &self.shared.tls {
            Some(tls) => {
                let serving = connection.serve_tls(stream, tls.clone());
                self.connections.spawn(serving)
            }
            None => self.connections.spawn(connection.serve_plain(stream)),
        };
    }
}

fn is_of_the_peer(error: ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused
    )
}

/// Says now and then what happens all the time.
#[derive(Default)]
struct Seldom {
    count: u64,
    next: Option<Instant>,
}

impl Seldom {
    fn note(&mut self, say: impl FnOnce(u64)) {
        let now = instant_now();
        self.count += 1;
        if self.next.is_none_or(|next| now >= next) {
            say(std::mem::take(&mut self.count));
            self.next = Some(now + LOG_PERIOD);
        }
    }
}
