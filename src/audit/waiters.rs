//! Who waits until the writer has come so far.
//!
//! A reader would ask why this is no watch channel: that wakes everybody each time, and of all who wait
//! for a sync most wait for the next one. Here only those are woken whose line is safe, or all when
//! nothing can be written.

use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::timeout;

use super::{Ticket, Unwritable};

/// How long anybody waits for a line.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far the writer came, and who waits for more.
#[derive(Default)]
pub(super) struct Waiters(Mutex<State>);

#[derive(Default)]
struct State {
    /// The ticket of the last line that came so far.
    up_to: u64,
    /// Whether the last try failed.
    is_failing: bool,
    waiting: Vec<(u64, Waker)>,
}

impl Waiters {
    /// Lines up to this one came so far.
    pub(super) fn tell(&self, up_to: u64) {
        let mut state = self.state();
        state.up_to = up_to;
        let ready = |(line, _): &mut (u64, Waker)| *line <= up_to;
        let ready: Vec<_> = state.waiting.extract_if(.., ready).collect();
        drop(state);
        ready.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Nothing can be written, so nobody waits; or all is well again.
    pub(super) fn is_failing_now(&self, is_failing: bool) {
        let mut state = self.state();
        state.is_failing = is_failing;
        let all = std::mem::take(&mut state.waiting);
        drop(state);
        all.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub(super) fn is_failing(&self) -> bool {
        self.state().is_failing
    }

    /// The ticket of the last line that came so far.
    pub(super) fn up_to(&self) -> u64 {
        self.state().up_to
    }

    /// Waits until the line came so far, or nothing can be written.
    pub(super) async fn reached(&self, Ticket(line): Ticket) -> Result<(), Unwritable> {
        let told = poll_fn(|context| {
            let mut state = self.state();
            if state.up_to >= line {
                return Poll::Ready(Ok(()));
            }
            if state.is_failing {
                return Poll::Ready(Err(Unwritable));
            }
            // One that was woken for another reason stands there twice, until the line is safe.
            state.waiting.push((line, context.waker().clone()));
            Poll::Pending
        });
        match timeout(PATIENCE, told).await {
            Ok(told) => told,
            Err(_) => self.stalled(line),
        }
    }

    /// The disk does not answer: that is a failure like any other, and nobody else waits for it.
    fn stalled(&self, line: u64) -> Result<(), Unwritable> {
        let state = self.state();
        if state.up_to >= line {
            return Ok(());
        }
        let is_first = !state.is_failing;
        drop(state);
        if is_first {
            self.is_failing_now(true);
            tracing::error!("the audit log cannot be written: its disk does not answer");
        }
        Err(Unwritable)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
