//! Every way a request can end badly, and the one table of what each means on each surface.
//!
//! An enum per place where things go wrong: [`CallError`] on the governed path, [`EdgeError`] at the
//! HTTP edge, [`ProtocolError`] in MCP's envelope, [`AdminError`] on the admin listener. Status codes and JSON-RPC
//! codes stand here and nowhere else. What a caller reads ([`CallError::detail`]) and what the log
//! gets ([`CallError::cause`]) are kept apart.

mod admin;
mod edge;
mod protocol;
mod told;
mod wait;

use std::borrow::Cow;
use std::time::Duration;

pub use admin::AdminError;
pub use edge::EdgeError;
pub use protocol::ProtocolError;
pub use told::Told;

use crate::access::AccessError;
use crate::approval::{ApprovalError, NotGiven, Unconfirmed, VALID};
use crate::auth::AuthError;
use crate::quota::QuotaError;
use crate::tool::{ArgumentsError, Capability, Limit, TargetRef, ToolError};
use wait::Wait;
pub(crate) use wait::millis_up;

/// How a call ended, for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was served.
    Ok,
    /// It was refused by a policy.
    Denied,
    /// It made no sense.
    Invalid,
    /// Its time was up.
    TimedOut,
    /// Something of ours, or behind us, broke; or the tool said no.
    Failed,
    /// The caller left before the answer.
    Cancelled,
}

impl Outcome {
    /// The outcome as it stands in spans and audit lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Denied => "denied",
            Self::Invalid => "invalid",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Machine-readable name: the tail of `type` in problem documents, `error.type` in spans.
    pub kind: &'static str,
    /// Human-readable name (RFC 9457 `title`).
    pub title: &'static str,
    /// HTTP status on the REST gateway.
    pub rest_status: u16,
    /// HTTP status on `/mcp`.
    pub mcp_status: u16,
    /// JSON-RPC error code. Ours lie outside the reserved range; code / 100 is the HTTP status.
    pub code: i32,
    /// Whether a tool call tells it in a result with `isError`, for the model to read, instead of
    /// in a JSON-RPC error.
    pub tool_result: bool,
    /// How the record files it.
    pub outcome: Outcome,
}

/// Why a call on the governed path was not served.
#[derive(Debug)]
pub enum CallError {
    /// No identity, or a bad credential.
    Unauthenticated(AuthError),
    /// Too many bad credentials came from the caller's address, so its own are not looked at.
    TooManyFailures {
        /// Until they are again.
        retry_after: Duration,
    },
    /// The keys that would prove the credential cannot be had.
    KeysUnavailable,
    /// Scopes are missing.
    InsufficientScope {
        /// All that the target demands.
        required: Vec<String>,
        /// Those the caller lacks and needs, every one.
        missing: Vec<String>,
        /// Those of which the caller needs one and holds none.
        missing_any_of: Vec<String>,
    },
    /// A rule refuses the call.
    RefusedByRule {
        /// Which, from 0, in the list that is in force for the tenant.
        index: usize,
        /// What the caller is told, if the rule says it.
        because: Option<String>,
        /// Which rule and why; the text is for the log.
        cause: String,
    },
    /// There is no such tool, or none for this caller.
    UnknownTool,
    /// No resource answers for the URI, or none for this caller.
    UnknownResource,
    /// There is no such prompt, or none for this caller.
    UnknownPrompt,
    /// The call has to ask something that its client cannot answer.
    ClientCannot(Capability),
    /// The call needs the approval of its user, whom its client cannot ask.
    CannotConfirm,
    /// The call needs confirmation by whoever sends it.
    Unconfirmed(Box<Unconfirmed>),
    /// The user did not approve of the call.
    NotApproved(NotGiven),
    /// The caller was refused too often, so it is no longer told why.
    TooManyDenials {
        /// Until it is again.
        retry_after: Duration,
        /// The kind of the refusal that it is not told; for the log.
        instead_of: &'static str,
    },
    /// The tenant called too often.
    QuotaExceeded {
        /// Until one call is possible.
        retry_after: Duration,
        /// The limit that takes longest, where there are several.
        limit: Option<Limit>,
    },
    /// The tool runs as often at once as it may.
    TooManyAtOnce,
    /// As many calls of the caller's tenant run as may, of this tool or in all.
    TooManyOfTenant,
    /// The caller has as many subscriptions open as it may.
    TooManyListeners,
    /// Calls cannot be counted, so they are not let through.
    QuotaUnavailable,
    /// What is done cannot be put on record, so it is not done, or not told.
    AuditUnavailable {
        /// Whether something may have run before that was known.
        may_have_run: bool,
    },
    /// The process runs as many calls as it may.
    Overloaded,
    /// The process is going down.
    Draining,
    /// No such task, or none of this caller's.
    UnknownTask,
    /// The caller has as many tasks as it may.
    TooManyTasks,
    /// The store of tasks fails.
    TasksUnavailable,
    /// The arguments break the schema.
    InvalidArguments(ArgumentsError),
    /// The tool took too long.
    DeadlineExceeded,
    /// The tool says no; the text is for the model.
    Refused(String),
    /// What was asked for does not exist; the text is for the model.
    NotFound(String),
    /// What the tool depends on has too much to do.
    SourceBusy,
    /// What the tool depends on failed before, and is left alone for a while.
    SourceUnavailable {
        /// Until it is tried again.
        retry_after: Duration,
    },
    /// What the tool depends on failed; the text is for the log.
    SourceFailed(String),
    /// A defect: a panic, an answer off its schema; the text is for the log.
    Internal(String),
}

