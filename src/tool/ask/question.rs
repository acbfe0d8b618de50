//! A question to a client: its method, its parameters, which answers fit.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::reply::{self, Reply};
use crate::tool::{Capability, Content, Role, Schema, ToolError};

/// Something to ask a client. See [`CallContext::ask`](crate::CallContext::ask).
///
/// ```
/// use serde_json::json;
/// use tollgate::{Question, SampleRequest};
///
/// let form = json!({
///     "type": "object",
///     "properties": {"size": {"type": "string", "enum": ["S", "M", "L"]}},
///     "required": ["size"],
/// });
/// let questions = [
///     ("size", Question::form("Which size?", form)),
///     ("pay", Question::url("Please pay.", "https://pay.example.com/4711", "4711")),
///     ("slogan", Question::sample(SampleRequest::new(50).user("A slogan for shirts, please."))),
///     ("folders", Question::roots()),
/// ];
/// ```
#[derive(Clone, Debug)]
pub struct Question {
    kind: Kind,
    params: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Form,
    Url,
    Sample,
    Roots,
}

impl Question {
    /// A form for the user. See [`CallContext::elicit`](crate::CallContext::elicit).
    pub fn form(message: impl Into<String>, schema: Value) -> Self {
        let message = message.into();
        Self {
            kind: Kind::Form,
            // `mode` came with 2025-11-25; whoever does not know it passes over it.
            params: json!({"mode": "form", "message": message, "requestedSchema": schema}),
        }
    }

    /// A page that the user should visit, for what must not pass through the client (2026-07-28,
    /// client/elicitation, "URL Mode"). `id` names this visit, for word that it is over.
    pub fn url(message: impl Into<String>, url: impl Into<String>, id: impl Into<String>) -> Self {
        let (message, url, id) = (message.into(), url.into(), id.into());
        Self {
            kind: Kind::Url,
            params: json!({"mode": "url", "message": message, "url": url, "elicitationId": id}),
        }
    }

    /// A message for the client's model.
    pub fn sample(request: SampleRequest) -> Self {
        Self {
            kind: Kind::Sample,
            params: json!(request),
        }
    }

    /// The folders that the client works on.
    pub fn roots() -> Self {
        Self {
            kind: Kind::Roots,
            params: json!({}),
        }
    }

    /// What the client must have said that it can.
    pub(crate) fn needs(&self) -> Capability {
        match self.kind {
            Kind::Form => Capability::Elicitation,
            Kind::Url => Capability::ElicitationUrl,
            Kind::Sample => Capability::Sampling,
            Kind::Roots => Capability::Roots,
        }
    }

    pub(crate) fn method(&self) -> &'static str {
        match self.kind {
            Kind::Form | Kind::Url => "elicitation/create",
            Kind::Sample => "sampling/createMessage",
            Kind::Roots => "roots/list",
        }
    }

    pub(crate) fn params(&self) -> &Value {
        &self.params
    }

    /// As it stands under its key, wherever questions are listed.
    pub(crate) fn to_json(&self) -> Value {
        json!({"method": self.method(), "params": self.params})
    }

    /// Reads an answer; `None` when it does not fit.
    ///
    /// # Errors
    /// The form's schema is none.
    pub(crate) fn read(&self, answer: &Value) -> Result<Option<Reply>, ToolError> {
        Ok(match self.kind {
            Kind::Form => {
                let schema = Schema::compile(self.params["requestedSchema"].clone());
                let schema = schema.map_err(|fault| {
                    ToolError::Defect(format!("the schema of a question: {fault}"))
                })?;
                reply::form(answer, |content| schema.check(content).is_ok())
            }
            // Nothing but the user's consent comes back.
            Kind::Url => reply::form(answer, |_| true),
            Kind::Sample => reply::sampled(answer),
            Kind::Roots => reply::roots(answer),
        })
    }
}

/// A request to the client's model (2026-07-28, client/sampling).
///
/// ```
/// use tollgate::{SampleRequest, Question};
///
/// let question = Question::sample(
///     SampleRequest::new(100).user("What is the capital of France?").system("Be brief."),
/// );
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleRequest {
    messages: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_prompt: Option<String>,
    max_tokens: u32,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl SampleRequest {
    /// A request for an answer of at most so many tokens; add at least one message.
    pub fn new(max_tokens: u32) -> Self {
        Self {
            messages: Vec::new(),
            system_prompt: None,
            max_tokens,
            others: Map::new(),
        }
    }

    /// Adds what the person says.
    pub fn user(self, content: impl Into<Content>) -> Self {
        self.message(Role::User, content.into())
    }

    /// Adds what the model said before.
    pub fn assistant(self, content: impl Into<Content>) -> Self {
        self.message(Role::Assistant, content.into())
    }

    /// What the model is told besides; the client may change it.
    pub fn system(mut self, prompt: impl Into<String>) -> Self {
        self.system_prompt = Some(prompt.into());
        self
    }

    /// Another parameter of `sampling/createMessage`, such as `temperature` or `modelPreferences`.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.others.insert(name.to_owned(), value.into());
        self
    }

    fn message(mut self, role: Role, content: Content) -> Self {
        self.messages
            .push(json!({"role": role, "content": content}));
        self
    }
}
