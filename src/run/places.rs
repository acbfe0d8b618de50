//! The places of each tool and resource: how many of its calls run at once, and how many of them
//! may be one tenant's.
//!
//! Kept beside the catalogue and not in its targets, so that a new catalogue goes on with the
//! places of the old one: a call that runs while the configuration changes still holds its place.
//! A reader would ask why a call takes its tenant's place first: so a tenant with more calls than
//! its share waits in a line of its own, and not in front of others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::gate::{Gate, Place};
use crate::auth::TenantKey;
use crate::clock::deadline_in;
use crate::error::CallError;
use crate::tool::{Catalog, Target};

/// The places of a catalogue's targets.
pub struct Places {
    /// In the order of the catalogue, with as many places as the catalogue says.
    of_targets: Vec<(Arc<Bulkhead>, usize)>,
    /// By the target's number.
    by_number: HashMap<u32, Arc<Bulkhead>, RandomState>,
    /// Of targets whose policy names no number.
    usual: usize,
    known: Arc<Mutex<Known>>,
}

/// The bulkheads in use by any catalogue, by the target's name.
type Known = HashMap<Arc<str>, Weak<Bulkhead>>;

struct Bulkhead {
    name: Arc<str>,
    gate: Arc<Gate>,
    /// Where tenants have a share: those with calls.
    tenants: Mutex<HashMap<TenantKey, Arc<Gate>>>,
}

/// How the places of one target stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacesState {
    /// The tool's name or the resource's URI template.
    pub target: Arc<str>,
    /// Calls that hold a place.
    pub running: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// A call's place at a target; dropping it gives it back.
pub(super) struct Held {
    _place: Place,
    _share: Option<Share>,
}

/// A call's place, or its wait for one, within its tenant's share.
struct Share {
    place: Option<Place>,
    gate: Option<Arc<Gate>>,
    tenant: TenantKey,
    bulkhead: Arc<Bulkhead>,
}

impl Places {
    /// Places for the targets of a catalogue: as many as each one's policy says, else `usual`.
    pub fn new(catalog: &Catalog, usual: usize) -> Self {
        Self::with(Arc::default(), catalog, usual)
    }

    /// Places for a catalogue that follows on this one's. Targets of the same name share their
    /// places; the new limits hold, for both, once they [take effect](Self::take_effect).
    pub fn renewed(&self, catalog: &Catalog) -> Self {
        Self::with(Arc::clone(&self.known), catalog, self.usual)
    }

    fn with(known: Arc<Mutex<Known>>, catalog: &Catalog, usual: usize) -> Self {
        let mut all = lock(&known);
        all.retain(|_, bulkhead| bulkhead.strong_count() > 0);
        let of_targets = catalog.targets().iter().map(|target| {
            let calls = target.policy().concurrency.calls;
            let limit = calls.map_or(usual, |calls| calls.get() as usize);
            let bulkhead = all.get(target.name()).and_then(Weak::upgrade);
            let bulkhead = bulkhead.unwrap_or_else(|| Bulkhead::new(target.name(), limit));
            all.insert(Arc::clone(&bulkhead.name), Arc::downgrade(&bulkhead));
            (bulkhead, limit)
        });
        let of_targets: Vec<_> = of_targets.collect();
        drop(all);
        let numbers = catalog.targets().iter().map(|target| target.number());
        Self {
            by_number: numbers
                .zip(of_targets.iter().map(|(bulkhead, _)| Arc::clone(bulkhead)))
                .collect(),
            of_targets,
            usual,
            known,
        }
    }

    /// Puts the numbers of places in force that the catalogue says.
    pub fn take_effect(&self) {
        for (bulkhead, limit) in &self.of_targets {
            bulkhead.gate.set_limit(*limit);
        }
    }

    /// How the places stand, in the order of the catalogue.
    pub fn states(&self) -> Vec<PlacesState> {
        let state = |(bulkhead, _): &(Arc<Bulkhead>, usize)| PlacesState {
            target: Arc::clone(&bulkhead.name),
            running: bulkhead.gate.taken(),
            waiting: bulkhead.waiting(),
        };
        self.of_targets.iter().map(state).collect()
    }

    /// Takes a place for a call of `tenant`. Waits for it as long as the policy says, but not
    /// longer than `deadline`.
    pub(super) async fn enter(
        &self,
        target: &Target,
        tenant: TenantKey,
        deadline: Instant,
    ) -> Result<Held, CallError> {
        let bulkhead = self.by_number.get(&target.number());
        let bulkhead = bulkhead
            .filter(|bulkhead| *bulkhead.name == *target.name())
            .ok_or_else(|| CallError::Internal("a target of another catalogue".to_owned()))?;
        let wait = target.policy().concurrency.wait;
        let until = (wait > Duration::ZERO).then(|| deadline_in(wait).min(deadline));
        let share = match target.terms(tenant).per_tenant() {
            Some(limit) => {
                let share = Share::enter(bulkhead, tenant, limit.get() as usize, until).await;
                Some(share.ok_or(CallError::TooManyOfTenant)?)
            }
            None => None,
        };
        let place = bulkhead.gate.enter(until).await;
        Ok(Held {
            _place: place.ok_or(CallError::TooManyAtOnce)?,
            _share: share,
        })
    }
}

