//! The body of an answer, which knows until when it is in memory.
//!
//! On HTTP/2 the bytes themselves carry the token, since hyper takes them all and keeps them until
//! the window opens. HTTP/1.1 copies what it takes into its one buffer, so it is given a piece at a
//! time and the token stays with the rest: that bounds the copy, too. Small answers on HTTP/1.1,
//! of which a connection has one, are not counted and cost nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

use super::activity::Running;
use super::backlog::{Share, Unread};

/// The most that HTTP/1.1 takes at once, and is not counted.
const PIECE: usize = 16 * 1024;
/// What an answer costs on HTTP/2 besides its bytes: its stream, its task, its head.
const STREAM_BYTES: usize = 2 * 1024;

pub(super) struct Answer {
    body: Full<Bytes>,
    /// What was taken from the body and is not handed on.
    rest: Bytes,
    piece: usize,
    unread: Option<Arc<Unread>>,
}

impl Answer {
    pub(super) fn http1(body: Full<Bytes>, share: &Arc<Share>) -> Self {
        let bytes = length(&body);
        Self {
            body,
            rest: Bytes::new(),
            piece: PIECE,
            unread: (bytes > PIECE).then(|| Arc::new(share.add(bytes))),
        }
    }

    pub(super) fn http2(body: Full<Bytes>, share: &Arc<Share>, running: Running) -> Self {
        let unread = share.add(length(&body) + STREAM_BYTES);
        Self {
            body,
            rest: Bytes::new(),
            piece: usize::MAX,
            unread: Some(running.answered(unread)),
        }
    }
}

fn length(body: &Full<Bytes>) -> usize {
    let exact = body.size_hint().exact().unwrap_or(u64::MAX);
    usize::try_from(exact).unwrap_or(usize::MAX)
}

impl Body for Answer {
    type Data = Tracked;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Tracked>, Infallible>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)?) {
                Some(frame) => self.rest = frame.into_data().unwrap_or_default(),
                None => return Poll::Ready(None),
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
