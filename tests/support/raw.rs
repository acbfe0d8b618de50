//! HTTP/1 by hand, for requests that no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tollgate::testing::TestServer;

/// The longest any answer may take; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection.
pub(crate) struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl RawAnswer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// `127.0.0.1:PORT`, which is the server's own name.
pub(crate) fn authority(server: &TestServer) -> &str {
    server.url().trim_start_matches("http://")
}

/// A request with a length and no other header than `headers`.
pub(crate) fn request(line: &str, headers: &[&str], body: &str) -> String {
    let headers: String = headers
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    let length = body.len();
    format!("{line} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n{body}")
}

impl Raw {
    pub(crate) async fn connect(server: &TestServer) -> Self {
        let stream = TcpStream::connect(authority(server)).await;
        Self {
            stream: stream.expect("a connection"),
            unread: Vec::new(),
        }
    }

    /// Sends bytes; a server that has hung up already is noticed by [`answer`](Self::answer).
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        self
    }

    /// The next answer; `None` when the server closed the connection instead.
    pub(crate) async fn answer(&mut self) -> Option<RawAnswer> {
        let (mut answer, length) = loop {
            if let Some(head) = self.head() {
                break head;
            }
            self.read().await?;
        };
        while self.unread.len() < length {
            self.read().await?;
        }
        let rest = self.unread.split_off(length);
        let body = std::mem::replace(&mut self.unread, rest);
        answer.body = String::from_utf8(body).expect("an answer in UTF-8");
        Some(answer)
    }

    /// Whether the server closes the connection without another word.
    pub(crate) async fn is_closed(&mut self) -> bool {
        while self.read().await.is_some() {}
        self.unread.is_empty()
    }

    async fn read(&mut self) -> Option<()> {
        let mut part = [0; 8192];
        let read = timeout(PATIENCE, self.stream.read(&mut part)).await;
        // A reset is one way to close.
        let count = read.expect("an answer in time").unwrap_or(0);
        self.unread.extend_from_slice(&part[..count]);
        (count > 0).then_some(())
    }

    /// Takes the next head and says how long its body is.
    fn head(&mut self) -> Option<(RawAnswer, usize)> {
        let end = self
            .unread
            .windows(4)
            .position(|four| four == b"\r\n\r\n")?;
        let rest = self.unread.split_off(end + 4);
        let head = String::from_utf8(std::mem::replace(&mut self.unread, rest));
        let head = head.expect("a head in ASCII");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1));
        let status = status.and_then(|status| status.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let answer = RawAnswer {
            status: status.expect("a status"),
            headers,
            body: String::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |length| length.parse().expect("a length"));
        Some((answer, length))
    }
}
