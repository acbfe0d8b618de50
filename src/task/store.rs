//! Where tasks are kept.
//!
//! Two operations are all it takes: look, and put in the place of what was seen. What a change means is
//! decided in one place ([`Task`]), the same for a store in this process and one that replicas share.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::Task;

/// A task as it was seen.
#[derive(Clone, Debug)]
pub struct Held {
    /// Which of its versions, from 1 on.
    pub version: u64,
    /// What it was.
    pub task: Arc<Task>,
    /// Whether what runs it has been heard of lately.
    pub(super) is_attended: bool,
}

/// The store does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store of tasks fails")]
pub struct StoreFailed;

/// A store of tasks, each under its handle, for as long as it is to be kept.
pub(super) trait TaskStore: Send + Sync {
    /// The task of this handle; whoever runs it says that it still does.
    fn look<'a>(
        &'a self,
        id: &'a str,
        attending: bool,
    ) -> BoxFuture<'a, Result<Option<Held>, StoreFailed>>;

    /// Puts `task` in the place of the version that was seen; 0: of none. Whether that was still there.
    fn swap<'a>(
        &'a self,
        id: &'a str,
        seen: u64,
        task: Arc<Task>,
    ) -> BoxFuture<'a, Result<bool, StoreFailed>>;

    /// Waits until it is worth looking again for another version than this one.
    fn changed<'a>(&'a self, id: &'a str, seen: u64) -> BoxFuture<'a, ()>;

    /// Lets go of what need not be kept any more.
    fn evict(&self);
}
