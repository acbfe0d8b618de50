//! A bounded number of places, and a line of those who wait for one.
//!
//! Ours and not tokio's semaphore, because limits change with the configuration while calls hold
//! places, and because a place that nobody waits for should cost two atomics and no lock. First
//! come, first served: whoever comes while others wait joins the end of the line.
//!
//! No wake-up is lost: who leaves first gives the place back and then looks for a line, who waits
//! first joins the line and then looks for a place; in one total order (`SeqCst`) one of the two
//! sees the other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;
use tokio::time::timeout_at;

/// How many may wait for each place.
const WAITING_PER_PLACE: usize = 4;

pub(super) struct Gate {
    limit: AtomicUsize,
    taken: AtomicUsize,
    /// The length of the line, for those who do not hold its lock.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    next_ticket: u64,
    /// By ticket, ascending.
    waiters: VecDeque<(u64, oneshot::Sender<Place>)>,
}

/// A place; dropping it hands it to whoever waits longest, or gives it back.
pub(super) struct Place(Arc<Gate>);

/// A stay in the line; dropping it leaves the line.
struct Waiting {
    gate: Arc<Gate>,
    ticket: u64,
    turn: oneshot::Receiver<Place>,
}

impl Gate {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit: AtomicUsize::new(limit),
            taken: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
        })
    }

    /// Changes how many places there are. Places beyond a smaller limit stay taken until they are
    /// given back.
    pub(super) fn set_limit(self: &Arc<Self>, limit: usize) {
        if self.limit.swap(limit, SeqCst) < limit {
            self.call_waiting();
        }
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }

    /// Calls in the line.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// A place, at once or by `until`; nothing when none comes free or too many wait already.
    pub(super) async fn enter(self: &Arc<Self>, until: Option<Instant>) -> Option<Place> {
        if self.waiting() == 0
            && let Some(place) = self.try_take()
        {
            return Some(place);
        }
        // Boxed: nearly no call waits, and all would carry the room for it.
        Box::pin(self.wait(until?)).await
    }

    async fn wait(self: &Arc<Self>, until: Instant) -> Option<Place> {
        let mut waiting = self.join_line()?;
        self.call_waiting();
        let turn = timeout_at(until.into(), &mut waiting.turn).await;
        turn.ok()?.ok()
    }

    fn join_line(self: &Arc<Self>) -> Option<Waiting> {
        let mut line = self.line();
        let room = self.limit.load(SeqCst).saturating_mul(WAITING_PER_PLACE);
        if line.waiters.len() >= room {
            return None;
        }
        let (call, turn) = oneshot::channel();
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        line.waiters.push_back((ticket, call));
        self.waiting.fetch_add(1, SeqCst);
        Some(Waiting {
            gate: Arc::clone(self),
            ticket,
            turn,
        })
    }

    fn try_take(self: &Arc<Self>) -> Option<Place> {
        let limit = self.limit.load(SeqCst);
        let more = |taken| (taken < limit).then_some(taken + 1);
        let taken = self.taken.fetch_update(SeqCst, SeqCst, more);
        taken.ok().map(|_| Place(Arc::clone(self)))
    }

    /// Gives free places to those who wait.
    fn call_waiting(self: &Arc<Self>) {
        loop {
            let mut line = self.line();
            if line.waiters.is_empty() {
                return;
            }
            let Some(place) = self.try_take() else {
                return;
            };
            let next = line.waiters.pop_front();
            self.waiting.fetch_sub(1, SeqCst);
            drop(line);
            if let Some((_, call)) = next {
                // Whoever has just left the line drops the place, which calls the next one.
                drop(call.send(place));
            }
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, SeqCst);
        if self.0.waiting() > 0 {
            self.0.call_waiting();
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut line = self.gate.line();
        let found = line
            .waiters
            .binary_search_by_key(&self.ticket, |(ticket, _)| *ticket);
        if let Ok(position) = found {
            line.waiters.remove(position);
            self.gate.waiting.fetch_sub(1, SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::clock::deadline_in;

    fn soon() -> Option<Instant> {
        Some(deadline_in(Duration::from_secs(60)))
    }

    #[tokio::test]
    async fn who_waits_longest_is_next_and_who_leaves_is_passed_over() {
        let gate = Gate::new(1);
        let first = gate.enter(None).await;
        assert!(first.is_some() && gate.enter(None).await.is_none());
        let mut line: Vec<_> = (0..4).map(|_| Box::pin(gate.enter(soon()))).collect();
        for waiting in &mut line {
            assert!(waiting.now_or_never().is_none());
        }
        assert_eq!(gate.waiting(), 4);
        assert!(gate.enter(soon()).await.is_none(), "the line is full");
        drop(line.remove(0));
        assert_eq!(gate.waiting(), 3);
        drop(first);
        let second = line.remove(0).now_or_never().flatten();
        assert!(second.is_some() && (&mut line[0]).now_or_never().is_none());
        // Even where it is called and leaves before it comes.
        drop(second);
        drop(line.remove(0));
        assert!(line.remove(0).now_or_never().flatten().is_some());
        assert_eq!((gate.taken(), gate.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn limits_change_while_places_are_taken() {
        let gate = Gate::new(2);
        let (one, two) = (gate.enter(None).await, gate.enter(None).await);
        gate.set_limit(1);
        drop(one);
        assert!(gate.enter(None).await.is_none(), "one is still taken");
        let mut third = Box::pin(gate.enter(soon()));
        assert!((&mut third).now_or_never().is_none());
        gate.set_limit(2);
        assert!(third.await.is_some());
        drop(two);
        assert_eq!((gate.taken(), gate.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_wait_ends_with_its_time() {
        let gate = Gate::new(1);
        let _first = gate.enter(None).await;
        let until = deadline_in(Duration::from_millis(5));
        assert!(gate.enter(Some(until)).await.is_none());
        assert_eq!((gate.taken(), gate.waiting()), (1, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_up_is_lost_between_threads() {
        let gate = Gate::new(2);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let gate = Arc::clone(&gate);
            tasks.spawn(async move {
                for _ in 0..2_000 {
                    let place = gate.enter(soon()).await;
                    assert!(place.is_some() && gate.taken() <= 2);
                    tokio::task::yield_now().await;
                }
            });
        }
        tasks.join_all().await;
        assert_eq!((gate.taken(), gate.waiting()), (0, 0));
    }
}
