//! How many calls are in the house, how much of their answers nobody took yet, and whether new ones
//! are let in.
//!
//! One atomic for the count and the closing flag together, so that no call slips in between the
//! last look at the count and the end of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

use crate::error::CallError;

/// The top bit: the process is going down.
const DRAINING: usize = 1 << (usize::BITS - 1);

/// Counts running calls, and the bytes of answers that wait for their readers, against caps.
pub struct Load {
    state: AtomicUsize,
    cap: usize,
    unsent: AtomicUsize,
    max_unsent: usize,
    emptied: Notify,
    closing: watch::Sender<bool>,
}

/// A call's place; dropping it gives the place back.
pub(super) struct Place(Arc<Load>);

impl Load {
    /// At most `cap` calls at once, and none that begins while more than `max_unsent` bytes of
    /// answers are unsent.
    pub fn new(cap: usize, max_unsent: usize) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicUsize::new(0),
            cap: cap.min(DRAINING - 1),
            unsent: AtomicUsize::new(0),
            max_unsent,
            emptied: Notify::new(),
            closing: watch::Sender::new(false),
        })
    }

    /// Takes a place.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Place, CallError> {
        // Take the place first, so that a guard exists whatever the verdict.
        let before = self.state.fetch_add(1, Ordering::AcqRel);
        let place = Place(Arc::clone(self));
        if before & DRAINING != 0 {
            return Err(CallError::Draining);
        }
        if before >= self.cap || self.unsent() > self.max_unsent {
            return Err(CallError::Overloaded);
        }
        Ok(place)
    }

    /// Lets no new call in from now on.
    pub fn close(&self) {
        self.state.fetch_or(DRAINING, Ordering::AcqRel);
        self.closing.send_replace(true);
    }

    /// Waits until no new call is let in: what has no end of its own ends then.
    pub async fn closed(&self) {
        // Never an error: the sender is ours.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Whether the process is going down.
    pub fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) & DRAINING != 0
    }

    /// Calls running now.
    pub fn running(&self) -> usize {
        self.state.load(Ordering::Acquire) & !DRAINING
    }

    /// Bytes of answers that are made and not sent.
    pub fn unsent(&self) -> usize {
        self.unsent.load(Ordering::Relaxed)
    }

    /// The most of them while new calls are let in.
    pub fn max_unsent(&self) -> usize {
        self.max_unsent
    }

    /// An answer of so many bytes is made; whoever says so also says when it is gone.
    pub fn answer_made(&self, bytes: usize) {
        self.unsent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// An answer of so many bytes is sent, or given up.
    pub fn answer_gone(&self, bytes: usize) {
        self.unsent.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Waits until no call runs. Only meaningful after [`close`](Self::close).
    pub async fn emptied(&self) {
        loop {
            let notified = self.emptied.notified();
            tokio::pin!(notified);
            // Listen before looking, or the last call could leave in between.
            notified.as_mut().enable();
            if self.running() == 0 {
                return;
            }
            notified.await;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.state.fetch_sub(1, Ordering::AcqRel) == DRAINING | 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_calls_than_the_cap_and_none_after_closing() {
        let load = Load::new(2, 0);
        let first = load.enter();
        let second = load.enter();
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(load.enter(), Err(CallError::Overloaded)));
        drop(first);
        assert!(load.enter().is_ok());
        load.close();
        assert!(matches!(load.enter(), Err(CallError::Draining)));
        assert_eq!(load.running(), 1);
    }

    #[test]
    fn no_call_begins_while_too_much_is_unsent() {
        let load = Load::new(2, 10);
        load.answer_made(10);
        assert!(load.enter().is_ok());
        load.answer_made(1);
        assert!(matches!(load.enter(), Err(CallError::Overloaded)));
        load.answer_gone(10);
        assert!(load.enter().is_ok());
        assert_eq!(load.unsent(), 1);
    }

    #[tokio::test]
    async fn emptied_waits_for_the_last_call() {
        let load = Load::new(2, 0);
        let place = load.enter().ok();
        load.close();
        let waiting = tokio::spawn({
            let load = Arc::clone(&load);
            async move { load.emptied().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(place);
        waiting.await.expect("it ends");
    }
}
