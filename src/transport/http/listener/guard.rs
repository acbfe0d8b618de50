//! Stands between an HTTP/1 connection and hyper, and lets nothing ambiguous through.
//!
//! What [`Framing`] refuses never reaches hyper. In a head, hyper gets a byte instead that no head
//! may hold, so that it is hyper which answers 400, in its turn after the requests before, and
//! closes. In a body the read fails, and the body's reader answers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::framing::Framing;

/// Wherever it stands in a head, hyper refuses NUL. It looks once the head seems to end.
const POISON: &[u8] = b"\0\r\n\r\n";

/// A stream that only shows good framing.
pub(super) struct Guarded<S> {
    stream: S,
    framing: Framing,
    broken: Option<Broken>,
}

enum Broken {
    /// What is left of the poison; then the stream seems to end.
    Head(&'static [u8]),
    Body,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            framing: Framing::new(),
            broken: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.broken.is_none() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            let Err(violation) = this.framing.scan(&buf.filled()[before..]) else {
                return Poll::Ready(Ok(()));
            };
            buf.set_filled(before + violation.keep);
            this.broken = Some(if violation.in_head {
                Broken::Head(POISON)
            } else {
                Broken::Body
            });
            if violation.keep > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        match &mut this.broken {
            Some(Broken::Head(poison)) => {
                let (now, later) = poison.split_at(poison.len().min(buf.remaining()));
                buf.put_slice(now);
                *poison = later;
                Poll::Ready(Ok(()))
            }
            _ => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
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
