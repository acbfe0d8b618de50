//! One subscription: what a listener is told, and when (2026-07-28, basic/patterns/subscriptions).
//!
//! A listener hears only of its own lists: whenever something may have changed, and every
//! [`PERIOD`], its caller is identified again and what it would see now is compared with what it
//! saw. So it also hears of a change to its own scopes, and its subscription ends with its token. Of a
//! resource it hears only while it may read it.
//! A client of the `initialize` era on stdio hears the same without asking and without an id.
//!
//! No I/O here: a transport takes [`Listening::next`] until there is nothing more, and dropping it
//! is the end.

use std::collections::VecDeque;
use std::future::pending;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select_all;
use serde_json::Value;
use tokio::sync::broadcast::error::RecvError;

use super::Mcp;
use super::envelope::Wanted;
use super::front::Era;
use super::lists::ListKind;
use super::session::Uris;
use super::tasks::write_detailed;
use crate::auth::{KeptCredentials, Principal};
use crate::pipeline::listeners::{Ear, Recheck};
use crate::pipeline::{Pipeline, Update};
use crate::task::Task;

/// How often a quiet listener is looked after, and shown that the connection lives. Proxies cut what
/// is silent for a minute or half of one.
const PERIOD: Duration = Duration::from_secs(15);

/// What serves at the moment, which may change while somebody listens.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) pipeline: Arc<Pipeline>,
    pub(crate) mcp: Arc<Mcp>,
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct Listening {
    /// The text of the request's id; none in the era that does not ask.
    id: Option<String>,
    wanted: Wanted,
    /// The resources that are wanted.
    uris: Uris,
    /// The tasks that are wanted and have not ended, with the version that was told last.
    tasks: Vec<(String, u64)>,
    principal: Arc<Principal>,
    seen: Seen,
    ear: Ear,
    outbox: VecDeque<Vec<u8>>,
    next_look: Duration,
    is_over: bool,
}

/// What there is for a listener.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message.
    Message(Vec<u8>),
    /// Nothing, for a while: the time to show that the connection lives.
    Nothing,
}

/// What a caller's lists held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    tools: u64,
    resources: [u64; 2],
    prompts: u64,
}

impl Listening {
    /// Of a request with this id. The acknowledgement comes first.
    pub(super) fn modern(
        mcp: &Mcp,
        principal: &Arc<Principal>,
        ear: Ear,
        id: &str,
        wanted: Wanted,
    ) -> Self {
        let acknowledgement = acknowledgement(id, &wanted);
        let mut listening = Self::new(mcp, principal, ear, Some(id.to_owned()), wanted);
        listening.outbox.push_back(acknowledgement);
        listening
    }

    /// Of a client that said `initialize` on stdio, and hears of all lists there are, and of the
    /// resources that it subscribes to.
    pub(super) fn legacy(mcp: &Mcp, principal: &Arc<Principal>, ear: Ear, uris: Uris) -> Self {
        let all = Wanted {
            tools: true,
            resources: true,
            prompts: true,
            ..Wanted::default()
        };
        Self {
            uris,
            ..Self::new(mcp, principal, ear, None, all)
        }
    }

    fn new(
        mcp: &Mcp,
        principal: &Arc<Principal>,
        ear: Ear,
        id: Option<String>,
        mut wanted: Wanted,
    ) -> Self {
        let era = era(id.as_ref());
        let uris = Uris::new(take(&mut wanted.uris));
        let tasks = take(&mut wanted.tasks).into_iter();
        // How they stand now is the first that is told.
        let tasks = tasks.map(|task| (task, 0)).collect();
        Self {
            // After `ear` was opened, so that no change falls in between.
            seen: mcp.seen(era, principal),
            next_look: ear.clock.monotonic() + PERIOD,
            principal: Arc::clone(principal),
            outbox: VecDeque::new(),
            is_over: false,
            id,
            wanted,
            uris,
            tasks,
            ear,
        }
    }