impl CallError {
    /// There is nothing of that name, or nothing for this caller: which of the two is not told.
    pub(crate) fn unknown(target: &TargetRef<'_>) -> Self {
        match target {
            TargetRef::Tool(_) => Self::UnknownTool,
            TargetRef::Resource(_) | TargetRef::Template(_) => Self::UnknownResource,
            TargetRef::Prompt(_) => Self::UnknownPrompt,
        }
    }

    /// The table, one line a row.
    #[rustfmt::skip]
    pub fn row(&self) -> Row {
        use Outcome::{Denied, Failed, Invalid, TimedOut};
        // kind, title, REST, MCP over HTTP, JSON-RPC, isError result, record
        let row = |kind, title, rest_status, mcp_status, code, tool_result, outcome| Row {
            kind,
            title,
            rest_status,
            mcp_status,
            code,
            tool_result,
            outcome,
        };
        match self {
            Self::Unauthenticated(_) => row("unauthenticated", "Unauthorized", 401, 401, 40101, false, Denied),
            Self::TooManyFailures { .. } => row("too-many-failures", "Too Many Requests", 429, 429, 42903, false, Denied),
            Self::KeysUnavailable => row("keys-unavailable", "Service Unavailable", 503, 503, 50301, false, Failed),
            Self::InsufficientScope { .. } => row("insufficient-scope", "Forbidden", 403, 403, 40301, false, Denied),
            Self::RefusedByRule { .. } => row("refused-by-rule", "Forbidden", 403, 200, 40302, false, Denied),
            Self::UnknownTool => row("unknown-tool", "Not Found", 404, 200, -32602, false, Invalid),
            Self::UnknownResource => row("unknown-resource", "Not Found", 404, 200, -32602, false, Invalid),
            Self::UnknownPrompt => row("unknown-prompt", "Not Found", 404, 200, -32602, false, Invalid),
            Self::ClientCannot(_) => row("client-cannot", "Missing required client capability", 422, 400, -32021, false, Invalid),
            Self::CannotConfirm => row("client-cannot", "Missing required client capability", 422, 400, -32021, false, Invalid),
            Self::Unconfirmed(_) => row("confirmation-required", "Conflict", 409, 200, 40901, false, Denied),
            Self::NotApproved(_) => row("not-approved", "Forbidden", 403, 200, 40305, true, Denied),
            Self::TooManyDenials { .. } => row("too-many-denials", "Too Many Requests", 429, 200, 42905, false, Denied),
            Self::QuotaExceeded { .. } => row("quota-exceeded", "Too Many Requests", 429, 200, 42901, false, Denied),
            Self::TooManyAtOnce => row("too-many-at-once", "Too Many Requests", 429, 200, 42902, false, Denied),
            Self::TooManyOfTenant => row("too-many-of-tenant", "Too Many Requests", 429, 200, 42902, false, Denied),
            Self::TooManyListeners => row("too-many-listeners", "Too Many Requests", 429, 200, 42904, false, Denied),
            Self::UnknownTask => row("unknown-task", "Not Found", 404, 200, -32602, false, Invalid),
            Self::TooManyTasks => row("too-many-tasks", "Too Many Requests", 429, 200, 42906, false, Denied),
            Self::TasksUnavailable => row("tasks-unavailable", "Service Unavailable", 503, 503, 50305, false, Failed),
            Self::QuotaUnavailable => row("quota-unavailable", "Service Unavailable", 503, 503, 50301, false, Failed),
            Self::AuditUnavailable { .. } => row("audit-unavailable", "Service Unavailable", 503, 503, 50302, false, Failed),
            Self::Overloaded => row("overloaded", "Service Unavailable", 503, 503, 50303, false, Failed),
            Self::Draining => row("draining", "Service Unavailable", 503, 503, 50303, false, Failed),
            Self::InvalidArguments(_) => row("invalid-arguments", "Bad Request", 400, 200, 40001, true, Invalid),
            Self::DeadlineExceeded => row("deadline-exceeded", "Gateway Timeout", 504, 200, 50401, true, TimedOut),
            Self::Refused(_) => row("refused", "Unprocessable Content", 422, 200, 42201, true, Failed),
            Self::NotFound(_) => row("not-found", "Unprocessable Content", 422, 200, 42202, true, Failed),
            Self::SourceBusy => row("source-busy", "Bad Gateway", 502, 200, 50202, true, Failed),
            Self::SourceUnavailable { .. } => row("source-unavailable", "Service Unavailable", 503, 200, 50304, true, Failed),
            Self::SourceFailed(_) => row("source-failed", "Bad Gateway", 502, 200, 50201, true, Failed),
            Self::Internal(_) => row("internal", "Internal Server Error", 500, 200, -32603, false, Failed),
        }
    }

