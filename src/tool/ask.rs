//! Asking the caller while a call is served: its user (elicitation), its model (sampling), its roots.
//!
//! One way to ask for authors, three ways on the wire. In the era of self-describing messages a call
//! that asks ends with its questions, and runs again from the top once the client comes back with
//! answers (2026-07-28, basic/patterns/mrtr). Before that, questions go out while the call runs; those of a task lie
//! with it until they are answered (SEP-2663). So a
//! function that asks must not do anything before it that it must not do twice.

mod question;
mod questions;
mod reply;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use question::{Question, SampleRequest};
pub(crate) use questions::QuestionId;
pub use questions::Questions;
pub use reply::{Action, FormReply, Reply, Root, Sampled};

use super::client::Asking;
use super::outbox::Notice;
use super::task::Desk;
use super::{CallContext, Client, ToolError};
use crate::auth::Principal;

/// The most questions of one call at once.
const MAX_QUESTIONS: usize = 16;

/// What has to be known before a call can go on.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The questions, each under the key that its answer comes under.
    pub(crate) questions: Vec<(String, Question)>,
    /// What to remember until then.
    pub(crate) remembered: Option<Value>,
    /// What the client carries of the approval of the call.
    pub(crate) approval: Option<String>,
}

impl Asked {
    /// The same of a call whose approval goes on with it.
    pub(crate) fn approved(self, approval: Option<String>) -> Self {
        Self { approval, ..self }
    }
}

/// The answers to several questions, by their keys. See [`CallContext::ask`].
///
/// ```
/// use tollgate::{Replies, Reply};
///
/// fn day(replies: &Replies) -> Option<&str> {
///     match replies.get("day")? {
///         Reply::Form(form) => form.content.get("day")?.as_str(),
///         Reply::Sampled(_) | Reply::Roots(_) => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Replies(Vec<(String, Reply)>);

impl Replies {
    /// The answer to the question of this key.
    pub fn get(&self, key: &str) -> Option<&Reply> {
        let found = self.0.iter().find(|(known, _)| known == key);
        found.map(|(_, reply)| reply)
    }

    /// The answer to the only question.
    pub(crate) fn only(mut self) -> Option<Reply> {
        self.0.pop().map(|(_, reply)| reply)
    }
}

impl CallContext {
    /// Asks all of these, each under a key of its own, and waits for the answers. At most 16 at once.
    ///
    /// Pass the error on with `?`: in one era it is how the questions get out, and the function runs
    /// again from the top when they are answered. What it must know then, [`remember`](Self::remember):
    /// the answers of earlier rounds too, since each round brings only its own.
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::{CallContext, Question, Reply, ToolError};
    ///
    /// async fn plan(call: CallContext) -> Result<String, ToolError> {
    ///     let form = json!({"type": "object", "properties": {"day": {"type": "string"}}});
    ///     let questions = [("day", Question::form("Which day?", form)), ("folders", Question::roots())];
    ///     let replies = call.ask(questions).await?;
    ///     match (replies.get("day"), replies.get("folders")) {
    ///         (Some(Reply::Form(day)), Some(Reply::Roots(folders))) if day.is_accepted() => {
    ///             Ok(format!("{:?} in {} folders", day.content.get("day"), folders.len()))
    ///         }
    ///         _ => Err(ToolError::refused("The user does not want to plan")),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ToolError::ClientCannot`] when the client did not say that it can be asked so (or there is
    /// nobody to ask, as on REST), [`ToolError::Asks`] when the answers have still to come,
    /// [`ToolError::Refused`] when the client answers with an error.
    pub async fn ask<K: Into<String>>(
        &self,
        questions: impl IntoIterator<Item = (K, Question)>,
    ) -> Result<Replies, ToolError> {
        let questions = questions
            .into_iter()
            .map(|(key, asked)| (key.into(), asked));
        let questions: Vec<(String, Question)> = questions.collect();
        if questions.len() > MAX_QUESTIONS {
            return Err(ToolError::Defect("too many questions at once".to_owned()));
        }
        let can = |question: &Question| {
            let client = self.client();
            client.is_some_and(|client| client.capabilities.has(question.needs()))
        };
        if let Some((_, question)) = questions.iter().find(|(_, question)| !can(question)) {
            return Err(ToolError::ClientCannot(question.needs()));
        }
        match self.client() {
            Some(client) => match &client.asking {
                Asking::Task { desk, .. } if desk.is_made() => ask_at(desk, questions).await,
                Asking::Retry { given } | Asking::Task { given, .. } => {
                    self.ask_by_retry(client, given, questions)
                }
                Asking::Live(waiting) => {
                    let asking = client.ask_live(self.principal(), waiting, questions);
                    asking.await
                }
                Asking::No => Err(nobody(&questions)),
            },
            None => Err(nobody(&questions)),
        }
    }

