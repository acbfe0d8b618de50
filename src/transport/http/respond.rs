//! Writing responses: bodies, problem documents, challenges, rate-limit headers.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::headers::MCP_SESSION_ID;
use super::metadata;
use super::outgoing::Outgoing;
use super::rate_limit::{QuotaPolicies, seconds_up};
use crate::error::{CallError, EdgeError, Row, millis_up};
use crate::record::CallRecord;
use crate::tool::Catalog;

static CALL_ID: HeaderName = HeaderName::from_static("tollgate-call-id");
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What pages of an allowed origin may read besides the body.
const EXPOSED: &str =
    "Tollgate-Call-Id, Mcp-Session-Id, WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy";
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Tollgate-Confirmation, traceparent, tracestate";

/// A response in the making.
pub(super) struct Reply(Response<Outgoing>);

impl Reply {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Outgoing>) -> Self {
        Self::over(HeaderMap::with_capacity(8), status, content_type, body)
    }

    /// Takes the room of headers that nobody needs any more, those of the request: a map is two
    /// allocations.
    pub(super) fn over(
        mut headers: HeaderMap,
        status: u16,
        content_type: &'static str,
        body: impl Into<Outgoing>,
    ) -> Self {
        headers.clear();
        let mut response = Response::new(body.into());
        // Every status comes from the table in `error`, whose test holds it to the registry's range.
        if let Ok(status) = StatusCode::from_u16(status) {
            *response.status_mut() = status;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        *response.headers_mut() = headers;
        Self(response)
    }

    pub(super) fn json(status: u16, body: Bytes) -> Self {
        Self::new(status, "application/json", body)
    }

    pub(super) fn ok(body: Bytes) -> Self {
        Self::json(200, body)
    }

    /// Nothing to say.
    pub(super) fn empty(status: u16) -> Self {
        let mut reply = Self::json(status, Bytes::new());
        reply.0.headers_mut().remove(header::CONTENT_TYPE);
        reply
    }

    /// Events, which proxies are asked to hand on as they come.
    pub(super) fn events(body: impl Into<Outgoing>) -> Self {
        // For nginx and the like, which would hold the stream back until it ends.
        Self::new(200, "text/event-stream", body).header(&X_ACCEL_BUFFERING, "no")
    }

    fn header(mut self, name: &HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name.clone(), value);
        }
        self
    }

    pub(super) fn call_id(self, id: Uuid) -> Self {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text: &str = id.hyphenated().encode_lower(&mut text);
        self.header(&CALL_ID, text)
    }

    /// `Allow`, where the method was at fault (RFC 9110 §15.5.6).
    pub(super) fn allow(self, error: EdgeError) -> Self {
        match error {
            EdgeError::MethodNotAllowed(allow) => self.header(&header::ALLOW, allow),
            _ => self,
        }
    }

    /// What the call's buckets look like.
    pub(super) fn quota(mut self, record: &CallRecord, policies: &QuotaPolicies) -> Self {
        if let Some((policy, limit)) = policies.headers(record.quota()) {
            let headers = self.0.headers_mut();
            headers.insert(RATE_LIMIT_POLICY.clone(), policy);
            headers.insert(RATE_LIMIT.clone(), limit);
        }
        self
    }

    /// The id of the session that begins with it.
    pub(super) fn session(self, id: Option<&str>) -> Self {
        match id {
            Some(id) => self.header(&MCP_SESSION_ID, id),
            None => self,
        }
    }

    /// Headers that tell what the error means for the next request.
    pub(super) fn advice(self, error: &CallError, challenge: &Challenge) -> Self {
        let reply = match error.retry_after() {
            Some(wait) => self.header(&header::RETRY_AFTER, &seconds_up(wait).to_string()),
            None => self,
        };
        match challenge.value(error) {
            Some(value) => reply.header(&header::WWW_AUTHENTICATE, &value),
            None => reply,
        }
    }

    pub(super) fn build(self) -> Response<Outgoing> {
        self.0
    }
}

/// A problem document (RFC 9457).
pub(super) fn problem(row: Row, status: u16, detail: &str, call_id: Uuid) -> Reply {
    problem_with(row, status, detail, Help::default(), call_id)
}

/// One that tells what helps: when to try again, how to confirm.
pub(super) fn problem_of(error: &CallError, call_id: Uuid) -> Reply {
    let row = error.row();
    let mut help = Help {
        retry_after_ms: error.retry_after().map(millis_up),
        ..Help::default()
    };
    if let CallError::Unconfirmed(call) = error {
        help.question = Some(&call.question);
        help.confirmation = Some(&call.confirmation);
    }
    problem_with(row, row.rest_status, &error.detail(), help, call_id)
}

/// What a problem document says beyond what is wrong.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Help<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    question: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmation: Option<&'a str>,
}

fn problem_with(row: Row, status: u16, detail: &str, help: Help<'_>, call_id: Uuid) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Problem<'a> {
        r#type: &'a str,
        title: &'a str,
        status: u16,
        detail: &'a str,
        call_id: Uuid,
        #[serde(flatten)]
        help: Help<'a>,
    }
    let problem = Problem {
        r#type: &["urn:tollgate:error:", row.kind].concat(),
        title: row.title,
        status,
        detail,
        call_id,
        help,
    };
    // Plain values into memory: this does not fail.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    Reply::new(status, "application/problem+json", Bytes::from(body)).call_id(call_id)
}

/// The parts of `WWW-Authenticate` (RFC 6750 §3, RFC 9728 §5.1) that are known at start.
pub(super) struct Challenge {
    metadata_url: String,
    all_scopes: String,
}

impl Challenge {
    pub(super) fn new(base_url: &str, catalog: &Catalog) -> Self {
        Self {
            metadata_url: metadata::url(base_url),
            all_scopes: catalog.scopes().join(" "),
        }
    }

    /// The challenge for an error that a better token would cure; `None` for any other.
    fn value(&self, error: &CallError) -> Option<String> {
        let (error, scopes) = match error {
            CallError::Unauthenticated(crate::auth::AuthError::Missing) => {
                ("", Cow::from(&self.all_scopes))
            }
            CallError::Unauthenticated(_) => {
                ("error=\"invalid_token\", ", Cow::from(&self.all_scopes))
            }
            CallError::InsufficientScope { required, .. } => (
                "error=\"insufficient_scope\", ",
                Cow::from(required.join(" ")),
            ),
            _ => return None,
        };
        let scope = if scopes.is_empty() {
            String::new()
        } else {
            format!(", scope=\"{scopes}\"")
        };
        Some(format!(
            "Bearer {error}resource_metadata=\"{}\"{scope}",
            self.metadata_url
        ))
    }
}

/// Lets a page of an allowed origin read the response (Fetch standard, "CORS protocol").
pub(super) fn allow_origin(response: &mut Response<Outgoing>, origin: &str) {
    if let Ok(origin) = HeaderValue::from_str(origin) {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
}

/// The answer to a preflight of an allowed origin.
pub(super) fn preflight() -> Response<Outgoing> {
    Reply::empty(204)
        .header(&header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST")
        .header(&header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS)
        .header(&header::ACCESS_CONTROL_MAX_AGE, "600")
        .build()
}
