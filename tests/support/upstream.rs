//! An HTTP API that answers what a test tells it to, byte for byte, and keeps what it was asked.
//!
//! Plain HTTP/1.1 on a free port of the loopback interface, one request a connection.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running API; it ends with the test's runtime.
pub(crate) struct Upstream {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    usual: Mutex<Answer>,
    next: Mutex<VecDeque<Answer>>,
    asked: watch::Sender<Vec<Asked>>,
    held: watch::Sender<bool>,
    left: watch::Sender<usize>,
}

/// What is written, and what comes then.
#[derive(Clone, Default)]
struct Answer {
    bytes: Vec<u8>,
    then: Then,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Then {
    #[default]
    Close,
    /// Nothing, until the other side leaves.
    Wait,
    /// The same bytes over and over, until the other side leaves.
    Repeat,
}

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /path?query`.
    pub(crate) line: String,
    /// Header lines, in lower case, without the request line.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Upstream {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        let served = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        let upstream = Self { port, state };
        upstream.says("200 OK", "{}");
        upstream
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Answers so from now on. The status may hold headers in further lines.
    pub(crate) fn says(&self, status: &str, body: &str) {
        self.writes(whole(status, body));
    }

    /// Answers so once, before what it says otherwise.
    pub(crate) fn says_once(&self, status: &str, body: &str) {
        let bytes = whole(status, body);
        let answer = Answer {
            bytes,
            then: Then::Close,
        };
        self.state
            .next
            .lock()
            .expect("not poisoned")
            .push_back(answer);
    }

    /// Writes these bytes from now on, and closes.
    pub(crate) fn writes(&self, bytes: impl Into<Vec<u8>>) {
        self.will(bytes, Then::Close);
    }

    /// Writes these bytes from now on, and then nothing more.
    pub(crate) fn writes_and_waits(&self, bytes: impl Into<Vec<u8>>) {
        self.will(bytes, Then::Wait);
    }

    /// Writes these bytes from now on, over and over.
    pub(crate) fn repeats(&self, bytes: impl Into<Vec<u8>>) {
        self.will(bytes, Then::Repeat);
    }

    fn will(&self, bytes: impl Into<Vec<u8>>, then: Then) {
        let bytes = bytes.into();
        *self.state.usual.lock().expect("not poisoned") = Answer { bytes, then };
    }

    /// Reads requests, and does not answer before it is released.
    pub(crate) fn stalls(&self) {
        self.state.held.send_replace(true);
    }

    pub(crate) fn goes_on(&self) {
        self.state.held.send_replace(false);
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.borrow().clone()
    }

    pub(crate) fn times(&self) -> usize {
        self.state.asked.borrow().len()
    }

    /// Waits until it was asked so often.
    pub(crate) async fn was_asked(&self, times: usize) {
        let mut asked = self.state.asked.subscribe();
        let enough = asked.wait_for(|asked| asked.len() >= times);
        let enough = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        assert!(enough, "it was not asked {times} times");
    }

    /// Waits until so many connections were closed by the other side, before they were answered.
    pub(crate) async fn was_left(&self, times: usize) {
        let mut left = self.state.left.subscribe();
        let enough = left.wait_for(|left| *left >= times);
        let enough = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        assert!(enough, "it was not left {times} times");
    }
}

fn whole(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    (head + body).into_bytes()
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let Some(asked) = read(&mut stream).await else {
        return;
    };
    let next = state.next.lock().expect("not poisoned").pop_front();
    let answer = next.unwrap_or_else(|| state.usual.lock().expect("not poisoned").clone());
    state.asked.send_modify(|all| all.push(asked));
    let mut held = state.held.subscribe();
    let mut byte = [0];
    tokio::select! {
        _ = held.wait_for(|held| !held) => {}
        _ = stream.read(&mut byte) => {
            state.left.send_modify(|left| *left += 1);
            return;
        }
    }
    // Whoever asked may have left.
    let mut open = stream.write_all(&answer.bytes).await.is_ok();
    match answer.then {
        Then::Close => return,
        Then::Wait => drop(stream.read(&mut byte).await),
        Then::Repeat => {
            while open {
                open = stream.write_all(&answer.bytes).await.is_ok();
            }
        }
    }
    state.left.send_modify(|left| *left += 1);
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let (line, head) = head.split_once("\r\n").expect("a request line");
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |text| text.parse().expect("a length"));
    while bytes.len() < head_end + length {
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&part[..read]),
        }
    }
    Some(Asked {
        line: line.trim_end_matches(" HTTP/1.1").to_owned(),
        head,
        body: String::from_utf8_lossy(&bytes[head_end..]).into_owned(),
    })
}
