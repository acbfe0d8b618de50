//! Which configuration is served, and whether it is the one that the operator wants.

use std::sync::{Mutex, PoisonError};

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
