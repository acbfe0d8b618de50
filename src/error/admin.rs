//! What the admin listener refuses beyond what the edge does.

use super::{Outcome, Row};

/// Why a question about a call is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// The id is none.
    BadCallId,
    /// The log has no such call.
    UnknownCall,
    /// There is no log.
    NoAuditLog,
    /// As many searches run as may.
    Busy,
    /// The search took too long.
    TooSlow,
    /// The log cannot be read.
    Unreadable,
}

impl AdminError {
    /// The table. None of these is said over MCP.
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
        use Outcome::{Failed, Invalid, TimedOut};
        match self {
            Self::BadCallId => row("bad-call-id", "Bad Request", 400, 40006, Invalid),
            Self::UnknownCall => row("unknown-call", "Not Found", 404, 40402, Invalid),
            Self::NoAuditLog => row("no-audit-log", "Not Found", 404, 40403, Invalid),
            Self::Busy => row("search-busy", "Service Unavailable", 503, 50305, Failed),
            Self::TooSlow => row("search-too-slow", "Gateway Timeout", 504, 50402, TimedOut),
            Self::Unreadable => row("log-unreadable", "Internal Server Error", 500, 50001, Failed),
        }
    }

    /// What the operator reads.
    pub fn detail(self) -> &'static str {
        match self {
            Self::BadCallId => {
                "This is no call's id: it stands in the header Tollgate-Call-Id and in the body of errors"
            }
            Self::UnknownCall => {
                "The audit log has no such call; another replica's may have it, and requests that no call was made of are not on record"
            }
            Self::NoAuditLog => {
                "No audit log is kept in a file: give the configuration an `audit` section"
            }
            Self::Busy => "Other calls are being searched for; retry shortly",
            Self::TooSlow => "The search takes too long here: run tollgate explain beside the log",
            Self::Unreadable => "The audit log cannot be read; the server's log says why",
        }
    }
}