    /// Asks the user to fill in a form. `schema` is a JSON Schema of an object whose properties are
    /// texts, numbers, booleans or choices (2026-07-28, client/elicitation, "Requested Schema"). What
    /// was filled in fits it. Never ask for a secret this way: the client, and often its model, reads
    /// the answer.
    ///
    /// ```
    /// use serde_json::json;
    /// use tollgate::{CallContext, ToolError};
    ///
    /// async fn delete(call: CallContext, name: &str) -> Result<String, ToolError> {
    ///     let form = json!({"type": "object", "properties": {"reason": {"type": "string"}}});
    ///     let reply = call.elicit("sure", &format!("Delete {name}?"), form).await?;
    ///     if !reply.is_accepted() {
    ///         return Err(ToolError::refused("The user does not want it deleted"));
    ///     }
    ///     // Only now: nothing below this line happens twice.
    ///     Ok(format!("deleted {name}"))
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub async fn elicit(
        &self,
        key: &str,
        message: &str,
        schema: Value,
    ) -> Result<FormReply, ToolError> {
        let question = Question::form(message, schema);
        match self.ask_one(key, question).await? {
            Reply::Form(form) => Ok(form),
            _ => Err(misread()),
        }
    }

    /// Asks the client's model. What it says is somebody else's text: show it, do not act by it.
    ///
    /// ```
    /// use tollgate::{CallContext, SampleRequest, ToolError};
    ///
    /// async fn summary(call: CallContext, text: String) -> Result<String, ToolError> {
    ///     let request = SampleRequest::new(200).system("Sum up in one line.").user(text);
    ///     let said = call.sample("summary", request).await?;
    ///     Ok(said.text().unwrap_or_default().to_owned())
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub async fn sample(&self, key: &str, request: SampleRequest) -> Result<Sampled, ToolError> {
        match self.ask_one(key, Question::sample(request)).await? {
            Reply::Sampled(sampled) => Ok(sampled),
            _ => Err(misread()),
        }
    }

    /// Asks which folders the client works on. They are on the client's machine: names to talk of, not
    /// paths to open.
    ///
    /// ```
    /// use tollgate::{CallContext, ToolError};
    ///
    /// async fn folders(call: CallContext) -> Result<Vec<String>, ToolError> {
    ///     let roots = call.roots("folders").await?;
    ///     Ok(roots.into_iter().map(|root| root.uri).collect())
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask).
    pub async fn roots(&self, key: &str) -> Result<Vec<Root>, ToolError> {
        match self.ask_one(key, Question::roots()).await? {
            Reply::Roots(roots) => Ok(roots),
            _ => Err(misread()),
        }
    }

    async fn ask_one(&self, key: &str, question: Question) -> Result<Reply, ToolError> {
        let replies = self.ask([(key, question)]).await?;
        replies.only().ok_or_else(misread)
    }

    /// Answers that came with the call count if they fit their question; the others are asked for.
    fn ask_by_retry(
        &self,
        client: &Client,
        given: &Map<String, Value>,
        questions: Vec<(String, Question)>,
    ) -> Result<Replies, ToolError> {
        let (mut replies, mut open) = (Replies::default(), Vec::new());
        for (key, question) in questions {
            let given = given.get(&key).map(|given| question.read(given));
            match given.transpose()?.flatten() {
                Some(reply) => replies.0.push((key, reply)),
                None => open.push((key, question)),
            }
        }
        if open.is_empty() {
            return Ok(replies);
        }
        Err(ToolError::Asks(Box::new(Asked {
            questions: open,
            remembered: client.note(),
            approval: None,
        })))
    }
}

impl Client {
    /// Asks while the call waits: over its outbox, with the answers of messages of their own.
    pub(crate) async fn ask_live(
        &self,
        principal: &Principal,
        waiting: &Questions,
        questions: Vec<(String, Question)>,
    ) -> Result<Replies, ToolError> {
        let Some(outbox) = &self.outbox else {
            return Err(nobody(&questions));
        };
        // All go out before the first is waited for.
        let mut sent = Vec::new();
        for (key, question) in questions {
            let pending = waiting.enter(principal, outbox);
            outbox.push(Notice::Ask(pending.id().clone(), question.clone()));
            sent.push((key, question, pending));
        }
        let mut replies = Replies::default();
        for (key, question, pending) in sent {
            let Ok(answer) = pending.await else {
                let refused = "The client did not answer what the tool asked";
                return Err(ToolError::refused(refused));
            };
            let reply = question.read(&answer)?.ok_or_else(|| {
                ToolError::refused("The client's answer does not fit what the tool asked")
            })?;
            replies.0.push((key, reply));
        }
        Ok(replies)
    }
}

/// An answer that does not fit is none: its question is asked again, under a key of its own.
async fn ask_at(
    desk: &Arc<Desk>,
    questions: Vec<(String, Question)>,
) -> Result<Replies, ToolError> {
    // All lie there before the first is waited for.
    let asked = questions.into_iter().map(|(key, question)| {
        let waiting = desk.ask(&key, question.clone());
        (key, question, waiting)
    });
    let asked: Vec<_> = asked.collect();
    let mut replies = Replies::default();
    for (key, question, mut waiting) in asked {
        let reply = loop {
            match question.read(&waiting.await)? {
                Some(reply) => break reply,
                None => waiting = desk.ask(&key, question.clone()),
            }
        };
        replies.0.push((key, reply));
    }
    Ok(replies)
}

fn nobody(questions: &[(String, Question)]) -> ToolError {
    match questions.first() {
        Some((_, question)) => ToolError::ClientCannot(question.needs()),
        None => misread(),
    }
}

fn misread() -> ToolError {
    ToolError::Defect("an answer of another kind than its question".to_owned())
}
