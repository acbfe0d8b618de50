//! A key server that rotates, stalls, lies, redirects and dies when a test tells it to.
//!
//! It speaks plain HTTP/1.1 on a free port of the loopback interface, one request a connection, and
//! counts who asked for what.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) const METADATA: &str = "/.well-known/openid-configuration";
pub(crate) const OAUTH_METADATA: &str = "/.well-known/oauth-authorization-server";
pub(crate) const KEYS: &str = "/keys";

/// A running key server; it ends with the test's runtime.
pub(crate) struct KeyServer {
    url: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answers: Mutex<HashMap<String, Answer>>,
    visits: watch::Sender<HashMap<String, usize>>,
    dead: watch::Sender<bool>,
    held: watch::Sender<bool>,
}

#[derive(Clone)]
struct Answer {
    head: String,
    body: String,
}

impl KeyServer {
    /// Serves OpenID metadata of its own URL, and these keys.
    pub(crate) async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        let server = Self {
            url: format!("http://{address}"),
            state,
        };
        server.says(METADATA, &server.metadata());
        server.publishes(keys);
        server
    }

    /// `http://127.0.0.1:PORT`, which is also the issuer's name.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn metadata(&self) -> Value {
        json!({"issuer": self.url, "jwks_uri": format!("{}{KEYS}", self.url)})
    }

    pub(crate) fn publishes(&self, keys: &[Value]) {
        self.says(KEYS, &json!({ "keys": keys }));
    }

    /// Answers 200 with this JSON from now on.
    pub(crate) fn says(&self, path: &str, body: &Value) {
        self.answers(path, "200 OK", &body.to_string());
    }

    /// Answers with this status, maybe with headers in further lines, from now on.
    pub(crate) fn answers(&self, path: &str, status: &str, body: &str) {
        let answer = Answer {
            head: format!("HTTP/1.1 {status}"),
            body: body.to_owned(),
        };
        let mut answers = self.state.answers.lock().expect("not poisoned");
        answers.insert(path.to_owned(), answer);
    }

    /// Takes connections, and closes them without an answer.
    pub(crate) fn dies(&self) {
        self.state.dead.send_replace(true);
    }

    pub(crate) fn comes_back(&self) {
        self.state.dead.send_replace(false);
    }

    /// Reads requests, and does not answer before it is released.
    pub(crate) fn stalls(&self) {
        self.state.held.send_replace(true);
    }

    pub(crate) fn goes_on(&self) {
        self.state.held.send_replace(false);
    }

    /// How often it was asked for this path.
    pub(crate) fn visits(&self, path: &str) -> usize {
        let visits = self.state.visits.borrow();
        visits.get(path).copied().unwrap_or(0)
    }

    /// Waits until it was asked for this path so often.
    pub(crate) async fn visited(&self, path: &str, times: usize) {
        let mut visits = self.state.visits.subscribe();
        let enough = visits.wait_for(|visits| visits.get(path).is_some_and(|n| *n >= times));
        let asked = tokio::time::timeout(Duration::from_secs(10), enough).await;
        assert!(asked.is_ok(), "{path} was not fetched {times} times");
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&part[..read]),
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let answer = state
        .answers
        .lock()
        .expect("not poisoned")
        .get(&path)
        .cloned();
    state
        .visits
        .send_modify(|visits| *visits.entry(path).or_default() += 1);
    if *state.dead.borrow() {
        return;
    }
    let mut held = state.held.subscribe();
    let _ = held.wait_for(|held| !held).await;
    let answer = answer.unwrap_or(Answer {
        head: "HTTP/1.1 404 Not Found".to_owned(),
        body: String::new(),
    });
    let (head, body) = (answer.head, answer.body);
    let length = body.len();
    let whole = format!("{head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    // Whoever asked may have left.
    let _ = stream.write_all(whole.as_bytes()).await;
}
