//! Who listens: how many, and whether each still may.
//!
//! A listener waits for hours and costs next to nothing, so it takes no place among the running
//! calls and holds up no shutdown; seats of its own bound it, for each caller and in all. Its
//! caller is identified again from time to time, since a token that was good when it came ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{Call, Pipeline};
use crate::auth::{AuthError, Credentials, IdentityKey, Principal};
use crate::clock::Clock;
use crate::error::CallError;

/// The most subscriptions that one caller may have open: a few clients with a few each.
const MAX_PER_CALLER: usize = 8;
/// The most subscriptions in all.
const MAX: usize = 1_024;

/// Counts listeners; one for all generations of the configuration.
#[derive(Debug, Default)]
pub struct Listeners(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_caller: HashMap<IdentityKey, usize>,
}

/// What a listener hears by.
#[derive(Debug)]
pub(crate) struct Ear {
    /// Says when to look for changes.
    pub(crate) changes: watch::Receiver<u64>,
    /// Says when to look without that.
    pub(crate) clock: Clock,
    _seat: Option<Seat>,
}

/// A listener's seat; dropping it gives the seat back.
#[derive(Debug)]
struct Seat {
    listeners: Arc<Listeners>,
    caller: IdentityKey,
}

/// Whether a listener's caller is still the one it was.
pub(crate) enum Recheck {
    /// It is; with the scopes it has now.
    Same(Arc<Principal>),
    /// That cannot be told now.
    Unknown,
    /// Its access has ended.
    Over,
}

impl Listeners {
    /// Takes a seat.
    ///
    /// # Errors
    /// [`CallError::TooManyListeners`] when the caller has as many as it may,
    /// [`CallError::Overloaded`] when there are too many in all.
    fn take(self: &Arc<Self>, principal: &Principal) -> Result<Seat, CallError> {
        let caller = principal.subject_key();
        let mut counts = self.counts();
        if counts.all >= MAX {
            return Err(CallError::Overloaded);
        }
        let own = counts.by_caller.entry(caller).or_default();
        if *own >= MAX_PER_CALLER {
            return Err(CallError::TooManyListeners);
        }
        *own += 1;
        counts.all += 1;
        Ok(Seat {
            listeners: Arc::clone(self),
            caller,
        })
    }

    /// Subscriptions that are open.
    pub fn count(&self) -> usize {
        self.counts().all
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.listeners.counts();
        counts.all -= 1;
        if let Entry::Occupied(mut own) = counts.by_caller.entry(self.caller) {
            *own.get_mut() -= 1;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

impl Call {
    /// Lets the caller listen for changes. The call goes on as long as the ear is used.
    ///
    /// # Errors
    /// No seat is free; the record is closed.
    pub(crate) fn listen(&mut self, principal: &Principal) -> Result<Ear, CallError> {
        match self.pipeline.listeners.take(principal) {
            Ok(seat) => Ok(Ear {
                _seat: Some(seat),
                ..self.overhear()
            }),
            Err(error) => {
                self.record.close_error(&error);
                Err(error)
            }
        }
    }

    /// An ear without a seat, for the one client of a process.
    pub(crate) fn overhear(&self) -> Ear {
        Ear {
            changes: self.pipeline.changes.subscribe(),
            clock: self.pipeline.recorder.clock().clone(),
            _seat: None,
        }
    }
}

impl Pipeline {
    /// Identifies a listener's caller again.
    pub(crate) async fn recheck(
        &self,
        credentials: &Credentials<'_>,
        before: &Principal,
    ) -> Recheck {
        match self.authenticator.authenticate(credentials).await {
            Ok(now) if now.subject_key() == before.subject_key() => Recheck::Same(now),
            Err(AuthError::Unavailable) => Recheck::Unknown,
            Ok(_) | Err(AuthError::Missing | AuthError::Invalid { .. }) => Recheck::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Principal {
        Principal::configured("acme", name, [""; 0]).expect("a good name")
    }

    #[test]
    fn one_caller_cannot_take_the_seats_of_others_and_gets_its_own_back() {
        let listeners = Arc::new(Listeners::default());
        let ada: Vec<Seat> = (0..MAX_PER_CALLER)
            .filter_map(|_| listeners.take(&caller("ada")).ok())
            .collect();
        assert_eq!(ada.len(), MAX_PER_CALLER);
        let refused = listeners.take(&caller("ada")).err();
        assert!(matches!(refused, Some(CallError::TooManyListeners)));
        assert!(listeners.take(&caller("bob")).is_ok());
        drop(ada);
        assert!(listeners.take(&caller("ada")).is_ok());
        assert_eq!(listeners.count(), 0);
        assert!(listeners.counts().by_caller.is_empty());
    }

    #[test]
    fn there_is_an_end_to_all_seats_together() {
        let listeners = Arc::new(Listeners::default());
        let seats: Vec<Seat> = (0..MAX)
            .filter_map(|number| listeners.take(&caller(&number.to_string())).ok())
            .collect();
        assert_eq!(seats.len(), MAX);
        let refused = listeners.take(&caller("one more")).err();
        assert!(matches!(refused, Some(CallError::Overloaded)));
        drop(seats);
        assert!(listeners.take(&caller("one more")).is_ok());
    }
}
