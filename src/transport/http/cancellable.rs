//! Work that a message of its client may cancel: calls of the `initialize` era.
//!
//! There a broken connection cancels nothing, and `notifications/cancelled` comes in a request of
//! its own. A call is entered for that when it first has to wait, so that one that is answered at
//! once costs nothing; nobody can name it before that.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;

use crate::auth::Principal;
use crate::mcp::id_of;
use crate::pipeline::Pipeline;
use crate::pipeline::cancellations::Cancelled;

/// Ends with what the work gives, or with nothing when it was cancelled.
pub(super) struct Cancellable<F> {
    /// Dropped when it is cancelled, and with it the call, whose record then says so.
    work: Option<Pin<Box<F>>>,
    /// Whose work it is and what asked for it, until it is entered.
    asked: Option<(Arc<Pipeline>, Arc<Principal>, Bytes)>,
    cancelled: Option<Cancelled>,
}

impl<F: Future> Cancellable<F> {
    /// `work` answers `message` of `principal`.
    pub(super) fn new(
        work: F,
        pipeline: Arc<Pipeline>,
        principal: Arc<Principal>,
        message: Bytes,
    ) -> Self {
        Self {
            work: Some(Box::pin(work)),
            asked: Some((pipeline, principal, message)),
            cancelled: None,
        }
    }
}

impl<F: Future> Future for Cancellable<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(work) = &mut self.work
            && let Poll::Ready(output) = work.as_mut().poll(context)
        {
            return Poll::Ready(Some(output));
        }
        if let Some((pipeline, principal, message)) = self.asked.take() {
            let enter = |id: String| pipeline.cancellations.enter(&principal, &id);
            self.cancelled = id_of(&message).map(enter);
        }
        let Some(cancelled) = &mut self.cancelled else {
            return Poll::Pending;
        };
        ready!(Pin::new(cancelled).poll(context));
        self.work = None;
        Poll::Ready(None)
    }
}
