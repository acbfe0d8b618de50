//! Questions that are out, of calls that wait for their answers.
//!
//! Before 2026-07-28 an answer comes in a message of its own, over HTTP in a request of its own. It
//! finds its call by the id that we gave the question, and by who sends it: the id cannot be
//! guessed, and is of no use to another caller.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::auth::Principal;
use crate::tool::outbox::{Notice, Outbox};

/// The questions of a server that wait for an answer; one for all generations of a configuration.
#[derive(Clone, Debug, Default)]
pub struct Questions(Arc<Mutex<HashMap<u128, oneshot::Sender<Answer>>>>);

/// A result, or nothing where the client answered with an error.
type Answer = Option<Value>;

/// What a question is called on the wire.
pub(crate) type QuestionId = Arc<str>;

/// Waits for an answer; dropped before that, the question is taken back.
pub(super) struct Pending {
    questions: Questions,
    key: u128,
    id: QuestionId,
    outbox: Arc<Outbox>,
    answer: oneshot::Receiver<Answer>,
    is_answered: bool,
}

impl Questions {
    pub(super) fn enter(&self, principal: &Principal, outbox: &Arc<Outbox>) -> Pending {
        let (sender, answer) = oneshot::channel();
        let id: QuestionId = Uuid::new_v4().to_string().into();
        let key = principal.request_key(&id);
        self.waiting().insert(key, sender);
        Pending {
            questions: self.clone(),
            key,
            id,
            outbox: Arc::clone(outbox),
            answer,
            is_answered: false,
        }
    }

    /// Hands an answer to the call that waits for it. Whether one does.
    pub(crate) fn answer(&self, principal: &Principal, id: &str, answer: Option<Value>) -> bool {
        let waiting = self.waiting().remove(&principal.request_key(id));
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    /// Questions that are out.
    pub fn count(&self) -> usize {
        self.waiting().len()
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u128, oneshot::Sender<Answer>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    pub(super) fn id(&self) -> &QuestionId {
        &self.id
    }
}

impl Future for Pending {
    /// The answer, or `Err` where there is none.
    type Output = Result<Value, ()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Poll::Ready(answer) = Pin::new(&mut self.answer).poll(context) else {
            return Poll::Pending;
        };
        self.is_answered = true;
        Poll::Ready(answer.ok().flatten().ok_or(()))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.questions.waiting().remove(&self.key);
        if !self.is_answered {
            self.outbox.push(Notice::Withdraw(Arc::clone(&self.id)));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use serde_json::json;

    use super::*;

    fn caller(name: &str) -> Principal {
        Principal::configured("acme", name, [""; 0]).expect("a good name")
    }

    #[test]
    fn only_the_caller_who_was_asked_answers_and_only_once() {
        let (questions, outbox) = (Questions::default(), Arc::default());
        let (ada, bob) = (caller("ada"), caller("bob"));
        let mut pending = questions.enter(&ada, &outbox);
        let id = pending.id().to_string();
        assert!(!questions.answer(&bob, &id, Some(json!(1))));
        assert!((&mut pending).now_or_never().is_none());
        assert!(questions.answer(&ada, &id, Some(json!(2))));
        assert!(!questions.answer(&ada, &id, Some(json!(3))));
        assert_eq!((&mut pending).now_or_never(), Some(Ok(json!(2))));
        drop(pending);
        assert_eq!((questions.count(), outbox.take_all().len()), (0, 0));
    }

    #[test]
    fn a_question_that_nobody_waits_for_any_more_is_taken_back() {
        let (questions, outbox) = (Questions::default(), Arc::default());
        let pending = questions.enter(&caller("ada"), &outbox);
        drop(pending);
        assert_eq!(questions.count(), 0);
        let left = outbox.take_all();
        assert!(matches!(
            (left.len(), left.front()),
            (1, Some(Notice::Withdraw(_)))
        ));
    }
}
