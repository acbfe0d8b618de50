//! Tasks in this process: gone with it, as are their runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

use super::Task;
use super::store::{Held, StoreFailed, TaskStore};
use crate::clock::Clock;

/// Tasks by their handles.
pub(super) struct InMemory {
    slots: Mutex<HashMap<String, Slot>>,
    clock: Clock,
}

struct Slot {
    version: watch::Sender<u64>,
    task: Arc<Task>,
    until: Duration,
}

impl InMemory {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            slots: Mutex::default(),
            clock,
        }
    }

    fn held(&self, id: &str) -> Option<Held> {
        let now = self.clock.monotonic();
        let slots = self.slots();
        let slot = slots.get(id).filter(|slot| now < slot.until)?;
        Some(Held {
            version: *slot.version.borrow(),
            task: Arc::clone(&slot.task),
            // Nothing that runs here outlives what is kept here.
            is_attended: true,
        })
    }

    fn put(&self, id: &str, seen: u64, task: Arc<Task>) -> bool {
        let now = self.clock.monotonic();
        let mut slots = self.slots();
        match slots.get_mut(id).filter(|slot| now < slot.until) {
            Some(slot) if *slot.version.borrow() == seen => {
                slot.task = task;
                slot.version.send_replace(seen + 1);
                true
            }
            None if seen == 0 => {
                let slot = Slot {
                    version: watch::Sender::new(1),
                    until: now.saturating_add(Duration::from_millis(task.ttl_ms)),
                    task,
                };
                slots.insert(id.to_owned(), slot);
                true
            }
            Some(_) | None => false,
        }
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskStore for InMemory {
    fn look<'a>(
        &'a self,
        id: &'a str,
        _: bool,
    ) -> BoxFuture<'a, Result<Option<Held>, StoreFailed>> {
        ready(Ok(self.held(id))).boxed()
    }

    fn swap<'a>(
        &'a self,
        id: &'a str,
        seen: u64,
        task: Arc<Task>,
    ) -> BoxFuture<'a, Result<bool, StoreFailed>> {
        ready(Ok(self.put(id, seen, task))).boxed()
    }

    fn changed<'a>(&'a self, id: &'a str, seen: u64) -> BoxFuture<'a, ()> {
        let slot = self
            .slots()
            .get(id)
            .map(|slot| (slot.version.subscribe(), slot.until));
        let Some((mut version, until)) = slot else {
            return ready(()).boxed();
        };
        async move {
            tokio::select! {
                // An error says that it is gone.
                _ = version.wait_for(|version| *version != seen) => {}
                () = self.clock.reached(until) => {}
            }
        }
        .boxed()
    }

    fn evict(&self) {
        let now = self.clock.monotonic();
        self.slots().retain(|_, slot| now < slot.until);
    }
}