impl Bulkhead {
    fn new(name: &str, places: usize) -> Arc<Self> {
        Arc::new(Self {
            name: Arc::from(name),
            gate: Gate::new(places),
            tenants: Mutex::default(),
        })
    }

    fn waiting(&self) -> usize {
        let of_tenants: usize = lock(&self.tenants)
            .values()
            .map(|gate| gate.waiting())
            .sum();
        self.gate.waiting() + of_tenants
    }
}

impl Share {
    async fn enter(
        bulkhead: &Arc<Bulkhead>,
        tenant: TenantKey,
        limit: usize,
        until: Option<Instant>,
    ) -> Option<Self> {
        let gate = {
            let mut tenants = lock(&bulkhead.tenants);
            Arc::clone(tenants.entry(tenant).or_insert_with(|| Gate::new(limit)))
        };
        gate.set_limit(limit);
        // Before the wait, so that whoever leaves meanwhile tidies up as well.
        let mut share = Self {
            place: None,
            gate: Some(gate),
            tenant,
            bulkhead: Arc::clone(bulkhead),
        };
        // Through the share, which alone may hold the gate when it looks whether others do.
        share.place = match &share.gate {
            Some(gate) => Some(gate.enter(until).await?),
            None => None,
        };
        Some(share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        drop(self.place.take());
        let mut tenants = lock(&self.bulkhead.tenants);
        drop(self.gate.take());
        let is_idle = |gate: &Arc<Gate>| Arc::strong_count(gate) == 1;
        if tenants.get(&self.tenant).is_some_and(is_idle) {
            tenants.remove(&self.tenant);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use schemars::JsonSchema;
    use serde::Deserialize;

    use super::*;
    use crate::tool::{CallContext, Declared, Tool, ToolError};

    #[derive(Deserialize, JsonSchema)]
    struct Nothing {}

    fn tool(name: &str) -> Tool {
        Tool::new(name, "Does nothing.")
            .any_authenticated()
            .handler(async |_: CallContext, _: Nothing| Ok::<_, ToolError>(()))
    }

    fn catalog(names: &[&str]) -> Catalog {
        let built = Catalog::build(Declared::tools(names.iter().map(|name| tool(name))));
        built.unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    fn running(places: &Places) -> Vec<(String, usize)> {
        let states = places.states().into_iter();
        let state = |state: PlacesState| (state.target.to_string(), state.running);
        states.map(state).collect()
    }

    #[tokio::test]
    async fn a_new_catalogue_goes_on_with_the_places_of_the_old_one() {
        let old = catalog(&["a", "b"]);
        let new = old.followed_by(Declared::tools(["new", "b", "a"].map(tool)));
        let new = new.unwrap_or_else(|faults| panic!("{faults:?}"));
        let before = Places::new(&old, 1);
        let (tenant, soon) = (TenantKey::of("acme"), deadline_in(Duration::from_secs(60)));
        let first = before.enter(&old.targets()[0], tenant, soon).await;
        let after = before.renewed(&new);
        let expected = [("new", 0), ("b", 0), ("a", 1)];
        let expected = expected.map(|(name, running)| (name.to_owned(), running));
        assert_eq!(running(&after), expected);

        let target = &new.targets()[2];
        let second = after.enter(target, tenant, soon).await;
        assert!(matches!(second, Err(CallError::TooManyAtOnce)));
        // Nothing depends on how long the old catalogue lives.
        drop((before, old));
        drop(first);
        assert!(after.enter(target, tenant, soon).await.is_ok());
        let other = catalog(&["b"]);
        let wrong = after.enter(&other.targets()[0], tenant, soon).await;
        assert!(matches!(wrong, Err(CallError::Internal(_))));
    }

    #[tokio::test]
    async fn a_tenant_whose_call_left_as_its_turn_came_leaves_nothing_behind() {
        let (bulkhead, tenant) = (Bulkhead::new("a", 1), TenantKey::of("acme"));
        let soon = Some(deadline_in(Duration::from_secs(60)));
        let first = Share::enter(&bulkhead, tenant, 1, soon).await;
        let mut second = Box::pin(Share::enter(&bulkhead, tenant, 1, soon));
        assert!((&mut second).now_or_never().is_none());
        drop(first);
        // Its turn has come, and it does not look any more.
        drop(second);
        assert!(lock(&bulkhead.tenants).is_empty());
    }
}
