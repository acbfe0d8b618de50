//! Whether the store is good: the breaker, and the task that closes it again.
//!
//! The breaker is the connection: there is one while the store is good, and none while it is not. The
//! first call whose answer is late or wrong takes the connection away, which sets free all calls that
//! wait for theirs; from then on calls find none and cost nothing. One task makes a new connection,
//! proves it by counting on a key of its own (a write, where calls failed), and puts it in place.
//!
//! A reader would ask why a heartbeat: without calls nobody would notice that the store is gone, and
//! the first call after a quiet night would pay for it, and `/readyz` would know nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::sleep;

use super::connect::Connection;
use super::fault::StoreFault;
use super::pace::Pace;
use crate::clock::instant_now;

/// How often a connection that is in place is proved.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The connection, if the store is good.
#[derive(Clone)]
enum State {
    /// Nothing is known yet: the first calls wait for the first connection.
    Untried,
    Good(Arc<Live>),
    Bad(StoreFault),
}

/// A connection that was proved.
pub(super) struct Live {
    pub(super) connection: Connection,
    since: Instant,
}

/// The state, and who is told of its changes.
pub(super) struct Link {
    state: watch::Sender<State>,
    /// A key beside the one that a call failed on.
    probe_key: Mutex<String>,
}

/// What the task makes and proves connections with.
pub(super) trait Prover: Send + Sync + 'static {
    fn link(&self) -> &Link;
    /// Makes a connection.
    fn connect(&self) -> impl Future<Output = Result<Connection, StoreFault>> + Send;
    /// Counts on `key` over `connection`, within the time that a call has.
    fn prove(
        &self,
        connection: &Connection,
        key: &str,
    ) -> impl Future<Output = Result<(), StoreFault>> + Send;
    /// The store is good from now on, or is not.
    fn changed(&self, to: Result<(), &StoreFault>);
    /// Says how it is, or why it still fails.
    fn tell(&self, how: Result<(), &StoreFault>);
}

impl Link {
    pub(super) fn new(probe_key: String) -> Self {
        Self {
            state: watch::Sender::new(State::Untried),
            probe_key: Mutex::new(probe_key),
        }
    }

    /// Whether the store is good.
    pub(super) fn is_good(&self) -> bool {
        matches!(*self.state.borrow(), State::Good(_))
    }

    /// The connection, if the store is good; waits until that is known for the first time.
    pub(super) async fn live(&self) -> Option<Arc<Live>> {
        let known = self.state.borrow().clone();
        let known = match known {
            State::Untried => {
                let mut changes = self.state.subscribe();
                let known = changes.wait_for(|state| !matches!(state, State::Untried));
                known.await.ok()?.clone()
            }
            known => known,
        };
        match known {
            State::Good(live) => Some(live),
            State::Untried | State::Bad(_) => None,
        }
    }

    /// Waits until `live` is in place no more.
    pub(super) async fn gone(&self, live: &Arc<Live>) {
        let mut changes = self.state.subscribe();
        // Never an error: the sender is ours.
        let _ = changes.wait_for(|state| !state.holds(live)).await;
    }

    /// The store failed on `live`, or before there was a connection; whether this is news.
    pub(super) fn fail(
        &self,
        live: Option<&Arc<Live>>,
        probe_key: String,
        fault: &StoreFault,
    ) -> bool {
        *self.probe_key() = probe_key;
        self.state.send_if_modified(|state| {
            let is_news = match live {
                Some(live) => state.holds(live),
                None => matches!(state, State::Untried),
            };
            if is_news {
                *state = State::Bad(fault.clone());
            }
            is_news
        })
    }

    /// A connection could not be made or proved; what was known before.
    fn still_bad(&self, fault: &StoreFault) -> State {
        self.state.send_replace(State::Bad(fault.clone()))
    }

    fn good(&self, connection: Connection) -> Arc<Live> {
        let live = Arc::new(Live {
            connection,
            since: instant_now(),
        });
        self.state.send_replace(State::Good(Arc::clone(&live)));
        live
    }

    fn probe_key(&self) -> std::sync::MutexGuard<'_, String> {
        self.probe_key
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn holds(&self, live: &Arc<Live>) -> bool {
        matches!(self, Self::Good(held) if Arc::ptr_eq(held, live))
    }
}

/// Keeps a connection in place as long as anybody else holds `prover`.
pub(super) async fn keep<P: Prover>(prover: std::sync::Weak<P>) {
    let mut pace = Pace::default();
    while let Some(held) = prover.upgrade() {
        match establish(&*held, pace.proofs()).await {
            Ok(live) => {
                held.changed(Ok(()));
                drop(held);
                watch_over(&prover, &live).await;
                pace.lost_after(instant_now().saturating_duration_since(live.since));
            }
            Err(fault) => {
                match held.link().still_bad(&fault) {
                    State::Bad(known) if known == fault => {}
                    State::Bad(_) => held.tell(Err(&fault)),
                    State::Untried | State::Good(_) => held.changed(Err(&fault)),
                }
                drop(held);
                pace.failed();
            }
        }
        sleep(pace.pause()).await;
    }
}

/// A new connection, proved `proofs` times, in place.
async fn establish<P: Prover>(prover: &P, proofs: u32) -> Result<Arc<Live>, StoreFault> {
    let connection = prover.connect().await?;
    let key = prover.link().probe_key().clone();
    for _ in 0..proofs {
        prover.prove(&connection, &key).await?;
    }
    Ok(prover.link().good(connection))
}

/// Until `live` is in place no more: a call failed on it, or the heartbeat.
async fn watch_over<P: Prover>(prover: &std::sync::Weak<P>, live: &Arc<Live>) {
    let Some(mut changes) = prover.upgrade().map(|held| held.link().state.subscribe()) else {
        return;
    };
    loop {
        tokio::select! {
            // An error: there is nobody left to keep it for.
            _ = changes.wait_for(|state| !state.holds(live)) => return,
            () = sleep(HEARTBEAT) => {}
        }
        let Some(held) = prover.upgrade() else { return };
        let key = held.link().probe_key().clone();
        if let Err(fault) = held.prove(&live.connection, &key).await {
            if held.link().fail(Some(live), key, &fault) {
                held.changed(Err(&fault));
            }
            return;
        }
    }
}
