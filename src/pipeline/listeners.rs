//! Who listens: how many, and whether each still may.
//!
//! A listener waits for hours and costs next to nothing, so it takes no place among the running
//! calls and holds up no shutdown; seats of its own bound it, for each caller and in all. Its
//! caller is identified again from time to time, since a token that was good when it came ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use super::{Call, Pipeline, Update};
use crate::auth::{AuthError, Credentials, IdentityKey, Principal, TenantKey};
use crate::clock::Clock;
use crate::error::CallError;

/// The most subscriptions that one caller may have open: a few clients with a few each.
const MAX_PER_CALLER: usize = 8;
/// The most subscriptions of one tenant, whoever of it listens, so that there is room for others.
const MAX_PER_TENANT: usize = MAX / 2;
/// The most subscriptions in all.
const MAX: usize = 1_024;

/// Counts listeners; one for all generations of the configuration.
#[derive(Debug, Default)]
pub struct Listeners(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_caller: HashMap<IdentityKey, usize>,
    by_tenant: HashMap<TenantKey, usize>,
}

/// What a listener hears by.
#[derive(Debug)]
pub(crate) struct Ear {
    /// Says when to look for changes.
    pub(crate) changes: watch::Receiver<u64>,
    /// Says which resources changed.
    pub(crate) updates: broadcast::Receiver<Update>,
    /// Says when to look without that.
    pub(crate) clock: Clock,
    _seat: Option<Seat>,
}

/// A listener's seat; dropping it gives the seat back.
#[derive(Debug)]
struct Seat {
    listeners: Arc<Listeners>,
    caller: IdentityKey,
    tenant: TenantKey,
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
    /// [`CallError::TooManyListeners`] when the caller or its tenant has as many as it may,
    /// [`CallError::Overloaded`] when there are too many in all.
    fn take(self: &Arc<Self>, principal: &Principal) -> Result<Seat, CallError> {
        let (caller, tenant) = (principal.subject_key(), principal.tenant_key());
        let mut counts = self.counts();
        if counts.all >= MAX {
            return Err(CallError::Overloaded);
        }
        let own = counts.by_caller.get(&caller).copied().unwrap_or(0);
        let of_tenant = counts.by_tenant.get(&tenant).copied().unwrap_or(0);
        if own >= MAX_PER_CALLER || of_tenant >= MAX_PER_TENANT {
            return Err(CallError::TooManyListeners);
        }
        counts.by_caller.insert(caller, own + 1);
        counts.by_tenant.insert(tenant, of_tenant + 1);
        counts.all += 1;
        Ok(Seat {
            listeners: Arc::clone(self),
            caller,
            tenant,
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
        one_less(&mut counts.by_caller, self.caller);
        one_less(&mut counts.by_tenant, self.tenant);
    }
}

fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
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
            updates: self.pipeline.updates.subscribe(),
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
    fn one_tenant_cannot_take_the_seats_of_others_and_there_is_an_end_to_all_together() {
        let listeners = Arc::new(Listeners::default());
        let take = |tenant: &str, number: usize| {
            let name = number.to_string();
            listeners.take(&Principal::configured(tenant, &name, [""; 0]).expect("a good name"))
        };
        let of = |tenant| (0..MAX).filter_map(move |number| take(tenant, number).ok());
        let acme: Vec<Seat> = of("acme").collect();
        assert_eq!(acme.len(), MAX_PER_TENANT);
        let refused = take("acme", MAX).err();
        assert!(matches!(refused, Some(CallError::TooManyListeners)));
        let globex: Vec<Seat> = of("globex").collect();
        assert_eq!(acme.len() + globex.len(), MAX);
        assert!(matches!(
            take("initech", 1).err(),
            Some(CallError::Overloaded)
        ));
        drop((acme, globex));
        assert!(take("initech", 1).is_ok());
        assert!(listeners.counts().by_tenant.is_empty());
    }
}
