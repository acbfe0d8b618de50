//! The audit log: what became of every call, in a chain of lines that nobody can change unseen.
//!
//! ```text
//! calls ─ append ─▶ queue (bounded) ─ one writer: sequence, HMAC chain, write, sync ─▶ file ─▶ waiting calls
//! ```
//!
//! The room knows lines, chain and files, and nothing of how calls are governed; `record` says what
//! goes into a line. A reader would ask why a line is composed by the call and sealed by the writer:
//! composing needs what only the call has, and sealing needs the line before.

mod arguments;
mod chain;
mod chained;
mod compose;
mod entry;
mod find;
mod head;
mod keys;
mod lines;
mod log;
mod logfile;
mod open_log;
mod opening;
mod places;
mod queue;
mod read;
mod rotation;
mod segments;
mod settings;
mod stream;
mod tail;
mod verify;
mod waiters;
mod walk;
mod watch;
mod writer;

pub use arguments::{Captured, Redaction, RedactionChange};
pub use chain::{ChainKey, Head, LineFault, Mac, Sealed};
pub use entry::{ApprovalTrail, Arguments, Bucket, Entry, Kind, Mark, RuleTrail, Stages};
pub use find::{FoundCall, FoundLine, TASK_METHOD, call_time, find, parse_call_id};
pub use log::Log;
pub use read::{RawLine, Said, Unreadable, Window, entries, lines, said};
pub use rotation::Rotation;
pub use segments::{Lane, Segment, lanes};
pub use settings::{AuditError, AuditSettings, AuditState, Durability, Ticket, Unwritable};
pub use verify::{Check, Finding, Findings, Flaw, Note, Verdict, verify};
