//! Writing responses: bodies, problem documents, challenges, rate-limit headers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use uuid::Uuid;

use super::outgoing::Outgoing;
use crate::error::{CallError, EdgeError, Row};
use crate::record::CallRecord;
use crate::tool::{Catalog, Quota, Target, Terms};

static CALL_ID: HeaderName = HeaderName::from_static("tollgate-call-id");
static X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
static RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
static RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// What pages of an allowed origin may read besides the body.
const EXPOSED: &str =
    "Tollgate-Call-Id, WWW-Authenticate, Retry-After, RateLimit, RateLimit-Policy";
const ALLOWED_HEADERS: &str = "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Method, Mcp-Name, traceparent, tracestate";

/// A response in the making.
pub(super) struct Reply(Response<Outgoing>);

impl Reply {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Outgoing>) -> Self {
        let mut response = Response::new(body.into());
        // Every status comes from the table in `error`, whose test holds it to the registry's range.
        if let Ok(status) = StatusCode::from_u16(status) {
            *response.status_mut() = status;
        }
        let headers = response.headers_mut();
        headers.reserve(8);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
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
        Self::new(200, "text/event-stream", body).unbuffered()
    }

    fn header(mut self, name: &HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name.clone(), value);
        }
        self
    }

    /// For proxies such as nginx, which would hold an event stream back until it ends.
    fn unbuffered(self) -> Self {
        self.header(&X_ACCEL_BUFFERING, "no")
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

    /// What the call's bucket looks like (draft-ietf-httpapi-ratelimit-headers-10).
    pub(super) fn quota(mut self, record: &CallRecord, policies: &QuotaPolicies) -> Self {
        let (Some(state), Some(target)) = (record.quota().first(), record.called()) else {
            return self;
        };
        if let Some(policy) = policies.of(target, state.limit.quota()) {
            self.0
                .headers_mut()
                .insert(RATE_LIMIT_POLICY.clone(), policy.clone());
        }
        let mut limit = String::with_capacity(40);
        // Writing to a `String` cannot fail.
        let _ = write!(
            limit,
            "\"default\";r={};t={}",
            state.remaining,
            seconds_up(state.reset)
        );
        self.header(&RATE_LIMIT, &limit)
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

/// `RateLimit-Policy` of each target's quotas, the common one and those of tenants, written once:
/// `q` calls in any `w` seconds.
pub(super) struct QuotaPolicies(HashMap<u32, Vec<(Quota, HeaderValue)>>);

impl QuotaPolicies {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let policy = |quota: &Quota| {
            let (calls, window) = (
                quota.burst_size(),
                quota.interval().saturating_mul(quota.burst_size()),
            );
            let text = format!("\"default\";q={calls};w={}", seconds_up(window));
            Some((*quota, HeaderValue::from_str(&text).ok()?))
        };
        let of_target = |target: &Arc<Target>| {
            let limits = target.all_terms().flat_map(Terms::limits);
            let quotas = limits.map(|bound| bound.limit().quota());
            (target.index(), quotas.filter_map(policy).collect())
        };
        Self(catalog.targets().iter().map(of_target).collect())
    }

    fn of(&self, target: &Target, quota: &Quota) -> Option<&HeaderValue> {
        let known = self.0.get(&target.index())?;
        let found = known.iter().find(|(known, _)| known == quota);
        found.map(|(_, policy)| policy)
    }
}

/// Whole seconds, rounded up: never too early.
fn seconds_up(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A problem document (RFC 9457).
pub(super) fn problem(row: Row, status: u16, detail: &str, call_id: Uuid) -> Reply {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Problem<'a> {
        r#type: &'a str,
        title: &'a str,
        status: u16,
        detail: &'a str,
        call_id: Uuid,
    }
    let problem = Problem {
        r#type: &["urn:tollgate:error:", row.kind].concat(),
        title: row.title,
        status,
        detail,
        call_id,
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
            metadata_url: format!("{base_url}/.well-known/oauth-protected-resource/mcp"),
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