    /// What the caller reads. Never a library's text, a path, a statement or a secret.
    pub fn detail(&self) -> Cow<'_, str> {
        match self {
            // The same for every cause: a caller learns nothing by trying.
            Self::Unauthenticated(_) => "A valid bearer token is required".into(),
            Self::TooManyFailures { .. } => {
                "Too many failed authentications from this address; retry later".into()
            }
            Self::KeysUnavailable => "The token cannot be verified right now; retry shortly".into(),
            Self::InsufficientScope {
                missing,
                missing_any_of,
                ..
            } => missing_scopes(missing, missing_any_of).into(),
            Self::RefusedByRule { because, .. } => {
                because.as_deref().unwrap_or("Not allowed by policy").into()
            }
            Self::UnknownTool => "Unknown tool".into(),
            Self::UnknownResource => "Resource not found".into(),
            Self::UnknownPrompt => "Unknown prompt".into(),
            Self::ClientCannot(what) => client_cannot(*what),
            Self::CannotConfirm => CANNOT_CONFIRM.into(),
            Self::Unconfirmed(call) => how_to_confirm(call).into(),
            Self::NotApproved(how) => not_approved(*how).into(),
            Self::TooManyDenials { retry_after, .. } => {
                format!("Too many refused calls; retry in {}", Wait(*retry_after)).into()
            }
            Self::QuotaExceeded { retry_after, limit } => too_often(*retry_after, *limit).into(),
            Self::TooManyAtOnce => "Too many calls of this tool are running; retry shortly".into(),
            Self::TooManyOfTenant => {
                "Too many calls of your tenant are running; retry shortly".into()
            }
            Self::TooManyListeners => {
                "Too many subscriptions are open; end one of yours before you open another".into()
            }
            Self::UnknownTask => "Task not found".into(),
            Self::TooManyTasks => {
                "Too many of your tasks are kept; wait until some of them are forgotten".into()
            }
            Self::TasksUnavailable => "Tasks cannot be looked up right now; retry shortly".into(),
            Self::QuotaUnavailable => "Calls cannot be counted right now; retry shortly".into(),
            Self::AuditUnavailable {
                may_have_run: false,
            } => "Calls cannot be recorded right now; retry shortly".into(),
            Self::AuditUnavailable { may_have_run: true } => MAY_HAVE_RUN.into(),
            Self::Overloaded => "The server is busy; retry shortly".into(),
            Self::Draining => "The server is shutting down; retry elsewhere".into(),
            Self::InvalidArguments(error) => format!("Invalid arguments: {error}").into(),
            Self::DeadlineExceeded => "The tool did not finish in time".into(),
            Self::Refused(text) | Self::NotFound(text) => text.as_str().into(),
            Self::SourceBusy => "A system behind the tool is busy; retry shortly".into(),
            Self::SourceUnavailable { retry_after } => format!(
                "A system behind the tool is unavailable; retry in {}",
                Wait(*retry_after)
            )
            .into(),
            Self::SourceFailed(_) => "A system behind the tool failed".into(),
            Self::Internal(_) => "The tool failed unexpectedly".into(),
        }
    }

    /// What the log gets beyond [`detail`](Self::detail), where there is more to say.
    pub fn cause(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Unauthenticated(error) => Some(error.to_string().into()),
            Self::SourceFailed(cause)
            | Self::Internal(cause)
            | Self::RefusedByRule { cause, .. } => Some(cause.as_str().into()),
            Self::TooManyDenials { instead_of, .. } => Some((*instead_of).into()),
            _ => None,
        }
    }

    /// Whether the operator should hear of it: a fault of ours, or behind us. Refusals under load and
    /// at shutdown are not: callers could fill the log with them. Nor are missing keys, a store of counts
    /// that fails and sources that are left alone: whoever looks after them says so, once and not for
    /// each call.
    pub fn is_incident(&self) -> bool {
        let is_known = matches!(
            self,
            Self::AuditUnavailable { .. }
                | Self::Overloaded
                | Self::Draining
                | Self::KeysUnavailable
                | Self::QuotaUnavailable
                | Self::TasksUnavailable
                | Self::SourceUnavailable { .. }
        );
        self.row().rest_status >= 500 && !is_known
    }

    /// When to try again, where waiting helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::QuotaExceeded { retry_after, .. }
            | Self::TooManyDenials { retry_after, .. }
            | Self::TooManyFailures { retry_after }
            | Self::SourceUnavailable { retry_after } => Some(*retry_after),
            Self::TooManyAtOnce
            | Self::TooManyOfTenant
            | Self::KeysUnavailable
            | Self::QuotaUnavailable
            | Self::AuditUnavailable {
                may_have_run: false,
            }
            | Self::Overloaded
            | Self::Draining
            | Self::TasksUnavailable
            | Self::SourceBusy => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}

