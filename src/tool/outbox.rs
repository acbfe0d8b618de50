//! What a call says before it answers: progress, log messages, questions.
//!
//! A tool puts a notice in and goes on; the transport takes it out while it waits for the answer.
//! Bounded: what a client does not read in time is dropped, but never a question.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use serde_json::Value;

use super::ask::{Question, QuestionId};
use super::client::LogLevel;

/// Notices that may wait for a client at once.
const CAPACITY: usize = 256;

/// What a call says before it answers.
#[derive(Debug)]
pub(crate) enum Notice {
    /// How far it is. The token is JSON, as the client sent it.
    Progress(Arc<str>, Progress),
    /// A log message.
    Log {
        level: LogLevel,
        logger: Option<String>,
        data: Value,
    },
    /// A question to the client.
    Ask(QuestionId, Question),
    /// It need not be answered any more.
    Withdraw(QuestionId),
}

/// How far a call is (MCP 2026-07-28, basic/patterns/progress).
///
/// ```
/// use tollgate::Progress;
///
/// let half = Progress::new(50.0).total(100.0).message("Reticulating splines");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    pub(crate) done: f64,
    pub(crate) total: Option<f64>,
    pub(crate) message: Option<String>,
}

impl Progress {
    /// So much is done. It must grow from one to the next, whatever it counts.
    pub fn new(done: f64) -> Self {
        Self {
            done,
            total: None,
            message: None,
        }
    }

    /// Of so much.
    pub fn total(mut self, total: f64) -> Self {
        self.total = Some(total);
        self
    }

    /// What a task says of it.
    pub(crate) fn in_words(&self) -> String {
        match (&self.message, self.total) {
            (Some(message), _) => message.clone(),
            (None, Some(total)) => format!("{} of {total}", self.done),
            (None, None) => self.done.to_string(),
        }
    }

    /// What is being done, for people.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }
}

/// The notices of one call on their way out.
#[derive(Debug, Default)]
pub(crate) struct Outbox(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    reader: Option<Waker>,
}

impl Outbox {
    /// Puts a notice in; one for which there is no room is dropped, unless it must not be.
    pub(crate) fn push(&self, notice: Notice) {
        let must_stay = matches!(notice, Notice::Ask(..) | Notice::Withdraw(_));
        let mut waiting = self.waiting();
        if let Notice::Withdraw(id) = &notice
            && waiting.forget(id)
        {
            return;
        }
        if waiting.notices.len() >= CAPACITY && !must_stay {
            return;
        }
        waiting.notices.push_back(notice);
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// The next notice; never an end, since the call may go on.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Notice> {
        let mut waiting = self.waiting();
        match waiting.notices.pop_front() {
            Some(notice) => Poll::Ready(notice),
            None => {
                waiting.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    /// All that is there.
    pub(crate) fn take_all(&self) -> VecDeque<Notice> {
        mem::take(&mut self.waiting().notices)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Takes a question out that nobody has read, of which nobody need hear any more. Whether it did.
    fn forget(&mut self, question: &QuestionId) -> bool {
        let is_it = |notice: &Notice| matches!(notice, Notice::Ask(id, _) if id == question);
        let at = self.notices.iter().position(is_it);
        at.and_then(|at| self.notices.remove(at)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_dropped_at_the_bound_but_never_a_question() {
        let outbox = Outbox::default();
        for number in 0..CAPACITY + 10 {
            let level = LogLevel::Info;
            let (logger, data) = (None, Value::from(number));
            outbox.push(Notice::Log {
                level,
                logger,
                data,
            });
        }
        outbox.push(Notice::Ask("1".into(), Question::roots()));
        let all = outbox.take_all();
        assert_eq!(all.len(), CAPACITY + 1);
        assert!(matches!(all.back(), Some(Notice::Ask(..))));
    }

    #[test]
    fn a_question_that_nobody_has_read_is_taken_back_without_a_word() {
        let outbox = Outbox::default();
        for id in ["1", "2"] {
            outbox.push(Notice::Ask(id.into(), Question::roots()));
        }
        outbox.push(Notice::Withdraw("1".into()));
        let left = outbox.take_all();
        assert!(matches!(left.front(), Some(Notice::Ask(id, _)) if &**id == "2"));
        assert_eq!(left.len(), 1);
        outbox.push(Notice::Withdraw("2".into()));
        assert!(matches!(
            outbox.take_all().front(),
            Some(Notice::Withdraw(_))
        ));
    }
}
