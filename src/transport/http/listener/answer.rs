//! The body of an answer, which knows until when it is in memory.
//!
//! On HTTP/2 the bytes themselves carry the token, since hyper takes them all and keeps them until
//! the window opens. HTTP/1.1 copies what it takes into its one buffer, so it is given a piece at a
//! time and the token stays with the rest: that bounds the copy, too. Small answers on HTTP/1.1,
//! of which a connection has one, are not counted and cost nothing.
//!
//! Of a stream each part is counted by itself. On HTTP/2 its token lives until the next part is
//! asked for: hyper does not ask while the window is shut, and that is how a client is found that
//! lets a stream wait. On HTTP/1.1 a write that waits tells.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};

use super::activity::Running;
use super::backlog::{Share, Unread};
use crate::transport::http::outgoing::Outgoing;

/// The most that HTTP/1.1 takes at once, and is not counted.
const PIECE: usize = 16 * 1024;
/// What an answer costs on HTTP/2 besides its bytes: its stream, its task, its head.
const STREAM_BYTES: usize = 2 * 1024;

pub(super) struct Answer {
    body: Outgoing,
    /// What was taken from the body and is not handed on.
    rest: Bytes,
    piece: usize,
    unread: Option<Arc<Unread>>,
    /// What counts further parts, where the body is a stream.
    parts: Option<Parts>,
}

/// Counts the parts of a stream.
enum Parts {
    Http1(Arc<Share>),
    /// On HTTP/2 the request runs as long as the stream.
    Http2(Arc<Share>, Running),
}

impl Answer {
    pub(super) fn http1(body: Outgoing, share: &Arc<Share>) -> Self {
        let bytes = length(&body);
        Self {
            parts: body.is_stream().then(|| Parts::Http1(Arc::clone(share))),
            body,
            rest: Bytes::new(),
            piece: PIECE,
            unread: (bytes > PIECE).then(|| Arc::new(share.add(bytes))),
        }
    }

    pub(super) fn http2(body: Outgoing, share: &Arc<Share>, running: Running) -> Self {
        let unread = share.add(length(&body) + STREAM_BYTES);
        let (unread, parts) = if body.is_stream() {
            let unread = running.waits(unread);
            (unread, Some(Parts::Http2(Arc::clone(share), running)))
        } else {
            (running.answered(unread), None)
        };
        Self {
            body,
            rest: Bytes::new(),
            piece: usize::MAX,
            unread: Some(unread),
            parts,
        }
    }
}

impl Parts {
    fn count(&self, bytes: usize) -> Option<Arc<Unread>> {
        match self {
            Self::Http1(share) => (bytes > PIECE).then(|| Arc::new(share.add(bytes))),
            Self::Http2(share, running) => Some(running.waits(share.add(bytes))),
        }
    }
}

/// The bytes that are there already: all, or none of a stream.
fn length(body: &Outgoing) -> usize {
    usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX)
}

impl Body for Answer {
    type Data = Tracked;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Tracked>, Infallible>>> {
        if self.rest.is_empty() {
            if self.parts.is_some() {
                // The part before is on its way.
                self.unread = None;
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)?) {
                Some(frame) => self.rest = frame.into_data().unwrap_or_default(),
                None => return Poll::Ready(None),
            }
            if let Some(parts) = &self.parts {
                self.unread = parts.count(self.rest.len());
            }
        }
        let end = self.piece.min(self.rest.len());
        let tracked = Tracked {
            bytes: self.rest.split_to(end),
            _unread: self.unread.clone(),
        };
        Poll::Ready(Some(Ok(Frame::data(tracked))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.body.is_stream() {
            return SizeHint::default();
        }
        SizeHint::with_exact((self.rest.len() + length(&self.body)) as u64)
    }
}

/// Bytes that keep their answer's token until they are sent.
pub(super) struct Tracked {
    bytes: Bytes,
    _unread: Option<Arc<Unread>>,
}

impl Buf for Tracked {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
