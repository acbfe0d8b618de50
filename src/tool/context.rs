//! What a tool is told about the call it serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Client;
use crate::auth::Principal;
use crate::clock::instant_now;
use crate::trace::Trace;

/// The call being served: who asks, under which id, for how long.
///
/// An async function has no cancellation to poll for: when the caller leaves or the deadline passes,
/// its future is dropped at its next `await`. A blocking one looks at [`is_over`](Self::is_over).
#[derive(Clone)]
pub struct CallContext {
    principal: Arc<Principal>,
    call_id: Uuid,
    deadline: Instant,
    timeout: Duration,
    trace: Trace,
    /// What its client can do besides reading the answer; none where that is nothing.
    client: Option<Arc<Client>>,
    /// Set when nobody waits for the answer any more; only where a thread has to be told.
    is_over: Option<Arc<AtomicBool>>,
}

impl CallContext {
    pub(crate) fn new(
        principal: Arc<Principal>,
        call_id: Uuid,
        deadline: Instant,
        timeout: Duration,
    ) -> Self {
        Self {
            principal,
            call_id,
            deadline,
            timeout,
            trace: Trace::default(),
            client: None,
            is_over: None,
        }
    }

    pub(crate) fn traced(self, trace: Trace) -> Self {
        Self { trace, ..self }
    }

    pub(crate) fn of_client(self, client: Option<Arc<Client>>) -> Self {
        Self { client, ..self }
    }

    pub(super) fn client(&self) -> Option<&Client> {
        self.client.as_deref()
    }

    pub(super) fn with_end(self, is_over: Arc<AtomicBool>) -> Self {
        Self {
            is_over: Some(is_over),
            ..self
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

    /// The call's trace: for spans of what the tool waits for, and for the context to send on.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// When the call must be done. The future is dropped then; code that blocks should look.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How long a call has that need not wait for its turn.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Time left until the deadline.
    pub fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(instant_now())
    }

    /// Whether nobody waits for the answer any more: the deadline passed or the caller left. For
    /// functions that block; they should look now and then, and return.
    pub fn is_over(&self) -> bool {
        let left = self.is_over.as_ref();
        left.is_some_and(|over| over.load(Ordering::Acquire)) || self.time_left().is_zero()
    }
}
