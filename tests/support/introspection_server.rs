//! A small introspection endpoint (RFC 7662) that knows tokens, keeps what it was asked, and can
//! lie, stall, redirect and die.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the endpoint answers.
#[derive(Clone)]
pub(crate) enum Manner {
    /// What it knows of the token; `{"active": false}` of others.
    Honest,
    /// This status and text.
    Says(u16, String),
    /// To itself, at a path that would answer honestly.
    Redirects,
    /// Never.
    Stalls,
}

/// What it was asked: the `Authorization` and the form.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) authorization: String,
    pub(crate) form: BTreeMap<String, String>,
}

struct Endpoint {
    manner: Mutex<Manner>,
    known: Mutex<BTreeMap<String, Value>>,
    questions: watch::Sender<Vec<Question>>,
    /// Answers are held back while this is false.
    open: watch::Sender<bool>,
}

impl Endpoint {
    fn recall(&self, token: &str) -> Option<Value> {
        let known = self.known.lock().expect("not poisoned");
        known.get(token).cloned()
    }

    fn manner(&self) -> Manner {
        self.manner.lock().expect("not poisoned").clone()
    }

    fn set_manner(&self, manner: Manner) {
        *self.manner.lock().expect("not poisoned") = manner;
    }
}

pub(crate) struct IntrospectionServer {
    endpoint: Arc<Endpoint>,
    url: String,
    serving: JoinHandle<()>,
}

impl IntrospectionServer {
    pub(crate) async fn start() -> Self {
        let endpoint = Arc::new(Endpoint {
            manner: Mutex::new(Manner::Honest),
            known: Mutex::default(),
            questions: watch::Sender::default(),
            open: watch::Sender::new(true),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/introspect", listener.local_addr().expect("it"));
        let router = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&endpoint));
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("it serves");
        });
        Self {
            endpoint,
            url,
            serving,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn knows(&self, token: &str, answer: Value) {
        let mut known = self.endpoint.known.lock().expect("not poisoned");
        known.insert(token.to_owned(), answer);
    }

    pub(crate) fn revoke(&self, token: &str) {
        self.knows(token, json!({"active": false}));
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.endpoint.set_manner(manner);
    }

    pub(crate) fn hold_back(&self, hold: bool) {
        self.endpoint.open.send_replace(!hold);
    }

    pub(crate) fn questions(&self) -> Vec<Question> {
        self.endpoint.questions.borrow().clone()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn was_asked(&self, times: usize) {
        let mut questions = self.endpoint.questions.subscribe();
        let enough = questions.wait_for(|questions| questions.len() >= times);
        enough.await.expect("the endpoint lives");
    }

    /// Waits until it was asked about this token so often.
    pub(crate) async fn was_asked_about(&self, token: &str, times: usize) {
        let mut questions = self.endpoint.questions.subscribe();
        let about = |question: &&Question| question.form.get("token").is_some_and(|t| t == token);
        let enough =
            questions.wait_for(|questions| questions.iter().filter(about).count() >= times);
        enough.await.expect("the endpoint lives");
    }

    pub(crate) fn die(&self) {
        self.serving.abort();
    }
}

impl Drop for IntrospectionServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(endpoint): State<Arc<Endpoint>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let form: BTreeMap<String, String> = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let header = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let found = form.get("token").and_then(|token| endpoint.recall(token));
    let question = Question {
        authorization: header("authorization"),
        form,
    };
    endpoint
        .questions
        .send_modify(|questions| questions.push(question));
    let mut open = endpoint.open.subscribe();
    let opened = open.wait_for(|open| *open).await.is_ok();
    assert!(opened, "the endpoint lives");
    let manner = endpoint.manner();
    match manner {
        Manner::Honest => found
            .unwrap_or(json!({"active": false}))
            .to_string()
            .into_response(),
        Manner::Says(status, text) => {
            let status = StatusCode::from_u16(status).expect("a status");
            (status, text).into_response()
        }
        Manner::Redirects => {
            endpoint.set_manner(Manner::Honest);
            (StatusCode::TEMPORARY_REDIRECT, [("location", "/elsewhere")]).into_response()
        }
        Manner::Stalls => std::future::pending().await,
    }
}
