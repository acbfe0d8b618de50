//! What became of one call, and why: the story that its lines in the audit log tell.
//!
//! One value for the command and the admin API: JSON as it is, or a text for people. A reader would
//! ask why the decision is not made once more: it would be that of the configuration of today, with the
//! buckets of now. What is told here is what was decided then (`tollgate replay` asks the other question).

mod advice;
mod stages;
mod text;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::audit::{ApprovalTrail, Bucket, Entry, FoundCall, FoundLine, RuleTrail};
use stages::{Stage, StageState};

/// Whether there is an error of this name.
pub(crate) fn knows_error(kind: &str) -> bool {
    advice::of_kind(kind).is_some()
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The call's id.
    pub call_id: Uuid,
    /// In one sentence: what happened.
    pub summary: String,
    /// When the request arrived; RFC 3339, in UTC.
    pub time: String,
    /// `ok`, `denied`, `invalid`, `timed_out`, `failed` or `cancelled`; none where nothing is known of its
    /// end.
    pub outcome: Option<String>,
    /// The kind of the error, such as `quota-exceeded`.
    pub error: Option<String>,
    /// What the caller was not told.
    pub cause: Option<String>,
    /// Who called.
    pub caller: Caller,
    /// What was asked for.
    pub request: Request,
    /// Each stage: how long it took, and where the call stopped.
    pub stages: Vec<Stage>,
    /// From the first byte to the answer, in microseconds.
    pub duration_us: Option<u64>,
    /// The scopes that were missing, every one.
    pub missing: Vec<String>,
    /// The scopes of which one was missing.
    pub missing_any_of: Vec<String>,
    /// The rule that refused.
    pub rule: Option<Rule>,
    /// The approval that it needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// The buckets after the decision.
    pub quota: Vec<BucketState>,
    /// Until another try made sense, from the answer on.
    pub retry_after_ms: Option<u64>,
    /// Whether the call was let through uncounted, since the store of the counts failed.
    pub uncounted: bool,
    /// What in shadow mode would have refused.
    pub would_deny: Vec<String>,
    /// Which configuration decided; that of the server's start is 1.
    pub generation: Option<u64>,
    /// The trace, where one was recorded.
    pub trace: Option<String>,
    /// The call that made the task which it is about; the call itself, where it made one.
    pub task: Option<Uuid>,
    /// How the task ended that it made.
    pub task_end: Option<TaskEnd>,
    /// What can be done about it.
    pub advice: Vec<String>,
    /// Where it stands in the log.
    pub line: Place,
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskEnd {
    /// In one sentence: what happened.
    pub summary: String,
    /// `ok`, `invalid`, `timed_out`, `failed` or `cancelled`.
    pub outcome: Option<String>,
    /// The kind of the error.
    pub error: Option<String>,
    /// What the caller was not told.
    pub cause: Option<String>,
    /// From its beginning to its end, in microseconds.
    pub duration_us: Option<u64>,
    /// Where it stands in the log.
    pub line: Place,
}

/// Who called, as far as it was known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// The tenant.
    pub tenant: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The scopes that it held.
    pub scopes: Vec<String>,
    /// Where the request came from.
    pub address: Option<String>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `rest`, `mcp` or `cli`.
    pub surface: String,
    /// `tools/call`, `resources/read`, …
    pub method: String,
    /// The tool or the resource's URI template, where one was found.
    pub target: Option<String>,
    /// What the caller named, where none was found.
    pub asked: Option<String>,
    /// Keyed digest of the arguments.
    pub digest: Option<String>,
    /// The arguments, where they are recorded.
    pub arguments: Option<Value>,
    /// Where values of them were left out.
    pub redacted: Vec<String>,
}

/// A rule that refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Which, from 0, in the list that was in force.
    pub index: usize,
    /// `deny` or `allowOnlyIf`.
    pub effect: String,
    /// Its condition, as written.
    pub condition: String,
}

/// An approval that a call needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// The condition, as written, or `always`.
    pub condition: String,
    /// Why it was needed though the condition gave neither true nor false.
    pub failure: Option<String>,
    /// What came of it, such as `asked` or `given`.
    pub state: String,
    /// Why what came with the call did not approve of it: `used`, `expired` or `foreign`.
    pub unusable: Option<String>,
}

/// A bucket after a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BucketState {
    /// The limit, such as `5/10s`.
    pub limit: String,
    /// Units left.
    pub remaining: u32,
    /// Until it was full again.
    pub reset_ms: u64,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The file's name; its folder is nobody's business.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The sequence number.
    pub seq: u64,
}

