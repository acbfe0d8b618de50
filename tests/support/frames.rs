//! HTTP/2 by hand (RFC 9113), for frames that no client library would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tollgate::testing::TestServer;

use crate::tls::Certificate;

/// The longest any frame may take; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// One frame.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A number of four bytes in the payload.
    pub(crate) fn number(&self, at: usize) -> u32 {
        let bytes = self.payload[at..at + 4].try_into();
        u32::from_be_bytes(bytes.expect("four bytes"))
    }

    /// The status of an answer, which stands first in its headers: from the static table, or as text.
    pub(crate) fn status(&self) -> u16 {
        match self.payload[0] {
            0x88 => 200,
            0x8c => 400,
            0x8d => 404,
            _ => {
                let text = self.payload.windows(3).find_map(|three| {
                    let text = std::str::from_utf8(three).ok()?;
                    text.parse().ok()
                });
                text.unwrap_or_else(|| huffman_status(&self.payload))
            }
        }
    }
}

/// Three digits in the code of RFC 7541, appendix B, of which only digits matter here.
fn huffman_status(payload: &[u8]) -> u16 {
    let bits: String = payload[2..]
        .iter()
        .map(|byte| format!("{byte:08b}"))
        .collect();
    let digits = [
        "00000", "00001", "00010", "011001", "011010", "011011", "011100", "011101", "011110",
        "011111",
    ];
    let (mut rest, mut status) = (bits.as_str(), 0);
    for _ in 0..3 {
        let digit = digits
            .iter()
            .position(|code| rest.starts_with(code))
            .expect("a digit");
        rest = &rest[digits[digit].len()..];
        status = status * 10 + u16::try_from(digit).expect("a digit");
    }
    status
}

/// A header block without compression: literals that are not indexed (RFC 7541 §6.2.2).
pub(crate) fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(0);
        for text in [name, value] {
            length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541 §5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(length as u8);
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128 + 128) as u8);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// One connection.
pub(crate) struct Frames {
    stream: TlsStream<TcpStream>,
    unread: Vec<u8>,
}

impl Frames {
    /// After the preface and an exchange of settings, ours being `settings`.
    pub(crate) async fn connect(
        server: &TestServer,
        certificate: &Certificate,
        settings: &[u8],
    ) -> Self {
        let stream = certificate.connect(server, &["h2"]).await;
        let mut frames = Self {
            stream,
            unread: Vec::new(),
        };
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        frames.stream.write_all(preface).await.expect("it reads");
        frames.send(SETTINGS, 0, 0, settings).await;
        frames
    }

    /// Sends a frame; `false` when the server has hung up.
    pub(crate) async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.send_all(&frame(kind, flags, stream, payload)).await
    }

    /// Sends bytes; `false` when the server has hung up.
    pub(crate) async fn send_all(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok() && self.stream.flush().await.is_ok()
    }

    /// The next frame; `None` when the server closed the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take() {
                if frame.kind == PING && frame.flags & ACK == 0 {
                    self.send(PING, ACK, 0, &frame.payload).await;
                }
                return Some(frame);
            }
            let mut part = [0; 8192];
            let read = timeout(PATIENCE, self.stream.read(&mut part)).await;
            // A reset is one way to close.
            match read.expect("a frame in time").unwrap_or(0) {
                0 => return None,
                count => self.unread.extend_from_slice(&part[..count]),
            }
        }
    }

    /// The next frame of a kind; `None` when the connection is closed before.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Option<Frame> {
        loop {
            let frame = self.next().await?;
            if frame.kind == kind && !(kind == SETTINGS && frame.flags & ACK != 0) {
                return Some(frame);
            }
        }
    }

    /// Waits until the server closes; the codes of the GOAWAY frames before.
    pub(crate) async fn closed(&mut self) -> Vec<u32> {
        let closing = async {
            let mut codes = Vec::new();
            while let Some(frame) = self.next().await {
                if frame.kind == GOAWAY {
                    codes.push(frame.number(4));
                }
            }
            codes
        };
        timeout(PATIENCE, closing).await.expect("closed in time")
    }

    fn take(&mut self) -> Option<Frame> {
        let head = self.unread.get(..9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let (kind, flags) = (head[3], head[4]);
        let payload = self.unread.get(9..9 + length)?.to_vec();
        self.unread.drain(..9 + length);
        Some(Frame {
            kind,
            flags,
            stream,
            payload,
        })
    }
}

/// A frame's bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}
