//! What is wrong with an MCP message itself (protocol revision 2026-07-28, basic/index, "Error
//! Codes"; JSON-RPC 2.0, section 5.1).

use std::borrow::Cow;

use super::{Outcome, Row};

/// Why an MCP message was not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// Not JSON.
    Parse,
    /// JSON, but not one valid request or notification.
    InvalidRequest(&'static str),
    /// `_meta` lacks what every modern request must carry.
    InvalidMeta(&'static str),
    /// A header is missing, or says something else than the body.
    HeaderMismatch(String),
    /// A protocol revision that is not served.
    UnsupportedVersion {
        /// The one asked for.
        requested: String,
        /// Those that are served to a message of this kind.
        supported: &'static [&'static str],
    },
    /// No such method here.
    MethodNotFound,
    /// The method's parameters make no sense.
    InvalidParams(&'static str),
}

impl ProtocolError {
    /// The table.
    #[rustfmt::skip]
    pub fn row(&self) -> Row {
        let row = |kind, title, mcp_status, code| Row {
            kind,
            title,
            rest_status: 400,
            mcp_status,
            code,
            tool_result: false,
            outcome: Outcome::Invalid,
        };
        match self {
            Self::Parse => row("parse-error", "Parse error", 400, -32700),
            Self::InvalidRequest(_) => row("invalid-request", "Invalid Request", 400, -32600),
            Self::InvalidMeta(_) => row("invalid-meta", "Invalid params", 400, -32602),
            Self::HeaderMismatch(_) => row("header-mismatch", "Header mismatch", 400, -32020),
            Self::UnsupportedVersion { .. } => row("unsupported-version", "Unsupported protocol version", 400, -32022),
            Self::MethodNotFound => row("method-not-found", "Method not found", 404, -32601),
            Self::InvalidParams(_) => row("invalid-params", "Invalid params", 200, -32602),
        }
    }

    /// What the caller reads.
    pub fn detail(&self) -> Cow<'_, str> {
        match self {
            Self::Parse => "Parse error: the message is not valid JSON".into(),
            Self::InvalidRequest(why) => format!("Invalid request: {why}").into(),
            Self::InvalidMeta(why) | Self::InvalidParams(why) => {
                format!("Invalid params: {why}").into()
            }
            Self::HeaderMismatch(why) => format!("Header mismatch: {why}").into(),
            Self::UnsupportedVersion { .. } => "Unsupported protocol version".into(),
            Self::MethodNotFound => "Method not found".into(),
        }
    }
}
