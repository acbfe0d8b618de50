//! What a response says: all of it at once, or bit by bit for as long as it takes.
//!
//! Nearly every answer is whole, and then this is a buffer and no more. A stream is whatever yields
//! bytes; it is taken only as fast as the client reads, and dropped when the client leaves.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::Stream;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};

/// A response's body.
pub(super) enum Outgoing {
    /// Known when the response begins.
    Whole(Full<Bytes>),
    /// Not yet known; each item is sent at once.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

impl Outgoing {
    /// A stream.
    pub(super) fn stream(parts: impl Stream<Item = Bytes> + Send + 'static) -> Self {
        Self::Stream(Box::pin(parts))
    }

    /// Whether it goes on.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream(_))
    }
}

impl From<Bytes> for Outgoing {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(body) => Pin::new(body).poll_frame(cx),
            Self::Stream(parts) => {
                let next = parts.as_mut().poll_next(cx);
                next.map(|part| part.map(|part| Ok(Frame::data(part))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Stream(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Stream(_) => SizeHint::default(),
        }
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_stream() { "Stream" } else { "Whole" })
    }
}
