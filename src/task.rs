//! Tasks: runs that outlive their request, and what is known of them until they are forgotten
//! (MCP extension `io.modelcontextprotocol/tasks`, SEP-2663).
//!
//! A task is kept in a store, this process's own or one that replicas share; its run lives where it
//! began, and learns from the store what its client answered and that it is not wanted any more. So any
//! replica serves any request about any task. Whose a task is stands in it; who asks is for the
//! pipeline to compare.

mod attend;
mod memory;
mod room;
mod shared;
mod state;
mod store;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use attend::Attended;
use memory::InMemory;
pub use room::NoRoom;
use room::Room;
use shared::InShared;
pub use state::{Ended, NewTask, Status, Task};
use store::TaskStore;
pub use store::{Held, StoreFailed};

use crate::clock::Clock;
use crate::quota::SharedLink;

/// How often a change is tried that others are faster than.
const TRIES: u32 = 32;
/// How long runs have at the end of the process to say that they are cut off.
const CUT_PATIENCE: Duration = Duration::from_secs(2);
/// The largest result that is kept.
const MAX_RESULT_BYTES: usize = 8 << 20;

/// Why there is no new task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// No room.
    #[error(transparent)]
    Full(#[from] NoRoom),
    /// The store, or the source of handles, fails.
    #[error("{0}")]
    Failed(#[from] StoreFailed),
}

/// All tasks of a server. One for all generations of the configuration.
pub struct Tasks {
    store: Box<dyn TaskStore>,
    room: Room,
    clock: Clock,
    runs: Mutex<JoinSet<()>>,
    cut: watch::Sender<bool>,
}

impl Tasks {
    /// Tasks in this process, or in the store that replicas share.
    pub fn new(shared: Option<SharedLink>, clock: Clock) -> Self {
        Self {
            store: match shared {
                Some(link) => Box::new(InShared::new(link)),
                None => Box::new(InMemory::new(clock.clone())),
            },
            room: Room::default(),
            clock,
            runs: Mutex::default(),
            cut: watch::Sender::new(false),
        }
    }

    /// Makes a task; once this returns, it is found. Its handle is 192 random bits.
    ///
    /// # Errors
    /// [`NotMade`].
    pub async fn make(&self, new: &NewTask<'_>) -> Result<(String, Arc<Task>), NotMade> {
        let mut handle = [0; 24];
        getrandom::fill(&mut handle).map_err(|_| StoreFailed)?;
        let id = URL_SAFE_NO_PAD.encode(handle);
        let now = self.clock.monotonic();
        let until = now.saturating_add(Duration::from_millis(new.ttl_ms));
        let who = (new.principal.subject_key(), new.principal.tenant_key());
        self.room.take(&id, who, now, until)?;
        let task = Arc::new(Task::new(new, self.now_ms()));
        match self.store.swap(&id, 0, Arc::clone(&task)).await {
            Ok(true) => Ok((id, task)),
            Ok(false) | Err(StoreFailed) => {
                self.room.give_back(&id);
                Err(StoreFailed.into())
            }
        }
    }

    /// The task of this handle, if there is one. One that nobody runs any more is lost.
    ///
    /// # Errors
    /// The store fails.
    pub async fn look(&self, id: &str) -> Result<Option<Held>, StoreFailed> {
        let held = self.store.look(id, false).await?;
        match held {
            Some(held) if !held.is_attended && !held.task.status.is_end() => {
                let message = "the server that ran it is gone".to_owned();
                self.change(id, |task| task.end(Status::Lost, Some(message.clone())))
                    .await
            }
            held => Ok(held),
        }
    }

    /// The client answers what the task asks.
    ///
    /// # Errors
    /// The store fails.
    pub async fn answer(&self, id: &str, given: &Map<String, Value>) -> Result<(), StoreFailed> {
        let answered = self.change(id, |task| task.answer(given.clone()));
        answered.await.map(drop)
    }

    /// The client does not want it any more. Its run ends as soon as it hears of that.
    ///
    /// # Errors
    /// The store fails.
    pub async fn cancel(&self, id: &str) -> Result<(), StoreFailed> {
        let cancelled = self.change(id, |task| task.end(Status::Cancelled, None));
        cancelled.await.map(drop)
    }

    /// Waits until it is worth looking again for another version than this one.
    pub async fn changed(&self, id: &str, seen: u64) {
        self.store.changed(id, seen).await;
    }

    /// Runs something beside the requests, until it ends or the process does.
    pub fn spawn(&self, run: impl Future<Output = ()> + Send + 'static) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        while runs.try_join_next().is_some() {}
        runs.spawn(run);
    }

    /// Ends what still runs: the process goes down.
    pub async fn cut(&self) {
        self.cut.send_replace(true);
        let mut runs = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *runs)
        };
        let all = async { while runs.join_next().await.is_some() {} };
        if timeout(CUT_PATIENCE, all).await.is_err() {
            runs.shutdown().await;
        }
    }

    /// Lets go of what need not be kept any more.
    pub fn evict(&self) {
        self.store.evict();
        self.room.let_go(self.clock.monotonic());
    }

    /// Tasks that this process made and that are still kept.
    pub fn count(&self) -> usize {
        self.room.count()
    }

    /// Changes a task, if there is one and the change is one; what it is afterwards.
    async fn change(
        &self,
        id: &str,
        change: impl Fn(&mut Task) -> bool,
    ) -> Result<Option<Held>, StoreFailed> {
        for _ in 0..TRIES {
            let Some(held) = self.store.look(id, false).await? else {
                return Ok(None);
            };
            let mut task = Task::clone(&held.task);
            if !change(&mut task) {
                return Ok(Some(held));
            }
            task.updated_ms = self.now_ms();
            let task = Arc::new(task);
            let put = self.store.swap(id, held.version, Arc::clone(&task));
            if put.await? {
                return Ok(Some(Held {
                    version: held.version + 1,
                    task,
                    is_attended: true,
                }));
            }
        }
        Err(StoreFailed)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.unix().as_millis()).unwrap_or(u64::MAX)
    }
}
