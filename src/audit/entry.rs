//! What a line of the audit log says.
//!
//! One set of types for writing and for reading. Members that have nothing to say are left out; times
//! are RFC 3339 in UTC with microseconds, spans of time are whole microseconds or milliseconds, as the
//! name says. Texts that came from outside are JSON strings and so without any power over a line.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

/// What kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A request ended.
    Call,
    /// In strict mode: a call passed every check, and its tool starts.
    Begun,
    /// A file begins: the server started, or the file before was full.
    Opened,
    /// The first line of a key, right after the one that announced it.
    Checkpoint,
    /// A file ends because another one begins, or because the server stops.
    Closed,
    /// The end of the line before is missing: the process died while it wrote. The chain goes on from
    /// the last whole line, which [`Mark::prev`] names; the fragment is the line in between.
    Torn,
    /// Lines were dropped, since the queue was full.
    Gap,
    /// The last line that the key so far seals: those after it are sealed with the one it names.
    Rekeyed,
}

/// A call, or that one has begun.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(rename_all = "camelCase")]
pub struct Entry<'a> {
    /// [`Kind::Call`] or [`Kind::Begun`].
    pub kind: Kind,
    /// When the request arrived.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// The call's id.
    pub call_id: Uuid,
    /// `rest`, `mcp` or `cli`.
    #[serde(borrow)]
    pub surface: Cow<'a, str>,
    /// `tools/call`, `resources/read`, …
    #[serde(borrow)]
    pub method: Cow<'a, str>,
    /// The tool's name or the resource's URI template, from the catalogue.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub target: Option<Cow<'a, str>>,
    /// What was asked for, where no target was found (a tool's name) or where arguments are recorded
    /// (a resource's URI); cut at 256 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asked: Option<Cow<'a, str>>,
    /// The caller's tenant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant: Option<Cow<'a, str>>,
    /// The caller.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Cow<'a, str>>,
    /// The scopes that the caller held.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub scopes: Vec<Cow<'a, str>>,
    /// Where the request came from.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address: Option<Cow<'a, str>>,
    /// The call that made the task which it is about; its own id where it made one itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<Uuid>,
    /// The arguments.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub arguments: Option<Arguments<'a>>,
    /// `ok`, `denied`, `invalid`, `timed_out`, `failed` or `cancelled`; none while it runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Cow<'a, str>>,
    /// The kind of the error, such as `quota-exceeded`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<Cow<'a, str>>,
    /// What the caller was not told; cut at 512 characters.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<Cow<'a, str>>,
    /// The scopes that were missing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<Cow<'a, str>>,
    /// The scopes of which one was missing.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing_any_of: Vec<Cow<'a, str>>,
    /// The rule that refused.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<RuleTrail<'a>>,
    /// The approval that the call needs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approval: Option<ApprovalTrail<'a>>,
    /// The buckets after the decision.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub quota: Vec<Bucket<'a>>,
    /// Until another try makes sense.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_ms: Option<u64>,
    /// Whether the call was let through uncounted, since the store of the counts failed.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub uncounted: bool,
    /// What in shadow mode would have refused.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub would_deny: Vec<Cow<'a, str>>,
    /// How long each stage took that was passed, in their order; the one that refused is the next.
    #[serde(skip_serializing_if = "Stages::is_empty", default)]
    pub stages: Stages,
    /// From the first byte to the answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub duration_us: Option<u64>,
    /// Which configuration decided; that of the start is 1.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub generation: Option<u64>,
    /// The trace, if it is recorded.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace: Option<Cow<'a, str>>,
}

/// What is known of a call's arguments.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(Serialize))]
#[serde(rename_all = "camelCase")]
pub struct Arguments<'a> {
    /// A keyed digest (HMAC-SHA-256, base64url) of their canonical form: equal for equal arguments.
    #[serde(borrow)]
    pub digest: Cow<'a, str>,
    /// Themselves, without what is redacted.
    #[serde(skip_serializing_if = "Option::is_none", default, borrow)]
    pub values: Option<Cow<'a, RawValue>>,
    /// Where values were left out, or `["*"]` when all of them were, being too long.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub redacted: Vec<Cow<'a, str>>,
}

/// A rule that refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleTrail<'a> {
    /// Which, from 0, in the list that was in force.
    pub index: usize,
    /// `deny` or `allowOnlyIf`.
    #[serde(borrow)]
    pub effect: Cow<'a, str>,
    /// Its condition, as written.
    #[serde(borrow)]
    pub condition: Cow<'a, str>,
}

