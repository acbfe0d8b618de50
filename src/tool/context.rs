//! What a tool is told about the call it serves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::auth::Principal;
use crate::clock::instant_now;

/// The call being served: who asks, under which id, for how long.
///
/// There is no cancellation to poll for: when the caller leaves or the deadline passes, the tool's
/// future is dropped at its next `await`.
#[derive(Clone)]
pub struct CallContext {
    principal: Arc<Principal>,
    call_id: Uuid,
    deadline: Instant,
}

impl CallContext {
    pub(crate) fn new(principal: Arc<Principal>, call_id: Uuid, deadline: Instant) -> Self {
        Self {
            principal,
            call_id,
            deadline,
        }
    }

    /// The authenticated caller. Bind data to its tenant, never to an argument.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The id that the record, the response header and every error carry.
    pub fn call_id(&self) -> Uuid {
        self.call_id
    }

    /// When the call must be done. The future is dropped then; code that blocks should look.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Time left until the deadline.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(instant_now())
    }
}
