//! Questions under way: whoever comes with a token that is being asked about waits for that answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch::{self, Receiver, Sender};

use super::Verdict;
use crate::auth::cache::TokenDigest;

type Waiting = HashMap<TokenDigest, Receiver<Option<Verdict>>>;

/// At most so many questions, but for those about tokens known to have been good: they are as few as
/// these.
pub(super) struct Flights {
    most: usize,
    waiting: Arc<Mutex<Waiting>>,
}

pub(super) enum Joined {
    /// Somebody else asks already.
    Other(Landing),
    /// Nobody did: the question is the caller's to ask.
    New(Flight, Landing),
    /// There are too many.
    Full,
}

/// A question that somebody has to ask. Dropped without an answer, it stands for none.
pub(super) struct Flight {
    token: TokenDigest,
    answer: Sender<Option<Verdict>>,
    waiting: Arc<Mutex<Waiting>>,
}

/// Where the answer comes in.
pub(super) struct Landing(Receiver<Option<Verdict>>);

impl Flights {
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            waiting: Arc::default(),
        }
    }

    pub(super) fn join(&self, token: TokenDigest, is_known: bool) -> Joined {
        let mut waiting = lock(&self.waiting);
        let is_full = !is_known && waiting.len() >= self.most;
        match waiting.entry(token) {
            Entry::Occupied(flight) => Joined::Other(Landing(flight.get().clone())),
            Entry::Vacant(_) if is_full => Joined::Full,
            Entry::Vacant(place) => {
                let (answer, landing) = watch::channel(None);
                place.insert(landing.clone());
                let flight = Flight {
                    token,
                    answer,
                    waiting: Arc::clone(&self.waiting),
                };
                Joined::New(flight, Landing(landing))
            }
        }
    }
}

impl Flight {
    pub(super) fn land(self, verdict: Verdict) {
        self.answer.send_replace(Some(verdict));
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        lock(&self.waiting).remove(&self.token);
    }
}

impl Landing {
    pub(super) async fn verdict(mut self) -> Verdict {
        let landed = self.0.wait_for(Option::is_some).await;
        let verdict = landed.ok().and_then(|verdict| verdict.clone());
        verdict.unwrap_or(Verdict::Unavailable)
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