    /// The text of the id of the request that opened it, if one did.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// What comes next; waits for it. `None` is the end.
    pub(crate) async fn next(
        &mut self,
        credentials: &KeptCredentials,
        served: impl Fn() -> Served,
    ) -> Option<Heard> {
        loop {
            if let Some(message) = self.outbox.pop_front() {
                return Some(Heard::Message(message));
            }
            if self.is_over {
                return None;
            }
            let before = served();
            let is_time = tokio::select! {
                biased;
                () = before.pipeline.load.closed() => {
                    self.end(&before.mcp);
                    continue;
                }
                changed = self.ear.changes.changed() => {
                    // Where nobody can announce any more, time goes on.
                    if changed.is_err() {
                        self.ear.clock.reached(self.next_look).await;
                    }
                    changed.is_err()
                }
                updated = self.ear.updates.recv() => {
                    self.hear(updated, credentials, &served()).await;
                    continue;
                }
                () = any_changed(&before.pipeline, &self.tasks) => {
                    self.hear_of_tasks(credentials, &served()).await;
                    continue;
                }
                () = self.ear.clock.reached(self.next_look) => true,
            };
            // What serves now, not before the change.
            self.look(credentials, &served()).await;
            if is_time {
                self.next_look = self.ear.clock.monotonic() + PERIOD;
                if self.outbox.is_empty() {
                    return Some(Heard::Nothing);
                }
            }
        }
    }

    /// A resource changed, or so many that nobody knows which.
    async fn hear(
        &mut self,
        updated: Result<Update, RecvError>,
        credentials: &KeptCredentials,
        served: &Served,
    ) {
        let uris = match updated {
            Ok(update) if self.uris.has(&update.uri) && update.is_for(&self.principal) => {
                vec![update.uri.to_string()]
            }
            Ok(_) => return,
            Err(RecvError::Lagged(_)) => self.uris.all(),
            // The sender is the server's own, and outlives its listeners.
            Err(RecvError::Closed) => return pending().await,
        };
        self.look(credentials, served).await;
        for uri in uris {
            if !self.is_over && served.pipeline.may_read(&self.principal, &uri) {
                let told = updated_notification(&uri, self.id.as_deref());
                self.outbox.push_back(told);
            }
        }
    }

    /// Tasks may have changed.
    async fn hear_of_tasks(&mut self, credentials: &KeptCredentials, served: &Served) {
        let mut news = Vec::new();
        for (task, seen) in take(&mut self.tasks) {
            match served.pipeline.task_of(&self.principal, &task).await {
                Ok(Some(held)) if held.version != seen => news.push(task),
                Ok(Some(_)) | Err(_) => self.tasks.push((task, seen)),
                Ok(None) => {}
            }
        }
        if news.is_empty() {
            return;
        }
        self.look(credentials, served).await;
        for task in news.into_iter().filter(|_| !self.is_over) {
            // By who the caller is now, and as it stands now.
            let held = served.pipeline.task_of(&self.principal, &task).await;
            let Ok(Some(held)) = held else { continue };
            if let Some(id) = &self.id {
                let told = task_notification(&task, &held.task, id);
                self.outbox.push_back(told);
            }
            if !held.task.status.is_end() {
                self.tasks.push((task, held.version));
            }
        }
    }

    /// Identifies the caller again and compares its lists.
    async fn look(&mut self, credentials: &KeptCredentials, served: &Served) {
        let credentials = credentials.lend();
        let recheck = served.pipeline.recheck(&credentials, &self.principal);
        match recheck.await {
            Recheck::Over => self.end(&served.mcp),
            // What it may see now cannot be said, and the next look is not far.
            Recheck::Unknown => {}
            Recheck::Same(principal) => {
                let seen = served.mcp.seen(era(self.id.as_ref()), &principal);
                let before = std::mem::replace(&mut self.seen, seen);
                self.principal = principal;
                if self.wanted.tools && before.tools != seen.tools {
                    self.tell("notifications/tools/list_changed");
                }
                if self.wanted.resources && before.resources != seen.resources {
                    self.tell("notifications/resources/list_changed");
                }
                if self.wanted.prompts && before.prompts != seen.prompts {
                    self.tell("notifications/prompts/list_changed");
                }
            }
        }
    }

