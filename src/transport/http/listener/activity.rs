//! Whether an HTTP/2 connection is still of use: requests come, and answers are taken.
//!
//! Frames do not count. A peer that pings, changes settings or opens its window is not thereby
//! active, and one that keeps its window shut leaves its answers in our memory without a single
//! write having to wait. So each answer carries a token, which is dropped when its last byte is
//! handed to the socket, or its stream is reset; the oldest token tells how long somebody waits.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::sleep_until;

use crate::clock::instant_now;
use crate::transport::http::Limits;

/// What happens on one connection.
pub(super) struct Activity {
    reply: Duration,
    idle: Duration,
    state: Mutex<State>,
}

struct State {
    running: usize,
    /// Answers in the order in which they were ready; those taken are gone or dead.
    replies: VecDeque<(Instant, Weak<()>)>,
    /// When the connection is idle for too long, if nothing else happens.
    idle_at: Instant,
}

impl Activity {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            reply: limits.reply,
            idle: limits.idle,
            state: Mutex::new(State {
                running: 0,
                replies: VecDeque::new(),
                idle_at: instant_now() + limits.head,
            }),
        })
    }

    /// Ends when the connection should: nothing runs for too long, or an answer is not taken.
    pub(super) fn expired(self: &Arc<Self>) -> impl Future<Output = ()> + use<> {
        let activity = Arc::clone(self);
        async move {
            while let Some(next) = activity.next_look(instant_now()) {
                sleep_until(next.into()).await;
            }
        }
    }

    /// When to look again; `None` is the end. Never later than the soonest end of what may begin
    /// after this look.
    fn next_look(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        state.forget_taken();
        let busy = now + self.reply.min(self.idle);
        let end = match state.replies.front() {
            Some((since, _)) => *since + self.reply,
            None if state.running > 0 => return Some(busy),
            None => state.idle_at,
        };
        (now < end).then(|| end.min(busy))
    }

    /// A request has come.
    pub(super) fn begin(self: &Arc<Self>) -> Running {
        self.state().running += 1;
        Running(Arc::clone(self))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn forget_taken(&mut self) {
        while let Some((_, token)) = self.replies.front()
            && token.strong_count() == 0
        {
            self.replies.pop_front();
        }
    }
}

/// A request that runs; dropping it is its end.
pub(super) struct Running(Arc<Activity>);

impl Running {
    /// Its answer is ready. The token lives until the answer is taken.
    pub(super) fn answered(self) -> Arc<()> {
        let token = Arc::new(());
        let mut state = self.0.state();
        state.forget_taken();
        let reply = (instant_now(), Arc::downgrade(&token));
        state.replies.push_back(reply);
        token
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let idle_at = instant_now() + self.0.idle;
        let mut state = self.0.state();
        state.running -= 1;
        state.idle_at = idle_at;
    }
}

/// An answer's body with its token.
pub(super) struct TrackedBody {
    body: Full<Bytes>,
    token: Arc<()>,
}

impl TrackedBody {
    pub(super) fn new(body: Full<Bytes>, token: Arc<()>) -> Self {
        Self { body, token }
    }
}

impl Body for TrackedBody {
    type Data = Tracked;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Tracked>, Infallible>>> {
        let token = Arc::clone(&self.token);
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        frame.map_ok(|frame| {
            frame.map_data(|bytes| Tracked {
                bytes,
                _token: token,
            })
        })
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that keep their answer's token until they are sent.
pub(super) struct Tracked {
    bytes: Bytes,
    _token: Arc<()>,
}

impl Buf for Tracked {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
