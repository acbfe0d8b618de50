//! HTTP/2 frames that ask for nothing are counted, and too many end the connection.
//!
//! h2 bounds what floods of them cost in memory, and what resets and CONTINUATION cost at all; but
//! it answers PING and SETTINGS, and reads over unknown frames, for as long as they come
//! (CVE-2019-9512, -9513, -9515, -9518). So the heads of frames are read on their way to h2: each
//! counts but DATA with bytes or an end in it, until a request begins.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// "PRI * HTTP/2.0", before the first frame (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;
/// Length, type, flags, stream (RFC 9113 §4.1).
const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const END_STREAM: u8 = 1;

/// A stream of frames on which requests come.
pub(super) struct Frames<S> {
    stream: S,
    activity: Arc<Activity>,
    heads: Heads,
}

/// Where frames begin.
struct Heads {
    head: [u8; HEAD_BYTES],
    known: usize,
    skip: usize,
}

impl<S> Frames<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self {
            stream,
            activity,
            heads: Heads {
                head: [0; HEAD_BYTES],
                known: 0,
                skip: PREFACE_BYTES,
            },
        }
    }
}

impl Heads {
    /// How many frames begin in `bytes` that ask for nothing.
    fn idle_in(&mut self, mut bytes: &[u8]) -> u32 {
        let mut idle = 0;
        loop {
            let skipped = self.skip.min(bytes.len());
            self.skip -= skipped;
            let part = (HEAD_BYTES - self.known).min(bytes.len() - skipped);
            let (part, rest) = bytes[skipped..].split_at(part);
            self.head[self.known..self.known + part.len()].copy_from_slice(part);
            self.known += part.len();
            bytes = rest;
            if self.known < HEAD_BYTES {
                return idle;
            }
            let [high, middle, low, kind, flags, ..] = self.head;
            self.skip = u32::from_be_bytes([0, high, middle, low]) as usize;
            self.known = 0;
            let is_of_use = kind == DATA && (self.skip > 0 || flags & END_STREAM != 0);
            idle += u32::from(!is_of_use);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Frames<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let idle = this.heads.idle_in(&buf.filled()[before..]);
        Poll::Ready(if this.activity.allows(idle) {
            Ok(())
        } else {
            Err(io::ErrorKind::InvalidData.into())
        })
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Frames<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_however_they_are_cut_up() {
        let frames: [(&[u8], u32); 5] = [
            (&[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], 1),
            (&[0, 0, 0, 0, 0, 0, 0, 0, 1], 1),
            (&[0, 0, 0, 0, 1, 0, 0, 0, 1], 0),
            (&[0, 0, 1, 0, 0, 0, 0, 0, 1, 6], 0),
            (&[0, 0, 0, 4, 0, 0, 0, 0, 0], 1),
        ];
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frames.iter().flat_map(|(frame, _)| *frame));
        let expected: u32 = frames.iter().map(|(_, idle)| idle).sum();
        for size in 1..=bytes.len() {
            let mut heads = Heads {
                head: [0; HEAD_BYTES],
                known: 0,
                skip: PREFACE_BYTES,
            };
            let idle: u32 = bytes.chunks(size).map(|part| heads.idle_in(part)).sum();
            assert_eq!(idle, expected, "in pieces of {size}");
        }
    }
}
