//! Reading a request body: all of it, never more than allowed, never for ever.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

use super::received::Received;
use crate::clock::{deadline_in, in_time};
use crate::error::EdgeError;

/// Reads the body.
///
/// # Errors
/// Longer than `max_bytes` (known at once when the length is declared), slower than `patience`, or
/// broken off.
pub(super) async fn read(
    body: &mut Received,
    max_bytes: usize,
    patience: Duration,
) -> Result<Bytes, EdgeError> {
    let declared = body.size_hint().lower();
    if usize::try_from(declared).map_or(true, |declared| declared > max_bytes) {
        return Err(EdgeError::BodyTooLarge);
    }
    let collected = pin!(collect(body, max_bytes));
    let read = in_time(|| deadline_in(patience), collected).await;
    read.unwrap_or(Err(EdgeError::BodyTimeout))
}

/// Tells a client that left from one that framed its body badly.
fn broken(error: &hyper::Error) -> EdgeError {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    match cause.map(io::Error::kind) {
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => EdgeError::BodyCutShort,
        _ => EdgeError::BodyBroken,
    }
}

/// A body in one piece, as nearly all are, is handed on without a copy.
async fn collect(body: &mut Received, max_bytes: usize) -> Result<Bytes, EdgeError> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken(&error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if first.len() + all.len() + data.len() > max_bytes {
            return Err(EdgeError::BodyTooLarge);
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}
