//! How many calls are in the house, whose they are, how much of their answers nobody took yet, and
//! whether new ones are let in.
//!
//! One atomic for the count and the closing flag together, so that no call slips in between the
//! last look at the count and the end of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, watch};

use super::tenants::Tenants;
use crate::auth::TenantKey;
use crate::error::CallError;

/// The top bit: the process is going down.
const DRAINING: usize = 1 << (usize::BITS - 1);

/// Counts running calls, and the bytes of answers that wait for their readers, against caps.
pub struct Load {
    state: AtomicUsize,
    cap: usize,
    tenants: Tenants,
    unsent: AtomicUsize,
    max_unsent: usize,
    emptied: Notify,
    life: watch::Sender<Life>,
}

/// How far the process is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Life {
    /// Calls are taken.
    Serving,
    /// Calls are still taken, and should rather go elsewhere.
    Leaving,
    /// No new call is let in.
    Draining,
}

/// A call's place; dropping it gives the place back.
pub(super) struct Place {
    load: Arc<Load>,
    tenant: Option<TenantKey>,
}

impl Load {
    /// At most `cap` calls at once, `per_tenant` of them of one tenant, and none that begins while
    /// more than `max_unsent` bytes of answers are unsent.
    pub fn new(cap: usize, per_tenant: usize, max_unsent: usize) -> Arc<Self> {
        Arc::new(Self {
            state: AtomicUsize::new(0),
            cap: cap.min(DRAINING - 1),
            tenants: Tenants::new(per_tenant),
            unsent: AtomicUsize::new(0),
            max_unsent,
            emptied: Notify::new(),
            life: watch::Sender::new(Life::Serving),
        })
    }

    /// Takes a place for a call of `tenant`.
    pub(super) fn enter(self: &Arc<Self>, tenant: TenantKey) -> Result<Place, CallError> {
        // Take the place first, so that a guard exists whatever the verdict.
        let before = self.state.fetch_add(1, Ordering::AcqRel);
        let mut place = Place {
            load: Arc::clone(self),
            tenant: None,
        };
        if before & DRAINING != 0 {
            return Err(CallError::Draining);
        }
        if before >= self.cap || self.unsent() > self.max_unsent {
            return Err(CallError::Overloaded);
        }
        if !self.tenants.enter(tenant) {
            return Err(CallError::TooManyOfTenant);
        }
        place.tenant = Some(tenant);
        Ok(place)
    }

    /// Says that the process is about to go down; calls are still let in.
    pub fn announce_end(&self) {
        self.life.send_if_modified(|life| {
            let is_news = *life == Life::Serving;
            *life = (*life).max(Life::Leaving);
            is_news
        });
    }

    /// Lets no new call in from now on.
    pub fn close(&self) {
        self.state.fetch_or(DRAINING, Ordering::AcqRel);
        self.life.send_replace(Life::Draining);
    }

    /// How far the process is on its way out, to look at and to wait for.
    pub fn life(&self) -> watch::Receiver<Life> {
        self.life.subscribe()
    }

    /// Waits until no new call is let in: what has no end of its own ends then.
    pub async fn closed(&self) {
        // Never an error: the sender is ours.
        let _ = self.life().wait_for(|life| *life == Life::Draining).await;
    }

    /// Whether callers should rather go elsewhere.
    pub fn is_leaving(&self) -> bool {
        *self.life.borrow() != Life::Serving
    }

    /// Whether the process is going down.
    pub fn is_closed(&self) -> bool {
        self.state.load(Ordering::Acquire) & DRAINING != 0
    }

    /// How many calls may run at once.
    pub fn cap(&self) -> usize {
        self.cap
    }

    /// Calls running now.
    pub fn running(&self) -> usize {
        self.state.load(Ordering::Acquire) & !DRAINING
    }

    /// Tenants whose calls run now.
    pub fn tenants(&self) -> usize {
        self.tenants.count()
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
        if let Some(tenant) = self.tenant {
            self.load.tenants.leave(tenant);
        }
        if self.load.state.fetch_sub(1, Ordering::AcqRel) == DRAINING | 1 {
            self.load.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> TenantKey {
        TenantKey::of("acme")
    }

    #[test]
    fn no_more_calls_than_the_cap_and_none_after_closing() {
        let load = Load::new(2, 2, 0);
        let first = load.enter(acme());
        let second = load.enter(acme());
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(load.enter(acme()), Err(CallError::Overloaded)));
        drop(first);
        assert!(load.enter(acme()).is_ok());
        load.close();
        assert!(matches!(load.enter(acme()), Err(CallError::Draining)));
        assert_eq!(load.running(), 1);
    }

    #[test]
    fn no_more_calls_of_one_tenant_than_its_share_and_nothing_is_left_of_it() {
        let load = Load::new(3, 1, 0);
        let first = load.enter(acme());
        assert!(matches!(
            load.enter(acme()),
            Err(CallError::TooManyOfTenant)
        ));
        let other = load.enter(TenantKey::of("globex"));
        assert!(first.is_ok() && other.is_ok());
        assert_eq!((load.running(), load.tenants()), (2, 2));
        drop(first);
        assert!(load.enter(acme()).is_ok());
        drop(other);
        assert_eq!((load.running(), load.tenants()), (0, 0));
    }

    #[test]
    fn no_call_begins_while_too_much_is_unsent() {
        let load = Load::new(2, 2, 10);
        load.answer_made(10);
        assert!(load.enter(acme()).is_ok());
        load.answer_made(1);
        assert!(matches!(load.enter(acme()), Err(CallError::Overloaded)));
        load.answer_gone(10);
        assert!(load.enter(acme()).is_ok());
        assert_eq!(load.unsent(), 1);
    }

    #[tokio::test]
    async fn emptied_waits_for_the_last_call() {
        let load = Load::new(2, 2, 0);
        let place = load.enter(acme()).ok();
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