/// An approval that a call needs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalTrail<'a> {
    /// The condition as written, or `always`.
    #[serde(borrow)]
    pub condition: Cow<'a, str>,
    /// Why it needs approval though its condition gave neither true nor false.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Cow<'a, str>>,
    /// `asked`, `given`, `declined`, `dismissed`, `unanswered`, `cannotAsk`, or `unknown` where the
    /// store of used approvals fails.
    #[serde(borrow)]
    pub state: Cow<'a, str>,
    /// Why what came with the call does not approve of it: `used`, `expired` or `foreign`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unusable: Option<Cow<'a, str>>,
}

/// A bucket after a decision.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bucket<'a> {
    /// The limit, such as `5/10s`.
    #[serde(borrow)]
    pub limit: Cow<'a, str>,
    /// Units left; one call takes the limit's cost.
    pub remaining: u32,
    /// Until it is full again.
    pub reset_ms: u64,
}

/// How long the stages took, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stages {
    /// Who calls.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authenticate: Option<u64>,
    /// Reading the request, finding the target, and whether the caller may call it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub authorize: Option<u64>,
    /// Whether it may do so now.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub admit: Option<u64>,
    /// Whether the arguments fit the schema.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub validate: Option<u64>,
    /// Whether the rules on arguments let them through.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allow: Option<u64>,
    /// Where approval is needed: until it was given or asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approve: Option<u64>,
    /// In strict mode: until it was on record that the tool starts.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub record: Option<u64>,
    /// The tool, with the wait for its place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub run: Option<u64>,
}

impl Stages {
    /// Whether no stage was passed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The stages in their order, by name; `None` where a stage was not passed.
    pub fn in_order(&self) -> [(&'static str, Option<u64>); 8] {
        [
            ("authenticate", self.authenticate),
            ("authorize", self.authorize),
            ("admit", self.admit),
            ("validate", self.validate),
            ("allow", self.allow),
            ("approve", self.approve),
            ("record", self.record),
            ("run", self.run),
        ]
    }
}

/// A line about the log itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark<'a> {
    /// Any kind but a call's.
    pub kind: Kind,
    /// When it was written.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// [`Kind::Opened`] and [`Kind::Torn`]: the MAC that the line continues, of the last whole line before
    /// it; of none, 32 zeros.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub prev: Option<Cow<'a, str>>,
    /// [`Kind::Opened`] and [`Kind::Checkpoint`]: which key it is sealed with. [`Kind::Rekeyed`]: which key comes
    /// next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<Cow<'a, str>>,
    /// [`Kind::Opened`]: what wrote it, with its version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<Cow<'a, str>>,
    /// [`Kind::Opened`] and [`Kind::Closed`]: `started`, `stopped`, `rotated`, or `reopened` where somebody
    /// moved, cut or wrote the file while it was written.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub because: Option<Cow<'a, str>>,
    /// [`Kind::Gap`]: how many lines were dropped. [`Kind::Torn`]: how many bytes the torn line has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub count: Option<u64>,
    /// [`Kind::Torn`]: the keyed digest of the torn line's bytes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fragment: Option<Cow<'a, str>>,
    /// [`Kind::Opened`]: the last line that the head names, where no such line was found. The file was
    /// cut, or lines before it were taken away; the numbers go on after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lost_to: Option<u64>,
    /// [`Kind::Opened`]: `missing` or `unreadable`, where there were lines and no head that this key
    /// sealed: then it cannot be told whether lines were cut off. `none` on standard output, where there is no head.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub head: Option<Cow<'a, str>>,
}

/// What [`Mark::head`] says of a log without one.
pub(super) const NO_HEAD: &str = "none";

/// What [`Mark::because`] says of a file that a process began or went on with when it started.
pub(super) const STARTED: &str = "started";

impl Entry<'_> {
    /// What it is about, as the catalogue calls it: also what there is not.
    pub fn about(&self) -> Option<Cow<'_, str>> {
        match (&self.target, &self.asked) {
            (Some(target), _) => Some(Cow::Borrowed(target)),
            (None, Some(asked)) if self.method == "prompts/get" => {
                Some(["prompt/", asked].concat().into())
            }
            (None, Some(asked)) => Some(Cow::Borrowed(asked)),
            (None, None) => None,
        }
    }
}

impl Mark<'_> {
    /// Whether a process started here.
    pub fn is_start(&self) -> bool {
        self.kind == Kind::Opened && self.because.as_deref() == Some(STARTED)
    }

    /// A mark that says nothing yet but its kind and time.
    pub fn new(kind: Kind, time: String) -> Self {
        Self {
            kind,
            time: Cow::Owned(time),
            prev: None,
            key: None,
            by: None,
            because: None,
            count: None,
            fragment: None,
            lost_to: None,
            head: None,
        }
    }
}
