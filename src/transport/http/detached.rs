//! Work that goes on when its client leaves: calls of the `initialize` era.
//!
//! Before 2026-07-28 a broken connection is not a cancellation (2025-11-25, transports, "Sending
//! Messages to the Server"), so a tool that has begun is not torn off half-way. While the client
//! stays, this costs no task.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Work that goes on when nobody waits for it any more.
pub(super) struct Persistent<F: Future<Output: Send> + Unpin + Send + 'static> {
    work: Option<F>,
    detached: Arc<Detached>,
}

impl<F: Future<Output: Send> + Unpin + Send + 'static> Persistent<F> {
    /// Work that `detached` adopts when its client leaves.
    pub(super) fn new(work: F, detached: &Arc<Detached>) -> Self {
        Self {
            work: Some(work),
            detached: Arc::clone(detached),
        }
    }
}

impl<F: Future<Output: Send> + Unpin + Send + 'static> Future for Persistent<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        // Out of our hands while it is polled: work that panics is not taken up again.
        let Some(mut work) = self.work.take() else {
            return Poll::Pending;
        };
        let done = Pin::new(&mut work).poll(context);
        if done.is_pending() {
            self.work = Some(work);
        }
        done
    }
}

impl<F: Future<Output: Send> + Unpin + Send + 'static> Drop for Persistent<F> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take()
            && let Ok(runtime) = Handle::try_current()
        {
            self.detached.adopt(work, &runtime);
        }
    }
}

/// Work that runs beside the connections: calls whose client left, and the streams of HTTP/2.
#[derive(Default)]
pub(super) struct Detached(Mutex<JoinSet<()>>);

impl Detached {
    pub(super) fn adopt(&self, work: impl Future<Output: Send> + Send + 'static, runtime: &Handle) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(async { drop(work.await) }, runtime);
    }

    /// Cancels those that still run, which closes their records.
    pub(super) async fn cut(&self) {
        let mut tasks = {
            let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        tasks.shutdown().await;
    }
}
