//! Notices as messages: what a client hears of a call before its answer.

use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::{Map, Value, json};

use crate::tool::{Notice, Outbox};

/// What a call says before its answer, as messages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notices(Arc<Outbox>);

impl Notices {
    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.0
    }

    /// The next message; never an end.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Vec<u8>> {
        self.0.poll_next(context).map(|notice| message(&notice))
    }

    /// All that there are.
    pub(crate) fn take_all(&self) -> Vec<Vec<u8>> {
        self.0.take_all().iter().map(message).collect()
    }

    /// Of all that there are those that a call has to say that was cancelled: which of its questions
    /// need not be answered any more.
    pub(crate) fn take_withdrawals(&self) -> Vec<Vec<u8>> {
        let all = self.0.take_all();
        let withdrawn = all
            .iter()
            .filter(|notice| matches!(notice, Notice::Withdraw(_)));
        withdrawn.map(message).collect()
    }
}

fn message(notice: &Notice) -> Vec<u8> {
    let mut message = Map::new();
    message.insert("jsonrpc".to_owned(), json!("2.0"));
    let (method, params) = match notice {
        Notice::Progress(token, progress) => {
            let token: Value = serde_json::from_str(token).unwrap_or_default();
            let mut params = json!({"progressToken": token, "progress": number(progress.done)});
            if let Some(total) = progress.total.filter(|total| total.is_finite()) {
                params["total"] = number(total);
            }
            if let Some(message) = &progress.message {
                params["message"] = json!(message);
            }
            ("notifications/progress", params)
        }
        Notice::Log {
            level,
            logger,
            data,
        } => {
            let mut params = json!({"level": level, "data": data});
            if let Some(logger) = logger {
                params["logger"] = json!(logger);
            }
            ("notifications/message", params)
        }
        Notice::Ask(id, question) => {
            message.insert("id".to_owned(), json!(&**id));
            (question.method(), question.params().clone())
        }
        Notice::Withdraw(id) => ("notifications/cancelled", json!({"requestId": &**id})),
    };
    message.insert("method".to_owned(), json!(method));
    message.insert("params".to_owned(), params);
    // Plain values into memory: this does not fail.
    serde_json::to_vec(&message).unwrap_or_default()
}

/// A whole number as one: clients print it.
fn number(value: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only whole numbers that fit"
    )]
    if value.fract() == 0.0 && value.abs() < 9e15 {
        json!(value as i64)
    } else {
        json!(value)
    }
}

/// Whether a message may want to hear something before its answer. Where it does not, the answer
/// needs no stream. A message that hides it behind escapes hears nothing, as it may.
pub(crate) fn may_want_notices(message: &[u8]) -> bool {
    let holds = |name: &str| memchr::memmem::find(message, name.as_bytes()).is_some();
    holds("progressToken") || holds("logLevel")
}
