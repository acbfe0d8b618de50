//! One connection with HTTP/1.1 by hand: a client library would open another one where a server
//! closes the first, and nobody would know.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::binary::PATIENCE;
use crate::secrets::steady;

/// How to get to the server.
#[derive(Clone)]
pub(crate) struct Reach {
    pub(crate) port: u16,
    /// Trusts the certificates of both generations, and takes up no session of before: who does is
    /// shown no certificate.
    pub(crate) config: Arc<ClientConfig>,
    /// How many calls were served.
    pub(crate) served: Arc<AtomicUsize>,
}

impl Reach {
    pub(crate) async fn connect(&self) -> Connection {
        let connecting = async {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await;
            let name = ServerName::try_from("localhost").expect("a name");
            let connector = TlsConnector::from(Arc::clone(&self.config));
            connector.connect(name, stream.expect("a connection")).await
        };
        let stream = timeout(PATIENCE, connecting).await.expect("in time");
        Connection {
            stream: stream.expect("a handshake"),
            unread: Vec::new(),
            reach: self.clone(),
        }
    }
}

pub(crate) struct Connection {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
    reach: Reach,
}

impl Connection {
    /// Calls a tool; the status and the whole body.
    pub(crate) async fn call(
        &mut self,
        tool: &str,
        credential: &str,
        arguments: Value,
    ) -> (u16, Value) {
        self.post(tool, credential, "", &arguments).await
    }

    /// Calls the tool that needs approval; what makes the next such call an approved one.
    pub(crate) async fn asks(&mut self) -> String {
        let (status, body) = self.post("careful", &steady(), "", &json!({})).await;
        assert_eq!(status, 409, "{body}");
        body["confirmation"].as_str().expect("a text").to_owned()
    }

    /// Calls that tool with the approval; the status.
    pub(crate) async fn confirm(&mut self, confirmation: &str) -> u16 {
        let header = format!("tollgate-confirmation: {confirmation}\r\n");
        let answer = self.post("careful", &steady(), &header, &json!({})).await;
        answer.0
    }

    pub(crate) async fn get(&mut self, path: &str) -> (u16, Value) {
        self.send(&format!("GET {path}"), "", "").await
    }

    /// The certificate that the server has shown.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        let shown = self.stream.get_ref().1.peer_certificates();
        shown.expect("a certificate")[0].clone().into_owned()
    }

    async fn post(
        &mut self,
        tool: &str,
        credential: &str,
        headers: &str,
        arguments: &Value,
    ) -> (u16, Value) {
        let headers = format!(
            "{headers}authorization: Bearer {credential}\r\ncontent-type: application/json\r\n"
        );
        let line = format!("POST /mcp/tool/{tool}");
        let answer = self.send(&line, &headers, &arguments.to_string()).await;
        let served = usize::from(answer.0 == 200);
        self.reach.served.fetch_add(served, Ordering::Relaxed);
        answer
    }

    /// One request and its answer; a connection that does not stay open is a failure.
    async fn send(&mut self, line: &str, headers: &str, body: &str) -> (u16, Value) {
        let (port, length) = (self.reach.port, body.len());
        let request = format!(
            "{line} HTTP/1.1\r\nhost: localhost:{port}\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        let exchange = async {
            let written = self.stream.write_all(request.as_bytes()).await;
            written.expect("the connection stays open");
            loop {
                if let Some(answer) = self.take() {
                    return answer;
                }
                let read = self.stream.read_buf(&mut self.unread).await;
                assert_ne!(read.expect("it stays open"), 0, "it stays open");
            }
        };
        let answer = timeout(PATIENCE, exchange).await;
        answer.expect("an answer in time")
    }

    /// The answer, once it is all there.
    fn take(&mut self) -> Option<(u16, Value)> {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Response::new(&mut headers);
        let parsed = head.parse(&self.unread).expect("HTTP");
        let httparse::Status::Complete(start) = parsed else {
            return None;
        };
        let has_length = |header: &&httparse::Header| header.name == "content-length";
        let length = head.headers.iter().find(has_length).expect("a length");
        let length = std::str::from_utf8(length.value).expect("ASCII");
        let end = start + length.parse::<usize>().expect("a number");
        let status = head.code.expect("a status");
        let body = serde_json::from_slice(self.unread.get(start..end)?).expect("JSON");
        self.unread.drain(..end);
        Some((status, body))
    }
}