const MAY_HAVE_RUN: &str = "The call may have been carried out, and could not be recorded, so that its answer is withheld; look at what it did before you call again";
const CANNOT_CONFIRM: &str = "This call needs the approval of its user, and the client cannot ask for it: it does not support elicitation";

fn how_to_confirm(call: &Unconfirmed) -> String {
    let unusable = call.unusable.map(|why| format!("The confirmation {why}. "));
    format!(
        "{}This call needs confirmation: send it again within {} with the text of `confirmation` in the header Tollgate-Confirmation",
        unusable.unwrap_or_default(),
        Wait(VALID)
    )
}

fn not_approved(how: NotGiven) -> &'static str {
    match how {
        NotGiven::Declined => {
            "The user was asked and declined this call. Do not make it again unless the user asks for it"
        }
        NotGiven::Dismissed => {
            "The user was asked about this call and did not decide. Do not make it again unless the user asks for it"
        }
        NotGiven::Unanswered => {
            "Nobody answered whether this call is approved of. Do not make it again unless the user asks for it"
        }
    }
}

fn client_cannot(what: Capability) -> Cow<'static, str> {
    match what {
        Capability::Tasks => "This is only served to clients that say that they know tasks".into(),
        what => {
            format!("This call has to ask its caller, whose client does not support {what}").into()
        }
    }
}

fn too_often(retry_after: Duration, limit: Option<Limit>) -> String {
    let limit = limit.map_or_else(String::new, |limit| format!(": {}", limit.in_words()));
    format!("Rate limit exceeded{limit}; retry in {}", Wait(retry_after))
}

fn missing_scopes(all_of: &[String], any_of: &[String]) -> String {
    let list = |scopes: &[String]| {
        let quoted: Vec<String> = scopes.iter().map(|scope| format!("'{scope}'")).collect();
        quoted.join(", ")
    };
    match (all_of, any_of) {
        (all_of, []) => format!("Missing scopes: [{}]", list(all_of)),
        ([], any_of) => format!("Missing one of the scopes: [{}]", list(any_of)),
        (all_of, any_of) => format!(
            "Missing scopes: [{}] and one of: [{}]",
            list(all_of),
            list(any_of)
        ),
    }
}

