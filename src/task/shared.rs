//! Tasks in the store that replicas share: found by all of them, run by one.
//!
//! A hash of two fields holds a task, its version and its text; a key beside it lives as long as
//! somebody runs the task, by the store's own clock, since those of replicas differ. A reader would ask
//! why changes are looked for and not announced: a subscription to the store is a connection of its
//! own to watch over, and half a second is soon enough for what takes minutes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::Task;
use super::store::{Held, StoreFailed, TaskStore};
use crate::quota::{SharedLink, SharedScript};

/// How often it is looked for changes.
const POLL: Duration = Duration::from_millis(500);
/// Unheard of for so long, a run is gone.
const LEASE: Duration = Duration::from_secs(15);

const LOOK: &str = "\
local held = redis.call('HMGET', KEYS[1], 'version', 'task')
if not held[1] then return {'0', '', 0} end
if ARGV[1] ~= '0' then redis.call('SET', KEYS[2], '1', 'PX', ARGV[1]) end
return {held[1], held[2], redis.call('EXISTS', KEYS[2])}
";

const SWAP: &str = "\
local version = redis.call('HGET', KEYS[1], 'version') or '0'
if version ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1] + 1, 'task', ARGV[2])
if version == '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('SET', KEYS[2], '1', 'PX', ARGV[4])
end
return 1
";

/// Tasks in a store of replicas.
pub(super) struct InShared {
    link: SharedLink,
    look: SharedScript,
    swap: SharedScript,
}

impl InShared {
    pub(super) fn new(link: SharedLink) -> Self {
        Self {
            link,
            look: SharedScript::new(LOOK),
            swap: SharedScript::new(SWAP),
        }
    }

    /// Of one slot, so that one script may touch both.
    fn keys(&self, id: &str) -> [String; 2] {
        let key = format!("{}:{{task:{id}}}", self.link.prefix());
        let run = format!("{key}:run");
        [key, run]
    }

    async fn held(&self, id: &str, attending: bool) -> Result<Option<Held>, StoreFailed> {
        let lease = if attending { millis(LEASE) } else { 0 };
        let keys = self.keys(id);
        let arguments = [lease.to_string()];
        let asked = self.link.ask(&self.look, &keys, &arguments);
        let answer = asked.await.ok_or(StoreFailed)?;
        let read = redis::from_redis_value(answer);
        let (version, text, attended): (u64, String, u8) = read.map_err(|_| StoreFailed)?;
        if version == 0 {
            return Ok(None);
        }
        let task = serde_json::from_str(&text).map_err(|_| StoreFailed)?;
        Ok(Some(Held {
            version,
            task: Arc::new(task),
            is_attended: attended == 1,
        }))
    }

    async fn put(&self, id: &str, seen: u64, task: &Task) -> Result<bool, StoreFailed> {
        let text = serde_json::to_string(task).map_err(|_| StoreFailed)?;
        let arguments = [
            seen.to_string(),
            text,
            task.ttl_ms.to_string(),
            millis(LEASE).to_string(),
        ];
        let keys = self.keys(id);
        let asked = self.link.ask(&self.swap, &keys, &arguments);
        let answer = asked.await.ok_or(StoreFailed)?;
        let done: u8 = redis::from_redis_value(answer).map_err(|_| StoreFailed)?;
        Ok(done == 1)
    }
}

impl TaskStore for InShared {
    fn look<'a>(
        &'a self,
        id: &'a str,
        attending: bool,
    ) -> BoxFuture<'a, Result<Option<Held>, StoreFailed>> {
        self.held(id, attending).boxed()
    }

    fn swap<'a>(
        &'a self,
        id: &'a str,
        seen: u64,
        task: Arc<Task>,
    ) -> BoxFuture<'a, Result<bool, StoreFailed>> {
        async move { self.put(id, seen, &task).await }.boxed()
    }

    fn changed<'a>(&'a self, _: &'a str, _: u64) -> BoxFuture<'a, ()> {
        sleep(POLL).boxed()
    }

    /// The store lets go by itself.
    fn evict(&self) {}
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
