//! When a running query has to stop: its deadline passed, or nobody waits for it any more.
//!
//! SQLite asks from inside a query, through hooks that live as long as the connection. So the
//! current query's deadline and reply channel sit here, behind a lock that only its own worker
//! takes (some 20 ns, once in a thousand VM steps).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{QueryError, Row};
use crate::clock::instant_now;

/// Where a query's answer goes.
pub(super) type Reply = oneshot::Sender<Result<Vec<Row>, QueryError>>;

/// The query that runs on a connection, if any.
#[derive(Default)]
pub(super) struct Watch(Mutex<Current>);

#[derive(Default)]
struct Current {
    deadline: Option<Instant>,
    reply: Option<Reply>,
}

impl Watch {
    /// From now on, work stops at `deadline` or when the receiver of `reply` is gone.
    pub(super) fn start(&self, deadline: Instant, reply: Option<Reply>) {
        *self.current() = Current {
            deadline: Some(deadline),
            reply,
        };
    }

    /// Ends the watch and gives the channel back.
    pub(super) fn finish(&self) -> Option<Reply> {
        std::mem::take(&mut *self.current()).reply
    }

    /// Whether work has to stop now.
    pub(super) fn is_over(&self) -> bool {
        self.remaining().is_zero()
    }

    /// How long work may still go on: nothing once the caller is gone.
    pub(super) fn remaining(&self) -> Duration {
        let current = self.current();
        if current
            .reply
            .as_ref()
            .is_some_and(oneshot::Sender::is_closed)
        {
            return Duration::ZERO;
        }
        match current.deadline {
            Some(deadline) => deadline.saturating_duration_since(instant_now()),
            None => Duration::MAX,
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
