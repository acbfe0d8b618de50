//! Which revision a message speaks, and whether its headers agree with it.
//!
//! Two eras share one endpoint. A *modern* message (2026-07-28) describes itself in `_meta`; a
//! *legacy* one relies on an `initialize` handshake, of which we keep no state: the revision comes
//! from the header on HTTP, and makes no difference on stdio. Headers mirror the body for
//! intermediaries (2026-07-28, streamable-http, "Request Metadata"); they are compared with it and
//! never trusted before.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::envelope::{Declared, Envelope, Shape, Text};
use crate::error::ProtocolError;

/// The revision whose messages describe themselves.
pub(crate) const MODERN: &str = "2026-07-28";
/// Revisions with an `initialize` handshake, newest first.
pub(crate) const LEGACY: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];
/// What a missing header means (2025-11-25, transports, "Protocol Version Header").
const LEGACY_WITHOUT_HEADER: &str = "2025-03-26";

/// One of the two ways to speak MCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Era {
    /// Self-describing messages, 2026-07-28.
    Modern,
    /// After `initialize`, 2025-11-25 and before.
    Legacy,
}

/// A header that should come at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header<'a> {
    /// Not sent.
    #[default]
    Absent,
    /// Sent once, visible ASCII.
    Is(&'a str),
    /// Sent twice, or with characters that no such header holds.
    Wrong,
}

impl<'h> Header<'h> {
    /// The header of this name.
    fn once(headers: &'h HeaderMap, name: &HeaderName) -> Self {
        let mut header = Self::Absent;
        for value in headers.get_all(name) {
            header.meets(value);
        }
        header
    }

    /// The header came, perhaps again.
    pub(crate) fn meets(&mut self, value: &'h HeaderValue) {
        *self = match (&*self, value.to_str()) {
            (Self::Absent, Ok(text)) => Self::Is(text.trim_ascii()),
            _ => Self::Wrong,
        };
    }
}

/// The headers that mirror the body.
#[derive(Clone, Copy, Debug, Default)]
pub struct McpHeaders<'a> {
    /// `MCP-Protocol-Version`.
    pub protocol_version: Header<'a>,
    /// `Mcp-Method`.
    pub method: Header<'a>,
    /// `Mcp-Name`.
    pub name: Header<'a>,
    /// `Mcp-Session-Id`, of the era that has it.
    pub session: Header<'a>,
    /// All that came, for the `Mcp-Param-…` among them.
    pub all: Option<&'a HeaderMap>,
}

impl McpHeaders<'_> {
    /// One of `Mcp-Param-…`.
    pub(super) fn parameter(&self, name: &HeaderName) -> Header<'_> {
        self.all
            .map_or(Header::Absent, |all| Header::once(all, name))
    }

    /// Whether the headers say so themselves that the message describes itself.
    pub fn are_modern(&self) -> bool {
        self.protocol_version == Header::Is(MODERN)
    }
}

/// Finds the era and checks what belongs to it. The second value is the revision, for the record.
pub(super) fn judge<'e>(
    envelope: &'e Envelope<'_>,
    headers: Option<&McpHeaders<'e>>,
) -> Result<(Era, &'e str), ProtocolError> {
    let meta = &envelope.params.meta;
    let describes_itself = meta.is_wrong
        || meta.protocol_version != Text::Absent
        || meta.client_capabilities != Declared::Absent;
    let method = envelope.method.as_str().unwrap_or_default();
    let header = headers
        .map(|headers| headers.protocol_version)
        .unwrap_or_default();
    if !describes_itself && method != "server/discover" {
        match header {
            Header::Absent if headers.is_some() => return Ok((Era::Legacy, LEGACY_WITHOUT_HEADER)),
            Header::Absent => return Ok((Era::Legacy, LEGACY[0])),
            Header::Is(version) if LEGACY.contains(&version) => return Ok((Era::Legacy, version)),
            // Without `_meta` this is a handshake, whatever the header says.
            Header::Is(MODERN) if method == "initialize" => return Ok((Era::Legacy, LEGACY[0])),
            Header::Is(MODERN) => {}
            Header::Is(version) => return Err(unsupported(version, &LEGACY)),
            Header::Wrong => return Err(ProtocolError::HeaderMismatch(WRONG_VERSION.to_owned())),
        }
    }
    if envelope.id.is_none() || envelope.is_response {
        // Header and metadata rules for notifications are not defined by the revision.
        return Ok((Era::Modern, MODERN));
    }
    let version = check_meta(envelope)?;
    if let Some(headers) = headers {
        check_headers(envelope, version, method, headers)?;
    }
    if version != MODERN {
        return Err(unsupported(version, &[MODERN]));
    }
    Ok((Era::Modern, MODERN))
}