impl Explanation {
    /// What the lines of a call tell; `None` where there are none.
    pub fn of(found: &FoundCall) -> Option<Self> {
        let line = found.ended.as_ref().or(found.begun.as_ref());
        let line = line.or(found.task.as_ref())?;
        let entry: Entry<'_> = serde_json::from_slice(&line.text).ok()?;
        let stages = stages::of(&entry);
        let task_end = found.task.as_ref().and_then(TaskEnd::of);
        let of_task = task_end.as_ref().and_then(|end| end.error.as_deref());
        let of_task = of_task.and_then(advice::of_kind).map(str::to_owned);
        let mut advice = advice::of(&entry);
        advice.extend(of_task);
        Some(Self {
            summary: text::summary(&entry, &stages),
            task_end,
            advice,
            stages,
            ..Self::told(&entry, line)
        })
    }

    /// Without the values of arguments, for those who may not read the log itself.
    #[must_use]
    pub fn without_values(mut self) -> Self {
        self.request.arguments = None;
        self
    }

    fn told(entry: &Entry<'_>, line: &FoundLine) -> Self {
        Self {
            call_id: entry.call_id,
            summary: String::new(),
            time: entry.time.to_string(),
            outcome: owned(entry.outcome.as_ref()),
            error: owned(entry.error.as_ref()),
            cause: owned(entry.cause.as_ref()),
            caller: Caller {
                tenant: owned(entry.tenant.as_ref()),
                subject: owned(entry.subject.as_ref()),
                scopes: all(&entry.scopes),
                address: owned(entry.address.as_ref()),
            },
            request: Request::of(entry),
            stages: Vec::new(),
            duration_us: entry.duration_us,
            missing: all(&entry.missing),
            missing_any_of: all(&entry.missing_any_of),
            rule: entry.rule.as_ref().map(Rule::of),
            approval: entry.approval.as_ref().map(Approval::of),
            quota: entry.quota.iter().map(BucketState::of).collect(),
            retry_after_ms: entry.retry_after_ms,
            uncounted: entry.uncounted,
            would_deny: all(&entry.would_deny),
            generation: entry.generation,
            trace: owned(entry.trace.as_ref()),
            task: entry.task,
            task_end: None,
            advice: Vec::new(),
            line: Place::of(line),
        }
    }
}

impl TaskEnd {
    fn of(line: &FoundLine) -> Option<Self> {
        let entry: Entry<'_> = serde_json::from_slice(&line.text).ok()?;
        Some(Self {
            summary: text::end_of_task(&entry),
            outcome: owned(entry.outcome.as_ref()),
            error: owned(entry.error.as_ref()),
            cause: owned(entry.cause.as_ref()),
            duration_us: entry.duration_us,
            line: Place::of(line),
        })
    }
}

impl Request {
    fn of(entry: &Entry<'_>) -> Self {
        let arguments = entry.arguments.as_ref();
        let values = arguments.and_then(|arguments| arguments.values.as_ref());
        Self {
            surface: entry.surface.to_string(),
            method: entry.method.to_string(),
            target: owned(entry.target.as_ref()),
            asked: owned(entry.asked.as_ref()),
            digest: arguments.map(|arguments| arguments.digest.to_string()),
            arguments: values.and_then(|values| serde_json::from_str(values.get()).ok()),
            redacted: arguments.map_or_else(Vec::new, |arguments| all(&arguments.redacted)),
        }
    }
}

impl Rule {
    fn of(rule: &RuleTrail<'_>) -> Self {
        Self {
            index: rule.index,
            effect: rule.effect.to_string(),
            condition: rule.condition.to_string(),
        }
    }
}

impl Approval {
    fn of(approval: &ApprovalTrail<'_>) -> Self {
        Self {
            condition: approval.condition.to_string(),
            failure: owned(approval.failure.as_ref()),
            state: approval.state.to_string(),
            unusable: owned(approval.unusable.as_ref()),
        }
    }
}

impl BucketState {
    fn of(bucket: &Bucket<'_>) -> Self {
        Self {
            limit: bucket.limit.to_string(),
            remaining: bucket.remaining,
            reset_ms: bucket.reset_ms,
        }
    }
}

impl Place {
    fn of(line: &FoundLine) -> Self {
        let name = line.file.file_name().unwrap_or_default();
        Self {
            file: name.to_string_lossy().into_owned(),
            line: line.number,
            seq: line.seq,
        }
    }
}

fn owned(text: Option<&std::borrow::Cow<'_, str>>) -> Option<String> {
    text.map(ToString::to_string)
}

fn all(texts: &[std::borrow::Cow<'_, str>]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
