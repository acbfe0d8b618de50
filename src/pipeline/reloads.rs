//! Which configuration is served, and whether it is the one that the operator wants.
//!
//! A pipeline is made whole for each configuration and never changed: a call keeps the one it began
//! with. What counts (quotas, failures, places, records) is shared from one to the next, so that
//! nobody gets back what was spent, and no call is forgotten.

use std::sync::{Arc, Mutex, PoisonError};

use super::Pipeline;
use crate::auth::Authenticator;
use crate::tool::Catalog;

/// How what is served stands to what the operator last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is the same.
    #[default]
    Current,
    /// It is the same but for what only a restart changes.
    NeedsRestart,
    /// That was no good, so it is what was served before.
    Refused,
}

/// What became of reloads so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReloadState {
    /// How many were carried out.
    pub done: u64,
    /// How many were refused.
    pub failed: u64,
    /// What came of the last one.
    pub standing: Standing,
}

/// Counts reloads. One per server.
#[derive(Default)]
pub struct Reloads(Mutex<ReloadState>);

impl Reloads {
    /// What became of them so far.
    pub fn state(&self) -> ReloadState {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One was carried out; the state before it.
    pub(crate) fn done(&self, needs_restart: bool) -> ReloadState {
        self.change(|state| {
            state.done += 1;
            state.standing = match needs_restart {
                true => Standing::NeedsRestart,
                false => Standing::Current,
            };
        })
    }

    /// One was refused; the state before it.
    pub(crate) fn refused(&self) -> ReloadState {
        self.change(|state| {
            state.failed += 1;
            state.standing = Standing::Refused;
        })
    }

    fn change(&self, change: impl FnOnce(&mut ReloadState)) -> ReloadState {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *state;
        change(&mut state);
        before
    }
}

impl ReloadState {
    /// The number of the configuration that is served; the one of the start is 1.
    pub fn generation(&self) -> u64 {
        self.done + 1
    }
}

impl Pipeline {
    /// The pipeline that takes this one's place, with all that it counted.
    pub(crate) fn followed_by(&self, authenticator: Authenticator, catalog: Catalog) -> Self {
        Self {
            authenticator,
            places: self.places.renewed(&catalog),
            catalog,
            failures: Arc::clone(&self.failures),
            quotas: Arc::clone(&self.quotas),
            load: Arc::clone(&self.load),
            recorder: Arc::clone(&self.recorder),
            changes: Arc::clone(&self.changes),
            reloads: Arc::clone(&self.reloads),
        }
    }
}
