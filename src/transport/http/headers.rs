//! Reading request headers: the credential, the media types, what MCP mirrors.

use http::Request;
use http::Version;
use http::header::{self, HeaderMap, HeaderName};

use crate::auth::Credentials;
use crate::mcp::McpHeaders;
use crate::pipeline::Call;
use crate::trace::Remote;

/// The bearer token (RFC 6750 §2.1), if there is exactly one.
pub(super) fn credentials(headers: &HeaderMap) -> Credentials<'_> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (first, second) = (all.next(), all.next());
    let Some(value) = first else {
        return Credentials::Missing;
    };
    if second.is_some() {
        return Credentials::Malformed;
    }
    let token = value
        .as_bytes()
        .split_at_checked(BEARER.len())
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(BEARER))
        .map(|(_, token)| trim_spaces(token))
        .filter(|token| is_token(token))
        .and_then(|token| std::str::from_utf8(token).ok());
    token.map_or(Credentials::Malformed, Credentials::Bearer)
}

/// The scheme and what ends it.
const BEARER: &[u8] = b"Bearer ";

fn trim_spaces(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`. Tokens are long, and
/// each request brings one: no early end, so that the compiler takes many bytes at once.
fn is_token(text: &[u8]) -> bool {
    let allowed = text.iter().fold(true, |allowed, &byte| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        // `/` stands before the digits.
        let digit = byte.wrapping_sub(b'/') < 11;
        let other = (byte == b'-') | (byte == b'.') | (byte == b'_');
        let rare = (byte == b'~') | (byte == b'+') | (byte == b'=');
        allowed & (letter | digit | other | rare)
    });
    allowed && !text.is_empty()
}

/// Whether the body is declared as JSON, once.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(header::CONTENT_TYPE).iter();
    let (first, second) = (all.next(), all.next());
    second.is_none()
        && first
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| essence(value).eq_ignore_ascii_case("application/json"))
}

/// What the client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepted {
    /// JSON and no events.
    Json,
    Both,
    EventStreamOnly,
    Neither,
}

impl Accepted {
    /// Whether an answer can come bit by bit.
    pub(super) fn reads_events(self) -> bool {
        matches!(self, Self::Both | Self::EventStreamOnly)
    }

    /// Whether a plain answer can be read.
    pub(super) fn reads_json(self) -> bool {
        matches!(self, Self::Json | Self::Both)
    }
}

/// Reads `Accept` (RFC 9110 §12.5.1). Nothing said means anything goes.
pub(super) fn accepted(headers: &HeaderMap) -> Accepted {
    let (mut said, mut json, mut stream) = (false, false, false);
    for value in headers.get_all(header::ACCEPT) {
        said = true;
        // As bytes: the ranges are short, and searching a text for a character is made for long ones.
        let ranges = value.to_str().unwrap_or_default().as_bytes();
        for range in ranges.split(|byte| *byte == b',') {
            let mut parts = range.split(|byte| *byte == b';');
            let essence = parts.next().unwrap_or_default().trim_ascii();
            if parts.any(is_refusal) {
                continue;
            }
            let is = |name: &[u8]| essence.eq_ignore_ascii_case(name);
            let any = is(b"*/*");
            json |= any || is(b"application/json") || is(b"application/*");
            stream |= any || is(b"text/event-stream") || is(b"text/*");
        }
    }
    match (json || !said, stream || !said) {
        (true, true) => Accepted::Both,
        (true, false) => Accepted::Json,
        (false, true) => Accepted::EventStreamOnly,
        (false, false) => Accepted::Neither,
    }
}

/// `q=0` says "not this".
fn is_refusal(parameter: &[u8]) -> bool {
    let parameter = parameter.trim_ascii();
    let weight = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="));
    let weight = weight.and_then(|weight| std::str::from_utf8(weight.trim_ascii()).ok());
    weight.is_some_and(|weight| weight.parse::<f32>() == Ok(0.0))
}

/// A media type without its parameters.
fn essence(value: &str) -> &str {
    value.split(';').next().unwrap_or_default().trim_ascii()
}

/// The headers that mirror an MCP message. Read in one pass: looking up four names takes longer than
/// looking at the few headers that there are.
pub(super) fn mcp_headers(headers: &HeaderMap) -> McpHeaders<'_> {
    let mut mcp = McpHeaders {
        all: Some(headers),
        ..McpHeaders::default()
    };
    for (name, value) in headers {
        match name.as_str() {
            "mcp-protocol-version" => mcp.protocol_version.meets(value),
            "mcp-method" => mcp.method.meets(value),
            "mcp-name" => mcp.name.meets(value),
            "mcp-session-id" => mcp.session.meets(value),
            _ => {}
        }
    }
    mcp
}

/// What a caller confirms its call with, if it came once.
pub(super) fn confirmation(headers: &HeaderMap) -> Option<&str> {
    text(headers, &CONFIRMATION)
}

static CONFIRMATION: HeaderName = HeaderName::from_static("tollgate-confirmation");
pub(super) static MCP_SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Tells the record how the request came: the version of HTTP, and whose trace it belongs to (W3C
/// Trace Context §3). That is the call's own trace on REST, and in MCP where the message names none.
pub(super) fn note_origin<B>(call: &mut Call, request: &Request<B>) {
    if !call.record.is_traced() {
        return;
    }
    let version = match request.version() {
        Version::HTTP_2 => Some("2"),
        Version::HTTP_11 => Some("1.1"),
        Version::HTTP_10 => Some("1.0"),
        _ => None,
    };
    let parent = text(request.headers(), &TRACEPARENT);
    let span = parent.and_then(|parent| {
        let state = list(request.headers(), &TRACESTATE);
        Remote::parse(parent, state.as_deref())
    });
    call.record.came_over(version, span);
}

/// A header that is a list: all of its lines as one (RFC 9110 §5.3).
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().ok());
    let lines: Option<Vec<&str>> = lines.collect();
    lines
        .filter(|lines| !lines.is_empty())
        .map(|lines| lines.join(","))
}

/// One text header, if it came once.
fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn map(name: &'static str, values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn exactly_one_bearer_token_is_a_credential() {
        for good in ["Bearer a.b-c_d", "bearer  abc=", "BEARER x"] {
            assert!(
                matches!(
                    credentials(&map("authorization", &[good])),
                    Credentials::Bearer(_)
                ),
                "{good}"
            );
        }
        for bad in [
            &["Basic abc"][..],
            &["Bearer"],
            &["Bearer "],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Bearer a", "Bearer a"],
            &["Bearer a\tb"],
        ] {
            assert!(
                matches!(
                    credentials(&map("authorization", bad)),
                    Credentials::Malformed
                ),
                "{bad:?}"
            );
        }
        assert!(matches!(
            credentials(&HeaderMap::new()),
            Credentials::Missing
        ));
    }

    #[test]
    fn accept_is_read_as_ranges_with_weights() {
        for (value, expected) in [
            ("application/json, text/event-stream", Accepted::Both),
            ("application/json", Accepted::Json),
            ("*/*", Accepted::Both),
            ("text/html, application/*;q=0.1", Accepted::Json),
            ("text/event-stream", Accepted::EventStreamOnly),
            (
                "application/json;q=0, text/event-stream",
                Accepted::EventStreamOnly,
            ),
            ("text/html", Accepted::Neither),
            ("application/json;q=0.0", Accepted::Neither),
            ("", Accepted::Neither),
        ] {
            assert_eq!(accepted(&map("accept", &[value])), expected, "{value}");
        }
        assert_eq!(accepted(&HeaderMap::new()), Accepted::Both);
    }

    #[test]
    fn a_body_is_json_when_it_says_so_once() {
        assert!(is_json(&map(
            "content-type",
            &["Application/JSON; charset=utf-8"]
        )));
        for bad in [
            &["text/json"][..],
            &["application/json", "application/json"],
            &["application/jsonp"],
            &[],
        ] {
            assert!(!is_json(&map("content-type", bad)), "{bad:?}");
        }
    }
}
