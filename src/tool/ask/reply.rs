//! What a client answers. Hostile until read: an answer of another shape is none.

use serde_json::{Map, Value};

/// An answer to a [`Question`](super::Question).
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// To a form or a page to visit.
    Form(FormReply),
    /// Of the client's model.
    Sampled(Sampled),
    /// The client's folders.
    Roots(Vec<Root>),
}

/// What became of a form.
#[derive(Clone, Debug, PartialEq)]
pub struct FormReply {
    /// What the user did.
    pub action: Action,
    /// What was filled in, checked against the form's schema; empty unless it was accepted.
    pub content: Map<String, Value>,
}

/// What a user did with a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Said yes, or filled it in.
    Accept,
    /// Said no.
    Decline,
    /// Closed it.
    Cancel,
}

impl FormReply {
    /// Whether the user said yes.
    pub fn is_accepted(&self) -> bool {
        self.action == Action::Accept
    }
}

/// What the client's model said.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// Which model it was, as the client tells.
    pub model: String,
    /// A content block, or several, as they came.
    pub content: Value,
}

impl Sampled {
    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        let first = match &self.content {
            Value::Array(blocks) => blocks.first()?,
            block => block,
        };
        first.get("text").and_then(Value::as_str)
    }
}

/// A folder or file that a client works on.
#[derive(Clone, Debug, PartialEq)]
pub struct Root {
    /// A `file://` URI.
    pub uri: String,
    /// Its name for people.
    pub name: Option<String>,
}

pub(super) fn form(answer: &Value, fits: impl Fn(&Value) -> bool) -> Option<Reply> {
    let action = match answer.get("action")?.as_str()? {
        "accept" => Action::Accept,
        "decline" => Action::Decline,
        "cancel" => Action::Cancel,
        _ => return None,
    };
    let content = match answer.get("content") {
        Some(Value::Object(content)) => content.clone(),
        None | Some(Value::Null) => Map::new(),
        Some(_) => return None,
    };
    if action != Action::Accept {
        let content = Map::new();
        return Some(Reply::Form(FormReply { action, content }));
    }
    let content = Value::Object(content);
    let fits = fits(&content);
    match content {
        Value::Object(content) if fits => Some(Reply::Form(FormReply { action, content })),
        _ => None,
    }
}

pub(super) fn sampled(answer: &Value) -> Option<Reply> {
    let content = answer.get("content")?;
    if answer.get("role")?.as_str()? != "assistant" || !(content.is_object() || content.is_array())
    {
        return None;
    }
    Some(Reply::Sampled(Sampled {
        model: answer.get("model")?.as_str()?.to_owned(),
        content: content.clone(),
    }))
}

pub(super) fn roots(answer: &Value) -> Option<Reply> {
    let roots = answer.get("roots")?.as_array()?.iter().map(|root| {
        Some(Root {
            uri: root.get("uri")?.as_str()?.to_owned(),
            name: root.get("name").and_then(Value::as_str).map(str::to_owned),
        })
    });
    roots.collect::<Option<_>>().map(Reply::Roots)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_of_another_shape_is_none() {
        for bad in [
            json!(null),
            json!(7),
            json!({"action": "yes"}),
            json!({"content": {}}),
            json!({"action": "accept", "content": [1]}),
        ] {
            assert_eq!(form(&bad, |_| true), None, "{bad}");
        }
        assert_eq!(form(&json!({"action": "accept"}), |_| false), None);
        let declined = form(&json!({"action": "decline", "content": {"a": 1}}), |_| {
            false
        });
        assert!(matches!(declined, Some(Reply::Form(form)) if form.content.is_empty()));
        assert_eq!(
            sampled(&json!({"role": "user", "content": {}, "model": "m"})),
            None
        );
        assert_eq!(
            sampled(&json!({"role": "assistant", "content": "x", "model": "m"})),
            None
        );
        assert_eq!(roots(&json!({"roots": [{"name": "no uri"}]})), None);
        assert_eq!(roots(&json!({"roots": []})), Some(Reply::Roots(Vec::new())));
    }
}
