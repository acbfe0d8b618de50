//! What the status of an answer means for the call, for the source, and for another try.
//!
//! The one table of statuses outside of `error`: these are the other side's and not ours. A reader
//! would ask why the status goes to the log alone: which one an internal system gave is nothing that
//! a caller needs to know, and 401 of theirs is none of ours.

use std::time::Duration;

use ::http::header::RETRY_AFTER;
use ::http::{HeaderMap, Method, StatusCode};

use crate::source::breaker::Health;
use crate::source::resilience::Failure;
use crate::source::retries::LONGEST_WAIT;
use crate::tool::ToolError;

/// Whether there is an answer to read.
pub(super) fn check(
    status: StatusCode,
    headers: &HeaderMap,
    method: &Method,
) -> Result<(), Failure> {
    let missing = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
    if status.is_success() {
        return Ok(());
    }
    if missing && method != Method::POST {
        return Err(Failure {
            error: ToolError::not_found("not found"),
            health: Health::Good,
            again: None,
        });
    }
    let is_busy = status == StatusCode::TOO_MANY_REQUESTS;
    let (what, health) = if status.is_redirection() {
        ("a redirect, which is not followed", Health::Good)
    } else if status.is_server_error() || is_busy {
        ("a failure", Health::Bad)
    } else {
        ("a refusal", Health::Good)
    };
    Err(Failure {
        error: ToolError::Failed(format!("the answer was {what}: status {}", status.as_u16())),
        health,
        again: again(status, headers),
    })
}

/// After how long at the earliest another try may go better.
fn again(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    // A date would need the wall clock of the other side; it counts as too long.
    let header = headers.get(RETRY_AFTER);
    let seconds = |text: &str| text.parse().map(Duration::from_secs).ok();
    let wait = header.map(|value| value.to_str().ok().and_then(seconds));
    let wait = match (status, wait) {
        (
            StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT,
            None,
        ) => Some(Duration::ZERO),
        (
            StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS,
            Some(wait),
        ) => wait,
        _ => None,
    };
    wait.filter(|wait| *wait <= LONGEST_WAIT)
}
