//! Finding one call in a log.
//!
//! A call's id tells when the call arrived (UUIDv7, RFC 9562 §5.7), and its line was written after
//! that: files that were full by then are not read. In the others the id's text is looked for, and only
//! lines that hold it are parsed.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memchr::memmem::Finder;
use uuid::Uuid;

use super::read::{Unreadable, Window, lines};
use super::{Entry, Kind, Sealed};

/// How often it is asked whether to go on, in lines.
const ASK_EVERY: u64 = 1024;

/// The method of the line that tells how a task ended, under the id of the call that made it.
pub const TASK_METHOD: &str = "tools/call (task)";

/// A line that was found, and where.
#[derive(Clone, Debug)]
pub struct FoundLine {
    /// In which file.
    pub file: PathBuf,
    /// In which of its lines, from 1.
    pub number: u64,
    /// Its sequence number.
    pub seq: u64,
    /// What it says; an [`Entry`].
    pub text: Vec<u8>,
}

/// What a log holds of a call.
#[derive(Clone, Debug, Default)]
pub struct FoundCall {
    /// The line of its end.
    pub ended: Option<FoundLine>,
    /// That its tool starts, in strict mode.
    pub begun: Option<FoundLine>,
    /// The line of the end of its task, where it made one.
    pub task: Option<FoundLine>,
    /// A line that holds the id and says nothing that can be read.
    pub damaged: Option<FoundLine>,
    /// Whether the search was stopped before it came to the end.
    pub was_stopped: bool,
}

/// The id of a call, as answers and logs show it: a UUIDv7 with its hyphens.
pub fn parse_call_id(text: &str) -> Option<Uuid> {
    let id = Uuid::parse_str(text).ok()?;
    (text.len() == uuid::fmt::Hyphenated::LENGTH && call_time(id).is_some()).then_some(id)
}

/// When the call of an id arrived, since the Unix epoch; `None` if it is none of our ids.
pub fn call_time(id: Uuid) -> Option<Duration> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    (id.get_version_num() == 7).then(|| Duration::new(seconds, nanos))
}

/// Looks for a call as long as `goes_on` says so.
///
/// # Errors
/// [`Unreadable`].
pub fn find(file: &Path, id: Uuid, goes_on: impl Fn() -> bool) -> Result<FoundCall, Unreadable> {
    let text = id.hyphenated().to_string();
    let finder = Finder::new(&text);
    let since = call_time(id);
    let (mut found, mut looked_at) = (FoundCall::default(), 0_u64);
    let window = Window { since, until: None };
    lines([file], window, |line| {
        looked_at += 1;
        if looked_at.is_multiple_of(ASK_EVERY) && !goes_on() {
            found.was_stopped = true;
            return ControlFlow::Break(());
        }
        if finder.find(line.text).is_none() {
            return ControlFlow::Continue(());
        }
        let here = || FoundLine {
            file: line.file.to_owned(),
            number: line.number,
            seq: Sealed::claimed(line.text).map_or(0, |line| line.seq),
            text: line.text.to_owned(),
        };
        let Ok(entry) = serde_json::from_slice::<Entry<'_>>(line.text) else {
            found.damaged.get_or_insert_with(here);
            return ControlFlow::Continue(());
        };
        // Somebody may have put the id of another call into a name.
        if entry.call_id != id {
            return ControlFlow::Continue(());
        }
        let line = here();
        if entry.kind == Kind::Begun {
            found.begun = Some(line);
            return ControlFlow::Continue(());
        }
        // A task may end before the call that made it is answered.
        let made_task = entry.task == Some(id);
        if made_task && entry.method == TASK_METHOD {
            found.task = Some(line);
        } else {
            found.ended = Some(line);
        }
        match &found {
            FoundCall {
                ended: Some(_),
                task,
                ..
            } if !made_task || task.is_some() => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    })?;
    Ok(found)
}
