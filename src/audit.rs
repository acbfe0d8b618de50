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
mod entry;
mod head;
mod log;
mod logfile;
mod opening;
mod places;
mod queue;
mod rotation;
mod settings;
mod tail;
mod writer;

pub use arguments::{Captured, Redaction};
pub use chain::{ChainKey, Head, LineFault, Mac, Sealed};
pub use entry::{Arguments, Bucket, Entry, Kind, Mark, RuleTrail, Stages};
pub use log::Log;
pub use rotation::Rotation;
pub use settings::{AuditError, AuditSettings, AuditState, Durability, Ticket, Unwritable};
