//! A stand-in of the Lambda Runtime API ("Using the Lambda runtime API for custom runtimes"): gives out events, takes
//! answers, and tells when the function asks for the next one, which is when Lambda would freeze it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tollgate::Clock;

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// What Lambda's own timeout is where a test does not say otherwise.
const USUAL: Duration = Duration::from_secs(60);

/// A running stand-in; it ends with the test's runtime.
pub(crate) struct RuntimeApi {
    /// `127.0.0.1:PORT`, as `AWS_LAMBDA_RUNTIME_API` has it.
    pub(crate) address: String,
    held: Arc<Held>,
}

#[derive(Default)]
struct Held {
    events: Mutex<VecDeque<(Value, Duration)>>,
    /// What came back, in order: whether it is an error, and what it says.
    came: Mutex<Vec<Option<(bool, Value)>>>,
    /// How often the next event was asked for.
    asked: Mutex<usize>,
    changed: Notify,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Self {
        let held = Arc::new(Held::default());
        let routes = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(answered),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
            .with_state(Arc::clone(&held));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { address, held }
    }

    /// What Lambda sets for a function.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_LAMBDA_RUNTIME_API", &self.address),
            ("AWS_LAMBDA_FUNCTION_NAME", "tools"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ]
    }

    /// The answer to an event, once the function has asked for the next one.
    pub(crate) async fn invoke(&self, event: Value) -> Value {
        let (is_error, answer) = self.invoke_within(event, USUAL).await;
        assert!(!is_error, "{answer}");
        answer
    }

    /// The same with a timeout of the function; whether what came is an error.
    pub(crate) async fn invoke_within(&self, event: Value, timeout: Duration) -> (bool, Value) {
        let number = {
            let mut came = self
                .held
                .came
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            came.push(None);
            came.len()
        };
        self.held.lock_events().push_back((event, timeout));
        self.held.changed.notify_waiters();
        // The first event is asked for before anything came.
        self.asked(number + 1).await;
        let came = self
            .held
            .came
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        came[number - 1].clone().expect("an answer")
    }

    /// Waits until the function has asked for its `count`th event.
    pub(crate) async fn asked(&self, count: usize) {
        let asked = async {
            loop {
                let changed = self.held.changed.notified();
                if *self
                    .held
                    .asked
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    >= count
                {
                    return;
                }
                changed.await;
            }
        };
        timeout(PATIENCE, asked)
            .await
            .expect("the function asks for an event");
    }
}

impl Held {
    fn lock_events(&self) -> std::sync::MutexGuard<'_, VecDeque<(Value, Duration)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn next(State(held): State<Arc<Held>>) -> Response {
    *held.asked.lock().unwrap_or_else(PoisonError::into_inner) += 1;
    held.changed.notify_waiters();
    loop {
        let changed = held.changed.notified();
        let event = held.lock_events().pop_front();
        if let Some((event, timeout)) = event {
            let number = held
                .came
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len();
            let now = Clock::system().unix();
            let deadline = (now + timeout).as_millis().to_string();
            let headers = [
                ("Lambda-Runtime-Aws-Request-Id", number.to_string()),
                ("Lambda-Runtime-Deadline-Ms", deadline),
                (
                    "Lambda-Runtime-Invoked-Function-Arn",
                    "arn:aws:lambda:us-east-1:123456789012:function:tools".to_owned(),
                ),
                ("Content-Type", "application/json".to_owned()),
            ];
            return (headers, event.to_string()).into_response();
        }
        changed.await;
    }
}

async fn answered(State(held): State<Arc<Held>>, Path(id): Path<usize>, body: Bytes) -> StatusCode {
    held.keep(id, false, &body)
}

async fn failed(
    State(held): State<Arc<Held>>,
    Path(id): Path<usize>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    assert!(headers.contains_key("lambda-runtime-function-error-type"));
    held.keep(id, true, &body)
}

impl Held {
    fn keep(&self, id: usize, is_error: bool, body: &[u8]) -> StatusCode {
        let said = serde_json::from_slice(body).unwrap_or_else(|_| json!("no JSON"));
        self.came.lock().unwrap_or_else(PoisonError::into_inner)[id - 1] = Some((is_error, said));
        StatusCode::ACCEPTED
    }
}

/// The event of a function URL or an HTTP API (payload format 2.0).
pub(crate) fn http_event(path: &str, headers: &Value, body: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef",
            "domainName": "tools.example.com",
            "domainPrefix": "tools",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "test"
            },
            "requestId": "1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "12/Mar/2026:19:03:58 +0000",
            "timeEpoch": 1_773_342_238_000_u64
        },
        "body": body,
        "isBase64Encoded": false
    })
}