    fn tell(&mut self, method: &str) {
        self.outbox
            .push_back(notification(method, self.id.as_deref()));
    }

    /// Says goodbye, where that is said.
    fn end(&mut self, mcp: &Mcp) {
        self.is_over = true;
        if let Some(id) = &self.id {
            self.outbox.push_back(mcp.goodbye(id));
        }
    }
}

impl Mcp {
    fn seen(&self, era: Era, principal: &Principal) -> Seen {
        let mark = |kind| self.lists.mark(kind, era, principal, &self.meta);
        Seen {
            tools: mark(ListKind::Tools),
            resources: [ListKind::Resources, ListKind::ResourceTemplates].map(mark),
            prompts: mark(ListKind::Prompts),
        }
    }

    /// The answer to the request that opened the subscription ("Graceful Closure").
    fn goodbye(&self, id: &str) -> Vec<u8> {
        let server = self.meta.member();
        let message = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"resultType\":\"complete\",\
             \"_meta\":{{{server},\"{SUBSCRIPTION_ID}\":{id}}}}}}}"
        );
        message.into_bytes()
    }
}

const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";

fn era(id: Option<&String>) -> Era {
    if id.is_some() {
        Era::Modern
    } else {
        Era::Legacy
    }
}

fn notification(method: &str, id: Option<&str>) -> Vec<u8> {
    let params = match id {
        Some(id) => format!(",\"params\":{{\"_meta\":{{\"{SUBSCRIPTION_ID}\":{id}}}}}"),
        None => String::new(),
    };
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"{params}}}").into_bytes()
}

fn updated_notification(uri: &str, id: Option<&str>) -> Vec<u8> {
    let uri = Value::from(uri);
    let meta = match id {
        Some(id) => format!(",\"_meta\":{{\"{SUBSCRIPTION_ID}\":{id}}}"),
        None => String::new(),
    };
    let message = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/resources/updated\",\
         \"params\":{{\"uri\":{uri}{meta}}}}}"
    );
    message.into_bytes()
}

/// Waits until it is worth looking at the tasks again.
async fn any_changed(pipeline: &Pipeline, tasks: &[(String, u64)]) {
    if tasks.is_empty() {
        return pending().await;
    }
    let changed = |(task, seen): &(String, u64)| {
        let (task, seen) = (task.clone(), *seen);
        Box::pin(async move { pipeline.tasks.changed(&task, seen).await })
    };
    select_all(tasks.iter().map(changed)).await;
}

/// What `tasks/get` would answer now (SEP-2663, "Task Status Notifications").
fn task_notification(handle: &str, task: &Task, id: &str) -> Vec<u8> {
    let mut message =
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks\",\"params\":{".to_vec();
    write_detailed(&mut message, handle, task);
    let meta = format!(",\"_meta\":{{\"{SUBSCRIPTION_ID}\":{id}}}}}}}");
    message.extend_from_slice(meta.as_bytes());
    message
}

/// Tells which of the notifications asked for will come.
fn acknowledgement(id: &str, wanted: &Wanted) -> Vec<u8> {
    let mut agreed: Vec<String> = [
        (wanted.tools, "tools"),
        (wanted.resources, "resources"),
        (wanted.prompts, "prompts"),
    ]
    .into_iter()
    .filter(|(is_wanted, _)| *is_wanted)
    .map(|(_, list)| format!("\"{list}ListChanged\":true"))
    .collect();
    if !wanted.uris.is_empty() {
        let uris = Value::from(wanted.uris.clone());
        agreed.push(format!("\"resourceSubscriptions\":{uris}"));
    }
    if !wanted.tasks.is_empty() {
        let tasks = Value::from(wanted.tasks.clone());
        agreed.push(format!("\"taskIds\":{tasks}"));
    }
    let message = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/subscriptions/acknowledged\",\
         \"params\":{{\"_meta\":{{\"{SUBSCRIPTION_ID}\":{id}}},\"notifications\":{{{}}}}}}}",
        agreed.join(",")
    );
    message.into_bytes()
}