impl From<AuthError> for CallError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Unavailable => Self::KeysUnavailable,
            error => Self::Unauthenticated(error),
        }
    }
}

impl From<AccessError> for CallError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::InsufficientScope {
                required,
                missing,
                missing_any_of,
            } => Self::InsufficientScope {
                required,
                missing,
                missing_any_of,
            },
            AccessError::RefusedByRule {
                index,
                because,
                failure,
            } => Self::RefusedByRule {
                index,
                because,
                cause: match failure {
                    None => format!("rules[{index}]"),
                    Some(failure) => format!("rules[{index}] cannot be evaluated: {failure}"),
                },
            },
            AccessError::HiddenTool => Self::UnknownTool,
            AccessError::HiddenResource => Self::UnknownResource,
            AccessError::HiddenPrompt => Self::UnknownPrompt,
        }
    }
}

impl From<QuotaError> for CallError {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Exceeded {
                states,
                retry_after,
                slowest,
            } => Self::QuotaExceeded {
                retry_after,
                limit: Some(slowest).filter(|_| states.len() > 1),
            },
            QuotaError::Full | QuotaError::Unavailable => Self::QuotaUnavailable,
        }
    }
}

impl From<ApprovalError> for CallError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::CannotAsk => Self::CannotConfirm,
            ApprovalError::Unconfirmed(call) => Self::Unconfirmed(call),
            ApprovalError::NotGiven(how) => Self::NotApproved(how),
            ApprovalError::Uncounted(error) => error.into(),
            ApprovalError::NoRandomness => {
                Self::Internal("no randomness to seal an approval with".to_owned())
            }
        }
    }
}

impl From<ArgumentsError> for CallError {
    fn from(error: ArgumentsError) -> Self {
        Self::InvalidArguments(error)
    }
}

impl From<ToolError> for CallError {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Refused(text) => Self::Refused(text),
            ToolError::NotFound(text) => Self::NotFound(text),
            ToolError::InvalidArguments(text) => Self::InvalidArguments(ArgumentsError(text)),
            ToolError::Busy => Self::SourceBusy,
            ToolError::Unavailable { retry_after } => Self::SourceUnavailable { retry_after },
            ToolError::DeadlineExceeded => Self::DeadlineExceeded,
            ToolError::Failed(cause) => Self::SourceFailed(cause),
            ToolError::Defect(cause) => Self::Internal(cause),
            ToolError::ClientCannot(what) => Self::ClientCannot(what),
            // `run` makes an answer of it.
            ToolError::Asks(_) => Self::Internal("questions without an answer".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each that needs no setting up; the others share their rows' shape.
    fn samples() -> Vec<Row> {
        let text = String::new;
        let mut rows: Vec<Row> = [
            CallError::Unauthenticated(AuthError::Missing),
            CallError::TooManyFailures {
                retry_after: Duration::ZERO,
            },
            CallError::KeysUnavailable,
            CallError::UnknownTool,
            CallError::RefusedByRule {
                index: 0,
                because: None,
                cause: text(),
            },
            CallError::TooManyAtOnce,
            CallError::TooManyOfTenant,
            CallError::TooManyListeners,
            CallError::QuotaUnavailable,
            CallError::AuditUnavailable {
                may_have_run: false,
            },
            CallError::AuditUnavailable { may_have_run: true },
            CallError::Overloaded,
            CallError::InvalidArguments(ArgumentsError(text())),
            CallError::DeadlineExceeded,
            CallError::Refused(text()),
            CallError::SourceFailed(text()),
            CallError::Internal(text()),
        ]
        .iter()
        .map(CallError::row)
        .collect();
        rows.extend([EdgeError::NoRoute, EdgeError::BodyTooLarge].map(EdgeError::row));
        rows.extend([ProtocolError::Parse, ProtocolError::MethodNotFound].map(|error| error.row()));
        rows
    }

    #[test]
    fn every_status_is_one_and_every_code_is_reserved_or_mirrors_its_status() {
        for row in samples() {
            assert!((400..600).contains(&row.rest_status), "{row:?}");
            assert!((200..600).contains(&row.mcp_status), "{row:?}");
            let reserved = (-32_768..=-32_000).contains(&row.code);
            assert!(
                reserved || row.code / 100 == i32::from(row.rest_status),
                "{row:?}"
            );
        }
    }
}