fn unsupported(requested: &str, supported: &'static [&'static str]) -> ProtocolError {
    ProtocolError::UnsupportedVersion {
        requested: requested.to_owned(),
        supported,
    }
}

const WRONG_VERSION: &str = "MCP-Protocol-Version must be sent once, in visible ASCII";

fn check_meta<'e>(envelope: &'e Envelope<'_>) -> Result<&'e str, ProtocolError> {
    let meta = &envelope.params.meta;
    let Text::Is(version) = &meta.protocol_version else {
        return Err(ProtocolError::InvalidMeta(
            "_meta must hold io.modelcontextprotocol/protocolVersion, a string",
        ));
    };
    if !matches!(meta.client_capabilities, Declared::Is(_)) {
        return Err(ProtocolError::InvalidMeta(
            "_meta must hold io.modelcontextprotocol/clientCapabilities, an object",
        ));
    }
    if meta.client_info == Shape::Wrong {
        return Err(ProtocolError::InvalidMeta(
            "_meta holds io.modelcontextprotocol/clientInfo, which is no object",
        ));
    }
    Ok(version)
}

fn check_headers(
    envelope: &Envelope<'_>,
    version: &str,
    method: &str,
    headers: &McpHeaders<'_>,
) -> Result<(), ProtocolError> {
    agree(
        "MCP-Protocol-Version",
        headers.protocol_version,
        version,
        false,
    )?;
    agree("Mcp-Method", headers.method, method, false)?;
    let params = &envelope.params;
    let name = match method {
        "tools/call" | "prompts/get" => &params.name,
        "resources/read" => &params.uri,
        "tasks/get" | "tasks/update" | "tasks/cancel" => &params.task_id,
        _ => return Ok(()),
    };
    match name {
        Text::Is(name) => agree("Mcp-Name", headers.name, name, true),
        // Nothing to compare with: the parameters are at fault, and will be told so.
        Text::Absent | Text::Wrong => Ok(()),
    }
}

pub(super) fn agree(
    name: &str,
    header: Header<'_>,
    body: &str,
    encodable: bool,
) -> Result<(), ProtocolError> {
    let mismatch = |what: &str| Err(ProtocolError::HeaderMismatch(format!("{name} {what}")));
    let value = match header {
        Header::Absent => return mismatch("is missing"),
        Header::Wrong => return mismatch("must be sent once, in visible ASCII"),
        Header::Is(value) => value,
    };
    let value = if encodable {
        decoded(value)
    } else {
        Some(Cow::Borrowed(value))
    };
    match value {
        None => mismatch("is not valid Base64 of UTF-8"),
        Some(value) if value != body => mismatch("differs from the body"),
        Some(_) => Ok(()),
    }
}

/// `=?base64?…?=` around Base64 of UTF-8 (2026-07-28, streamable-http, "Value Encoding").
pub(super) fn decoded(value: &str) -> Option<Cow<'_, str>> {
    let Some(inner) = value
        .strip_prefix("=?base64?")
        .and_then(|rest| rest.strip_suffix("?="))
    else {
        return Some(Cow::Borrowed(value));
    };
    let bytes = STANDARD.decode(inner).ok()?;
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_name_is_decoded_before_it_is_compared() {
        assert_eq!(decoded("plain").as_deref(), Some("plain"));
        assert_eq!(
            decoded("=?base64?SGVsbG8sIOS4lueVjA==?=").as_deref(),
            Some("Hello, 世界")
        );
        assert_eq!(
            decoded("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=").as_deref(),
            Some("=?base64?literal?=")
        );
        assert_eq!(decoded("=?base64?%%%?="), None);
        assert_eq!(decoded("=?base64?/w==?="), None);
        assert_eq!(
            decoded("=?BASE64?SGVsbG8=?=").as_deref(),
            Some("=?BASE64?SGVsbG8=?=")
        );
    }
}
