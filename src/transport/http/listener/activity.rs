//! Whether an HTTP/2 connection is still of use: requests come, and answers are taken.
//!
//! Frames do not count. A peer that pings, changes settings or opens its window is not thereby
//! active, and one that keeps its window shut leaves its answers in our memory without a single
//! write having to wait. So each answer carries a token, which is dropped when its last byte is
//! handed to the socket, or its stream is reset; the oldest token tells how long somebody waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::backlog::Unread;
use crate::clock::instant_now;
use crate::transport::http::Limits;

/// Answers remembered behind one that is not taken, before those taken are looked for: more than
/// there are streams.
const REMEMBERED: usize = 256;

/// Frames that ask for nothing between two requests. A client that takes an answer opens its window
/// for each 16 KiB or more of it.
const MAX_IDLE_FRAMES: u32 = 20_000;

/// As many of them are forgotten for each part of a stream that is sent, which may last for days.
const FRAMES_PER_PART: u32 = 16;

/// What happens on one connection.
pub(super) struct Activity {
    reply: Duration,
    idle: Duration,
    /// Frames that asked for nothing, since a request began.
    idle_frames: AtomicU32,
    state: Mutex<State>,
}

struct State {
    running: usize,
    /// Answers in the order in which they were ready; those taken are gone or dead.
    replies: VecDeque<(Instant, Weak<Unread>)>,
    /// When the connection is idle for too long, if nothing else happens.
    idle_at: Instant,
}

impl Activity {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            reply: limits.reply,
            idle: limits.idle,
            idle_frames: AtomicU32::new(0),
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
        self.idle_frames.store(0, Ordering::Relaxed);
        self.state().running += 1;
        Running(Arc::clone(self))
    }

    /// Whether so many more frames that ask for nothing are few enough.
    pub(super) fn allows(&self, idle: u32) -> bool {
        let before = self.idle_frames.fetch_add(idle, Ordering::Relaxed);
        before.saturating_add(idle) <= MAX_IDLE_FRAMES
    }

    /// A client that takes a part of a stream may open its window for it and answer pings.
    fn forgive(&self) {
        let fewer = |before: u32| Some(before.saturating_sub(FRAMES_PER_PART));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        let _ = self.idle_frames.try_update(set, fetch, fewer);
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
    pub(super) fn answered(self, unread: Unread) -> Arc<Unread> {
        self.waits(unread)
    }

    /// A part of its answer is ready, and more may come. The token lives until the part is taken.
    pub(super) fn waits(&self, unread: Unread) -> Arc<Unread> {
        self.0.forgive();
        let token = Arc::new(unread);
        let mut state = self.0.state();
        state.forget_taken();
        if state.replies.len() > REMEMBERED {
            state.replies.retain(|(_, token)| token.strong_count() > 0);
        }
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
