//! Tools whose calls become tasks: what their policy says, and what passes between a run and its task.
//!
//! A run that outlives its request (MCP extension `io.modelcontextprotocol/tasks`, SEP-2663) has nobody
//! it could write to: it leaves word at a [`Desk`], and whoever looks after the task carries it on. A
//! reader would ask why questions lie there and not in the task itself: they hold the waiting function,
//! which no store can.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::{oneshot, watch};

use super::{CallContext, Client, Question};

/// How the calls of a tool become tasks. A call that becomes one answers at once, with a handle; its
/// result is asked for later. How long it may run is the tool's timeout.
///
/// ```
/// use std::time::Duration;
/// use tollgate::TaskPolicy;
///
/// let policy = TaskPolicy::new().ttl(Duration::from_secs(600)).poll_every(Duration::from_secs(5));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskPolicy {
    pub(crate) ttl: Duration,
    pub(crate) poll_every: Duration,
    pub(crate) is_required: bool,
    pub(crate) begins_when_told: bool,
}

impl Default for TaskPolicy {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3_600),
            poll_every: Duration::from_secs(1),
            is_required: false,
            begins_when_told: false,
        }
    }
}

impl TaskPolicy {
    /// Tasks for clients that know them, kept for an hour, to be asked after each second. Others get an
    /// ordinary answer.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a task is kept, counted from its beginning: at least as long as it may run.
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// How often a client should ask for news. At least a millisecond.
    pub fn poll_every(self, poll_every: Duration) -> Self {
        Self { poll_every, ..self }
    }

    /// Refuses calls that cannot become tasks: of clients that do not know them, and over REST.
    pub fn required(self) -> Self {
        Self {
            is_required: true,
            ..self
        }
    }

    /// A call begins as an ordinary one: what it asks it asks before there is a task, and an answer is an
    /// ordinary answer, until the function says
    /// [`continue_as_task`](CallContext::continue_as_task).
    pub fn begins_when_told(self) -> Self {
        Self {
            begins_when_told: true,
            ..self
        }
    }
}

/// How far a call is on its way to be a task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// It may become one.
    #[default]
    Call,
    /// It wants to be one.
    Wanted,
    /// It is one.
    Made,
}

/// Where a run leaves word for its task, and finds the answers to what it asks.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    papers: Mutex<Papers>,
    changed: watch::Sender<u64>,
    phase: watch::Sender<Phase>,
}

#[derive(Debug, Default)]
struct Papers {
    message: Option<String>,
    /// In the order in which they were asked.
    open: Vec<Open>,
    /// Questions so far: part of each one's key, so that none comes twice in the life of a task.
    asked: u64,
}

#[derive(Debug)]
struct Open {
    key: String,
    question: Question,
    waiting: oneshot::Sender<Value>,
}

impl Papers {
    fn take(&mut self, key: &str) -> Option<Open> {
        let at = self.open.iter().position(|open| open.key == key)?;
        Some(self.open.remove(at))
    }
}

impl Desk {
    /// Says where the run is.
    pub(super) fn tell(&self, message: String) {
        self.papers().message = Some(message);
        self.announce();
    }

    /// Puts a question down, under the author's key and a number.
    pub(super) fn ask(self: &Arc<Self>, key: &str, question: Question) -> Waiting {
        let (waiting, answer) = oneshot::channel();
        let key = {
            let mut papers = self.papers();
            papers.asked += 1;
            let key = format!("{key}.{}", papers.asked);
            papers.open.push(Open {
                key: key.clone(),
                question,
                waiting,
            });
            key
        };
        self.announce();
        Waiting {
            desk: Arc::clone(self),
            key,
            answer,
        }
    }

    /// Hands an answer to what waits for it; nobody need.
    pub(crate) fn answer(&self, key: &str, answer: Value) {
        let open = self.papers().take(key);
        if let Some(open) = open {
            // It may have given up in this moment.
            let _ = open.waiting.send(answer);
        }
    }

    /// What the run said last, and what it asks.
    pub(crate) fn lies(&self) -> (Option<String>, Map<String, Value>) {
        let papers = self.papers();
        let open = papers.open.iter();
        let open = open.map(|open| (open.key.clone(), open.question.to_json()));
        (papers.message.clone(), open.collect())
    }

    /// Hears of everything that is put down or taken back.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Waits until the run wants to be a task.
    pub(crate) async fn wanted(&self) {
        // Never an error: the sender is ours.
        let mut phase = self.phase.subscribe();
        let _ = phase.wait_for(|phase| *phase != Phase::Call).await;
    }

    /// There is a task.
    pub(crate) fn made(&self) {
        self.phase.send_replace(Phase::Made);
    }

    pub(super) fn is_made(&self) -> bool {
        *self.phase.borrow() == Phase::Made
    }

    async fn become_task(&self) {
        let mut made = self.phase.subscribe();
        self.phase.send_if_modified(|phase| {
            let is_news = *phase == Phase::Call;
            if is_news {
                *phase = Phase::Wanted;
            }
            is_news
        });
        let _ = made.wait_for(|phase| *phase == Phase::Made).await;
    }

    fn announce(&self) {
        self.changed
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    fn papers(&self) -> MutexGuard<'_, Papers> {
        self.papers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for an answer; dropped before that, the question is taken back.
pub(super) struct Waiting {
    desk: Arc<Desk>,
    key: String,
    answer: oneshot::Receiver<Value>,
}

impl Future for Waiting {
    type Output = Value;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Value> {
        match Pin::new(&mut self.answer).poll(context) {
            Poll::Ready(Ok(answer)) => Poll::Ready(answer),
            // The sender goes with an answer or with this future.
            Poll::Ready(Err(_)) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let open = self.desk.papers().take(&self.key);
        if open.is_some() {
            self.desk.announce();
        }
    }
}

impl CallContext {
    /// Makes a task of the call, where its tool [`begins_when_told`](TaskPolicy::begins_when_told) and its
    /// client knows tasks: the client gets its handle now, and the function goes on once that can be
    /// found. Otherwise nothing happens.
    pub async fn continue_as_task(&self) {
        if let Some(desk) = self.client().and_then(Client::desk) {
            desk.become_task().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;

    #[test]
    fn no_key_comes_twice_and_a_question_that_nobody_waits_for_is_taken_back() {
        let desk = Arc::new(Desk::default());
        let first = desk.ask("name", Question::roots());
        let second = desk.ask("name", Question::roots());
        let keys = |desk: &Desk| {
            let mut keys: Vec<_> = desk.lies().1.keys().cloned().collect();
            keys.sort_unstable();
            keys
        };
        assert_eq!(keys(&desk), ["name.1", "name.2"]);
        drop(first);
        assert_eq!(keys(&desk), ["name.2"]);
        desk.answer("name.1", json!("to nothing"));
        desk.answer("name.2", json!("to the second"));
        assert_eq!(second.now_or_never(), Some(json!("to the second")));
        let _third = desk.ask("name", Question::roots());
        assert_eq!(keys(&desk), ["name.3"]);
    }
}
