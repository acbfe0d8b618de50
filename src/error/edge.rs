//! What the HTTP edge refuses before anything is governed.

use std::borrow::Cow;

use super::{Outcome, Row};

/// Why a request did not get past the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeError {
    /// The `Host` is none of ours (DNS rebinding).
    ForbiddenHost,
    /// The `Origin` is none that is allowed (DNS rebinding, other people's web pages).
    ForbiddenOrigin,
    /// No such path.
    NoRoute,
    /// The path is there, the method is not; holds the methods that are (`Allow`).
    MethodNotAllowed(&'static str),
    /// The client takes neither JSON nor an event stream.
    NotAcceptable,
    /// The body is not declared as JSON.
    UnsupportedMediaType,
    /// More headers than allowed (HTTP/2; on HTTP/1.1 hyper refuses them).
    TooManyHeaders,
    /// The body is longer than allowed.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body was badly framed.
    BodyBroken,
    /// The client left in the middle of the body; nobody reads the answer.
    BodyCutShort,
    /// The body is not one JSON object with each key once.
    BodyNotObject,
    /// The function that the server runs in has no time left (AWS Lambda).
    InvocationTimeout,
    /// A query parameter cannot be used (`/mint-demo-jwt`).
    BadQuery,
}

impl EdgeError {
    /// The table. The JSON-RPC code is for `/mcp`, where even these carry a JSON-RPC error.
    #[rustfmt::skip]
    pub fn row(self) -> Row {
        let row = |kind, title, status, code, outcome| Row {
            kind,
            title,
            rest_status: status,
            mcp_status: status,
            code,
            tool_result: false,
            outcome,
        };
        use Outcome::{Cancelled, Denied, Invalid, TimedOut};
        match self {
            Self::ForbiddenHost => row("forbidden-host", "Forbidden", 403, 40303, Denied),
            Self::ForbiddenOrigin => row("forbidden-origin", "Forbidden", 403, 40304, Denied),
            Self::NoRoute => row("no-route", "Not Found", 404, 40401, Invalid),
            Self::MethodNotAllowed(_) => row("method-not-allowed", "Method Not Allowed", 405, 40501, Invalid),
            Self::NotAcceptable => row("not-acceptable", "Not Acceptable", 406, 40601, Invalid),
            Self::UnsupportedMediaType => row("unsupported-media-type", "Unsupported Media Type", 415, 41501, Invalid),
            Self::TooManyHeaders => row("too-many-headers", "Request Header Fields Too Large", 431, 43101, Invalid),
            Self::BodyTooLarge => row("body-too-large", "Content Too Large", 413, 41301, Invalid),
            Self::BodyTimeout => row("body-timeout", "Request Timeout", 408, 40801, Invalid),
            Self::BodyBroken => row("body-broken", "Bad Request", 400, 40002, Invalid),
            Self::BodyCutShort => row("body-cut-short", "Bad Request", 400, 40005, Cancelled),
            Self::BodyNotObject => row("body-not-object", "Bad Request", 400, 40003, Invalid),
            Self::InvocationTimeout => row("invocation-timeout", "Gateway Timeout", 504, 50403, TimedOut),
            Self::BadQuery => row("bad-query", "Bad Request", 400, 40004, Invalid),
        }
    }

    /// What the caller reads.
    pub fn detail(self) -> Cow<'static, str> {
        match self {
            Self::ForbiddenHost => "The Host header names another server".into(),
            Self::ForbiddenOrigin => "Requests from this Origin are not allowed".into(),
            Self::NoRoute => "There is nothing at this path".into(),
            Self::MethodNotAllowed(allow) => format!("Use {allow}").into(),
            Self::NotAcceptable => "Accept must allow application/json".into(),
            Self::UnsupportedMediaType => "Send Content-Type: application/json".into(),
            Self::TooManyHeaders => "The request has more headers than allowed".into(),
            Self::BodyTooLarge => "The request body is longer than allowed".into(),
            Self::BodyTimeout => "The request body did not arrive in time".into(),
            Self::BodyBroken => "The request body was badly framed".into(),
            Self::BodyCutShort => "The request body broke off".into(),
            Self::BodyNotObject => {
                "The request body must be one JSON object with each key once".into()
            }
            Self::InvocationTimeout => "The server had no time left to answer".into(),
            Self::BadQuery => {
                "Query parameters are sub, tenant and scope (repeatable), each 1 to 256 bytes"
                    .into()
            }
        }
    }
}
