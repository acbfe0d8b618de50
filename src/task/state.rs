//! What a task is, and how it changes (SEP-2663, "Task Status").
//!
//! Every change is one method that says whether there was one. None leads out of an end: whoever comes
//! late, a result or a cancellation, changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::auth::Principal;

/// A task, as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The caller whose it is.
    tenant: String,
    subject: String,
    /// The call that made it.
    pub call_id: Uuid,
    /// The tool that runs.
    pub tool: String,
    /// Milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// When it changed last.
    pub updated_ms: u64,
    /// How long it is kept, from its beginning on.
    pub ttl_ms: u64,
    /// How often a client should ask.
    pub poll_ms: u64,
    /// What it says of itself.
    pub message: Option<String>,
    /// How it stands.
    pub status: Status,
    /// Answers that its run has not fetched yet.
    answers: Map<String, Value>,
}

/// How a task stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Status {
    /// It runs.
    Working,
    /// It waits for answers to these, by their keys.
    InputRequired(Map<String, Value>),
    /// It ended with this result, as text.
    Completed(String),
    /// It ended with this error, as text.
    Failed(String),
    /// The process that ran it is gone.
    Lost,
    /// It was cancelled.
    Cancelled,
}

/// How a run ends, as its client will read it.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// A result.
    Completed(String),
    /// An error, and what it says to people.
    Failed(String, String),
}

impl Status {
    /// Whether nothing comes after it.
    pub fn is_end(&self) -> bool {
        !matches!(self, Self::Working | Self::InputRequired(_))
    }
}

/// What a new task is made of.
pub struct NewTask<'a> {
    /// Whose it is.
    pub principal: &'a Principal,
    /// The call that makes it.
    pub call_id: Uuid,
    /// The tool that runs.
    pub tool: &'a str,
    /// How long it is kept, in milliseconds.
    pub ttl_ms: u64,
    /// How often a client should ask, in milliseconds.
    pub poll_ms: u64,
}

impl Task {
    pub(super) fn new(new: &NewTask<'_>, now_ms: u64) -> Self {
        Self {
            tenant: new.principal.tenant().to_owned(),
            subject: new.principal.subject().to_owned(),
            call_id: new.call_id,
            tool: new.tool.to_owned(),
            created_ms: now_ms,
            updated_ms: now_ms,
            ttl_ms: new.ttl_ms,
            poll_ms: new.poll_ms,
            message: None,
            status: Status::Working,
            answers: Map::new(),
        }
    }

    /// Whether it is this caller's: no other one learns that there is such a task.
    pub fn is_of(&self, principal: &Principal) -> bool {
        self.tenant == principal.tenant() && self.subject == principal.subject()
    }

    /// The run says where it is and what it asks. What was answered is not asked again.
    pub(super) fn works(&mut self, message: Option<String>, mut open: Map<String, Value>) -> bool {
        if self.status.is_end() {
            return false;
        }
        open.retain(|key, _| !self.answers.contains_key(key));
        let status = asking(open);
        let is_news = self.status != status || self.message != message;
        (self.status, self.message) = (status, message);
        is_news
    }

    /// The client answers; what was not asked, or not any more, is passed over.
    pub(super) fn answer(&mut self, given: Map<String, Value>) -> bool {
        let Status::InputRequired(open) = &mut self.status else {
            return false;
        };
        let before = open.len();
        for (key, answer) in given {
            if open.remove(&key).is_some() {
                self.answers.insert(key, answer);
            }
        }
        let is_news = open.len() < before;
        self.status = asking(std::mem::take(open));
        is_news
    }

    /// The run fetches the answers.
    pub(super) fn take_answers(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.answers)
    }

    /// It ends with this; nothing of a life that is over is kept.
    pub(super) fn end(&mut self, status: Status, message: Option<String>) -> bool {
        if self.status.is_end() || !status.is_end() {
            return false;
        }
        self.answers = Map::new();
        (self.status, self.message) = (status, message);
        true
    }
}

fn asking(open: Map<String, Value>) -> Status {
    if open.is_empty() {
        Status::Working
    } else {
        Status::InputRequired(open)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Works(Vec<u8>),
        Answer(Vec<u8>),
        Take,
        End(u8),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let keys = || prop::collection::vec(0_u8..4, 0..4);
        let step = prop_oneof![
            4 => keys().prop_map(Step::Works),
            4 => keys().prop_map(Step::Answer),
            2 => Just(Step::Take),
            1 => (0_u8..4).prop_map(Step::End),
        ];
        prop::collection::vec(step, 0..20)
    }

    fn map(keys: &[u8]) -> Map<String, Value> {
        keys.iter()
            .map(|key| (key.to_string(), Value::Null))
            .collect()
    }

    fn task() -> Task {
        let principal = Principal::configured("acme", "ada", [""; 0]).expect("a good name");
        let new = NewTask {
            principal: &principal,
            call_id: Uuid::nil(),
            tool: "t",
            ttl_ms: 1,
            poll_ms: 1,
        };
        Task::new(&new, 0)
    }

    proptest! {
        #[test]
        fn no_step_leads_out_of_an_end_and_only_what_is_asked_can_be_answered(steps in steps()) {
            let mut task = task();
            for step in steps {
                let before = task.clone();
                let changed = match &step {
                    Step::Works(keys) => task.works(Some(format!("{keys:?}")), map(keys)),
                    Step::Answer(keys) => task.answer(map(keys)),
                    Step::Take => {
                        let taken = task.take_answers();
                        prop_assert!(!before.status.is_end() || taken.is_empty());
                        continue;
                    }
                    Step::End(0) => task.end(Status::Completed("{}".to_owned()), None),
                    Step::End(1) => task.end(Status::Failed("{}".to_owned()), None),
                    Step::End(2) => task.end(Status::Lost, None),
                    Step::End(_) => task.end(Status::Cancelled, None),
                };
                prop_assert_eq!(changed, task != before, "{:?}", step);
                if before.status.is_end() {
                    prop_assert_eq!(&task, &before, "{:?}", step);
                }
                if let (Step::Answer(_), Status::InputRequired(open)) = (&step, &before.status) {
                    let new = task.answers.keys().filter(|key| !before.answers.contains_key(*key));
                    prop_assert!(new.clone().all(|key| open.contains_key(key)));
                }
                if let Status::InputRequired(open) = &task.status {
                    prop_assert!(!open.is_empty());
                    prop_assert!(open.keys().all(|key| !task.answers.contains_key(key)));
                }
            }
        }
    }
}
