//! Running calls that a message of their own caller may cancel.
//!
//! Before 2026-07-28 a client cancels over HTTP with a message of its own, which names the call's
//! JSON-RPC id. There are no sessions, so a call is known by its caller and that id; the ids of
//! different callers never meet (CVE-2026-25536 is what happens where they do). Two clients of one
//! caller may both use an id: then nobody can say which call is meant, and both go on.
//!
//! A call is entered only once it waits for something, so that most pay nothing, and under a digest
//! of 16 bytes, so that ids of any length cost the same.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::auth::Principal;

/// The calls that can be cancelled; one for all generations of the configuration. As many as run.
#[derive(Default)]
pub struct Cancellations(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    calls: HashMap<u128, Vec<(u64, oneshot::Sender<()>)>>,
    next: u64,
}

/// One call's entry; dropping it ends it. As a future it ends when the call is cancelled.
pub(crate) struct Cancelled {
    cancellations: Arc<Cancellations>,
    key: u128,
    number: u64,
    cancelled: oneshot::Receiver<()>,
}

impl Cancellations {
    /// Enters a call under its caller and the text of its id.
    pub(crate) fn enter(self: &Arc<Self>, principal: &Principal, id: &str) -> Cancelled {
        let (sender, cancelled) = oneshot::channel();
        let key = principal.request_key(id);
        let mut waiting = self.waiting();
        let number = waiting.next;
        waiting.next += 1;
        waiting.calls.entry(key).or_default().push((number, sender));
        drop(waiting);
        Cancelled {
            cancellations: Arc::clone(self),
            key,
            number,
            cancelled,
        }
    }

    /// Cancels the one call of this caller with this id. One that is not there has ended, or never
    /// was; that is nobody's fault.
    pub(crate) fn cancel(&self, principal: &Principal, id: &str) {
        let mut waiting = self.waiting();
        let Some(calls) = waiting.calls.get_mut(&principal.request_key(id)) else {
            return;
        };
        if let [_, _, ..] = calls[..] {
            let running = calls.len();
            drop(waiting);
            tracing::debug!(
                running,
                "a cancellation names several calls of its caller; none was cancelled"
            );
            return;
        }
        if let Some((_, sender)) = calls.pop() {
            // A call that ends at this moment does not hear it.
            let _ = sender.send(());
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Cancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // The sender goes with this entry alone, so an error cannot come.
        Pin::new(&mut self.cancelled).poll(context).map(drop)
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        let mut waiting = self.cancellations.waiting();
        if let Some(calls) = waiting.calls.get_mut(&self.key) {
            calls.retain(|(number, _)| *number != self.number);
            if calls.is_empty() {
                waiting.calls.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn caller(name: &str) -> Principal {
        Principal::configured("acme", name, [""; 0]).expect("a good name")
    }

    #[test]
    fn only_its_own_caller_cancels_a_call_and_by_its_exact_id() {
        let cancellations = Arc::new(Cancellations::default());
        let (ada, bob) = (caller("ada"), caller("bob"));
        let mut call = cancellations.enter(&ada, "7");
        cancellations.cancel(&bob, "7");
        cancellations.cancel(&ada, "\"7\"");
        cancellations.cancel(&ada, "77");
        assert!((&mut call).now_or_never().is_none());
        cancellations.cancel(&ada, "7");
        assert!((&mut call).now_or_never().is_some());
    }

    #[test]
    fn of_two_calls_under_one_id_neither_is_cancelled_until_one_has_ended() {
        let cancellations = Arc::new(Cancellations::default());
        let ada = caller("ada");
        let mut first = cancellations.enter(&ada, "7");
        let second = cancellations.enter(&ada, "7");
        cancellations.cancel(&ada, "7");
        assert!((&mut first).now_or_never().is_none());
        drop(second);
        cancellations.cancel(&ada, "7");
        assert!((&mut first).now_or_never().is_some());
        drop(first);
        assert!(cancellations.waiting().calls.is_empty());
    }
}
