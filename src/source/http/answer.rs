//! Reading an answer: bounded while it arrives, then parsed as a whole.
//!
//! A reader would ask why the announced length is not enough: it may be missing, or a lie.

use std::time::Duration;

use ::http::header::CONTENT_ENCODING;
use reqwest::Response;
use serde_json::Value;

use crate::json::Strict;
use crate::network::address::was_refused;
use crate::network::certificate::is_untrusted;
use crate::source::breaker::Health;
use crate::source::resilience::Failure;
use crate::tool::ToolError;

/// Room that is made before anything has come.
const FIRST_BYTES: usize = 64 * 1024;

/// How an answer is read.
#[derive(Clone, Copy)]
pub(super) struct Reading {
    /// As text, and not as JSON.
    pub(super) text: bool,
    pub(super) max_bytes: usize,
}

/// The answer's value; `null` where there is no body.
pub(super) async fn read(mut response: Response, reading: Reading) -> Result<Value, Failure> {
    // None was asked for, and unpacking what was not asked for is how bombs go off.
    let coding = response.headers().get(CONTENT_ENCODING);
    if coding.is_some_and(|coding| coding != "identity") {
        return Err(nonsense(
            "the answer is compressed, which was not asked for",
        ));
    }
    let fits = |bytes: usize| bytes <= reading.max_bytes;
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if response.content_length().is_some() && !fits(announced) {
        return Err(too_large(reading));
    }
    let mut bytes = Vec::with_capacity(announced.min(FIRST_BYTES));
    while let Some(part) = response.chunk().await.map_err(|error| unanswered(&error))? {
        if !fits(bytes.len() + part.len()) {
            return Err(too_large(reading));
        }
        bytes.extend_from_slice(&part);
    }
    if bytes.is_empty() && !reading.text {
        return Ok(Value::Null);
    }
    if reading.text {
        let text = String::from_utf8(bytes).map_err(|_| nonsense("the answer is no UTF-8 text"))?;
        return Ok(Value::String(text));
    }
    let Strict(value) = serde_json::from_slice(&bytes)
        .map_err(|_| nonsense("the answer is no JSON, or holds a key twice in one object"))?;
    Ok(value)
}

/// There was no answer, or it broke off. The kind of failure, without the library's words.
pub(super) fn unanswered(error: &reqwest::Error) -> Failure {
    let (cause, again) = if was_refused(error) {
        let cause = "the host has an address that is not public, and not in `allowPrivate`";
        (cause, None)
    } else if error.is_body() || error.is_decode() {
        ("the answer broke off", None)
    } else if error.is_connect() {
        let cause = match is_untrusted(error) {
            true => "no connection: the host's certificate is not trusted",
            false => "no connection: the host cannot be reached, or its name not be found",
        };
        (cause, Some(Duration::ZERO))
    } else {
        let cause = "the connection broke, or what came on it is no HTTP";
        (cause, Some(Duration::ZERO))
    };
    Failure {
        error: ToolError::Failed(cause.to_owned()),
        health: Health::Bad,
        again,
    }
}

/// An argument may have caused it, so it says nothing about the source.
fn nonsense(cause: &str) -> Failure {
    Failure {
        error: ToolError::Failed(cause.to_owned()),
        health: Health::Unknown,
        again: None,
    }
}

fn too_large(reading: Reading) -> Failure {
    let bytes = reading.max_bytes;
    Failure {
        error: ToolError::refused(format!(
            "the result has more than {bytes} bytes; ask for less"
        )),
        health: Health::Good,
        again: None,
    }
}
