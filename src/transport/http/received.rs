//! What a request says: as it comes in over a connection, or all of it at once.
//!
//! The counterpart of [`Outgoing`](super::outgoing::Outgoing): the surface answers requests, wherever their bodies
//! come from.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
#[cfg(feature = "lambda")]
use http_body_util::Full;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// A request's body.
pub(super) enum Received {
    /// Comes in bit by bit.
    Incoming(Incoming),
    /// Was there when the request began.
    #[cfg(feature = "lambda")]
    Whole(Full<Bytes>),
}

impl From<Incoming> for Received {
    fn from(body: Incoming) -> Self {
        Self::Incoming(body)
    }
}

#[cfg(feature = "lambda")]
impl From<Bytes> for Received {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(Full::new(bytes))
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match &mut *self {
            Self::Incoming(body) => Pin::new(body).poll_frame(cx),
            #[cfg(feature = "lambda")]
            Self::Whole(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(body) => body.is_end_stream(),
            #[cfg(feature = "lambda")]
            Self::Whole(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(body) => body.size_hint(),
            #[cfg(feature = "lambda")]
            Self::Whole(body) => body.size_hint(),
        }
    }
}
