//! Notices as messages: what a client hears of a call before its answer.

use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use memchr::memmem::Finder;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::tool::{LogLevel, Notice, Outbox};

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

/// A message; what is not there is left out.
#[derive(Serialize)]
struct Message<'a, P> {
    jsonrpc: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    method: &'static str,
    params: P,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProgressParams<'a> {
    /// As it was sent: a number may have more digits than any type of ours.
    progress_token: Option<&'a RawValue>,
    progress: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct LogParams<'a> {
    level: LogLevel,
    #[serde(skip_serializing_if = "Option::is_none")]
    logger: Option<&'a str>,
    data: &'a Value,
}

fn message(notice: &Notice) -> Vec<u8> {
    match notice {
        Notice::Progress(token, progress) => {
            let total = progress.total.filter(|total| total.is_finite());
            let params = ProgressParams {
                progress_token: serde_json::from_str(token).ok(),
                progress: number(progress.done),
                total: total.map(number),
                message: progress.message.as_deref(),
            };
            written("notifications/progress", None, params)
        }
        Notice::Log {
            level,
            logger,
            data,
        } => {
            let params = LogParams {
                level: *level,
                logger: logger.as_deref(),
                data,
            };
            written("notifications/message", None, params)
        }
        Notice::Ask(id, question) => written(question.method(), Some(id), question.params()),
        Notice::Withdraw(id) => {
            let params = json!({"requestId": &**id});
            written("notifications/cancelled", None, params)
        }
    }
}

fn written(method: &'static str, id: Option<&str>, params: impl Serialize) -> Vec<u8> {
    let message = Message {
        jsonrpc: "2.0",
        id,
        method,
        params,
    };
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
    static WANTED: LazyLock<[Finder<'static>; 2]> =
        LazyLock::new(|| ["progressToken", "logLevel"].map(Finder::new));
    WANTED.iter().any(|name| name.find(message).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Progress;

    #[test]
    fn a_token_goes_back_as_it_came_whatever_our_types_can_hold() {
        for token in [
            "7",
            "-1",
            "\"a\"",
            "123456789012345678901234567890",
            r#""\ud800""#,
        ] {
            let notice = Notice::Progress(token.into(), Progress::new(1.0));
            let message = String::from_utf8(message(&notice)).expect("UTF-8");
            let expected = format!("\"params\":{{\"progressToken\":{token},\"progress\":1}}");
            assert!(message.contains(&expected), "{message}");
        }
    }
}
