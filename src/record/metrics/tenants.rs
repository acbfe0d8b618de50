//! Which tenants have a label of their own.
//!
//! Those that the configuration names, then those whose calls are served first, up to a number; all
//! others are `_other`, and a label stays until the process ends. A reader would ask why one that is
//! only refused gets none: an issuer of many tenants could use up the labels with callers who may do
//! nothing here.

use std::sync::atomic::{AtomicUsize, Ordering};

use foldhash::fast::RandomState;
use papaya::HashMap;

use super::super::names;

/// Whom `_other` stands for.
const EVERYONE_ELSE: u32 = 0;

/// The tenants that metrics name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantLabel {
    /// How many.
    pub max: usize,
    /// Those that have theirs from the start, as far as there is room.
    pub named: Vec<String>,
}

/// Labels that were given out.
pub(super) struct Tenants {
    max: usize,
    given: AtomicUsize,
    numbers: HashMap<Box<str>, u32, RandomState>,
}

impl Tenants {
    pub(super) fn new(label: &TenantLabel) -> Self {
        let tenants = Self {
            max: label.max,
            given: AtomicUsize::new(0),
            numbers: HashMap::with_hasher(RandomState::default()),
        };
        for tenant in &label.named {
            tenants.number(tenant, true);
        }
        tenants
    }

    /// What tells the tenant's series apart; one that has no label yet gets one if it `is_served`.
    pub(super) fn number(&self, tenant: &str, is_served: bool) -> u32 {
        let numbers = self.numbers.pin();
        if let Some(number) = numbers.get(tenant) {
            return *number;
        }
        // Also keeps a tenant by that name from being told apart from all others.
        if !is_served || tenant == names::OTHER {
            return EVERYONE_ELSE;
        }
        match self.take() {
            Some(number) => *numbers.get_or_insert(tenant.into(), number),
            None => EVERYONE_ELSE,
        }
    }

    /// The label of a tenant with this number.
    pub(super) fn label(tenant: &str, number: u32) -> &str {
        if number == EVERYONE_ELSE {
            names::OTHER
        } else {
            tenant
        }
    }

    /// A number that no other tenant has, from 1 on.
    fn take(&self) -> Option<u32> {
        let more = |given| (given < self.max).then_some(given + 1);
        let before = self
            .given
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        u32::try_from(before.ok()? + 1).ok()
    }
}
