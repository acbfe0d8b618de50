//! A call as the log has it: who asked for what when, and what was decided.

use std::time::Duration;

use serde_json::{Map, Value};
use uuid::Uuid;

use super::super::window::unix;
use crate::audit::{Entry, Kind};
use crate::tool::{PROMPT, TargetRef};

/// The refusals that a policy decides, as the table of errors names them. Others are of the moment.
const BY_POLICY: [&str; 8] = [
    "insufficient-scope",
    "refused-by-rule",
    "unknown-tool",
    "unknown-resource",
    "unknown-prompt",
    SENSELESS,
    "quota-exceeded",
    TOO_MANY_DENIALS,
];
const TOO_MANY_DENIALS: &str = "too-many-denials";
/// What a schema says of arguments, and a tool too.
pub(super) const SENSELESS: &str = "invalid-arguments";
/// Longest name that a line holds whole, in characters; no name in a catalogue is as long.
const MAX_ASKED_CHARS: usize = 256;

/// No request is read for longer.
const LONGEST_READ: Duration = Duration::from_secs(86_400);

/// Arguments; why not, where they are not whole.
type Arguments = Result<Map<String, Value>, &'static str>;

/// A recorded call.
pub(super) struct Recorded {
    /// When it came, since the Unix epoch.
    pub(super) came: Duration,
    /// When its limits were asked.
    pub(super) at: Duration,
    /// The lane of its line.
    pub(super) lane: usize,
    /// Whether it was let through uncounted, since the store of the counts failed.
    pub(super) uncounted: bool,
    pub(super) id: Uuid,
    pub(super) tenant: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    pub(super) target: Asked,
    /// The tool's or prompt's.
    pub(super) arguments: Arguments,
    pub(super) decision: Was,
    /// Whether it needed approval.
    pub(super) needed_approval: bool,
    /// Whether its arguments were looked at.
    pub(super) came_to_arguments: bool,
}

/// What was asked for.
pub(super) enum Asked {
    /// A tool by name.
    Tool(String),
    /// A prompt, as the catalogue calls it.
    Prompt(String),
    /// A resource by its URI, as far as it is known, and its template, if it had one.
    Resource {
        uri: Option<String>,
        template: Option<String>,
    },
}

/// What was decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Was {
    /// The tool ran, or was about to.
    Allowed,
    /// The tool ran, and could do nothing with its arguments.
    Senseless,
    /// The kind of the refusal; that behind `too-many-denials`.
    Refused(String),
}

/// Why a line is not decided again.
pub(super) enum Skipped {
    /// It is of a request that calls nothing, such as a list, or of a call that only began.
    NoCall,
    /// Nobody knew who called.
    Unidentified,
    /// No policy decided it: the server was full or going down, the client left.
    Undecided,
    /// It does not say what a line says.
    Unreadable,
}

impl Recorded {
    /// The call of a line of that lane.
    pub(super) fn of(entry: &Entry<'_>, lane: usize) -> Result<Self, Skipped> {
        // A call that has only begun has no decision but the one in its later line.
        let is_call = matches!(
            &*entry.method,
            "tools/call" | "resources/read" | "prompts/get"
        );
        if entry.kind != Kind::Call || !is_call {
            return Err(Skipped::NoCall);
        }
        let (Some(tenant), Some(subject)) = (&entry.tenant, &entry.subject) else {
            return Err(Skipped::Unidentified);
        };
        let decision = Was::of(entry).ok_or(Skipped::Undecided)?;
        let (target, arguments) = asked(entry, arguments(entry))?;
        let came = unix(&entry.time).ok_or(Skipped::Unreadable)?;
        Ok(Self {
            came,
            at: came + before_limits(entry),
            lane,
            uncounted: entry.uncounted,
            id: entry.call_id,
            tenant: tenant.clone().into_owned(),
            subject: subject.clone().into_owned(),
            scopes: scopes(entry),
            target,
            arguments,
            decision,
            needed_approval: entry.approval.is_some(),
            came_to_arguments: entry.stages.admit.is_some(),
        })
    }
}

/// How long a call took until its limits were asked. Nobody verified the log, so not any time that it says.
fn before_limits(entry: &Entry<'_>) -> Duration {
    let stages = [entry.stages.authenticate, entry.stages.authorize];
    let micros = stages.into_iter().flatten().fold(0, u64::saturating_add);
    Duration::from_micros(micros).min(LONGEST_READ)
}

/// A call that is not told of and takes from buckets all the same: one that something else than a policy ended, or
/// of another method, such as a suggestion.
pub(super) struct Taker {
    pub(super) came: Duration,
    pub(super) at: Duration,
    pub(super) lane: usize,
    pub(super) tenant: String,
    pub(super) subject: String,
    pub(super) scopes: Vec<String>,
    /// What the catalogue calls what it was about.
    target: String,
}

impl Taker {
    pub(super) fn of(entry: &Entry<'_>, lane: usize) -> Option<Self> {
        // Those that were refused may be let in this time.
        let is_other = matches!(
            &*entry.method,
            "completion/complete" | "resources/subscribe"
        );
        let takes = entry.stages.admit.is_some() || is_other && Was::of(entry).is_some();
        let takes = takes && entry.kind == Kind::Call && !entry.uncounted;
        let target = entry.target.as_ref().filter(|_| takes)?;
        let came = unix(&entry.time)?;
        Some(Self {
            came,
            at: came + before_limits(entry),
            lane,
            tenant: entry.tenant.clone()?.into_owned(),
            subject: entry.subject.clone()?.into_owned(),
            scopes: scopes(entry),
            target: target.clone().into_owned(),
        })
    }

    /// What takes from the same buckets: whichever of them there is.
    pub(super) fn targets(&self) -> [TargetRef<'_>; 2] {
        match self.target.strip_prefix(PROMPT) {
            Some(prompt) => [TargetRef::Prompt(prompt), TargetRef::Tool(&self.target)],
            None => [
                TargetRef::Tool(&self.target),
                TargetRef::Template(&self.target),
            ],
        }
    }
}

fn scopes(entry: &Entry<'_>) -> Vec<String> {
    let scopes = entry.scopes.iter();
    scopes.map(|scope| scope.clone().into_owned()).collect()
}

/// What was asked for, and with which arguments.
fn asked(entry: &Entry<'_>, recorded: Arguments) -> Result<(Asked, Arguments), Skipped> {
    if entry.method == "resources/read" {
        return Ok(resource(entry, recorded));
    }
    let is_prompt = entry.method == "prompts/get";
    // What there is stands under the catalogue's name for it; what there is not, as it was asked for.
    let (name, before) = match (&entry.target, &entry.asked) {
        (Some(target), _) => (target, ""),
        (None, Some(asked)) => (asked, if is_prompt { PROMPT } else { "" }),
        (None, None) => return Err(Skipped::Undecided),
    };
    if name.chars().count() >= MAX_ASKED_CHARS {
        return Err(Skipped::Undecided);
    }
    let name = [before, name].concat();
    let target = if is_prompt {
        Asked::Prompt(name)
    } else {
        Asked::Tool(name)
    };
    Ok((target, recorded))
}

/// All that is asked of a resource is in its URI.
fn resource(entry: &Entry<'_>, recorded: Arguments) -> (Asked, Arguments) {
    let uri = recorded
        .as_ref()
        .ok()
        .and_then(|recorded| recorded.get("uri"));
    let uri = uri.and_then(Value::as_str).map(str::to_owned);
    let template = entry.target.clone().map(|template| template.into_owned());
    let arguments = match (&uri, recorded) {
        (None, Ok(_)) => Err("its URI was not recorded"),
        (_, recorded) => recorded.map(|_| Map::new()),
    };
    (Asked::Resource { uri, template }, arguments)
}

fn arguments(entry: &Entry<'_>) -> Arguments {
    let recorded = entry.arguments.as_ref();
    if recorded.is_some_and(|recorded| !recorded.redacted.is_empty()) {
        return Err("its arguments were recorded in part");
    }
    let values = recorded.and_then(|recorded| recorded.values.as_ref());
    let values = values.and_then(|values| serde_json::from_str(values.get()).ok());
    values.ok_or("its arguments were not recorded")
}

impl Was {
    /// `None` where something else than a policy ended the call before it was decided.
    fn of(entry: &Entry<'_>) -> Option<Self> {
        // Past the last check: whatever came of the tool, it was allowed.
        if entry.stages.allow.is_some() {
            return Some(match entry.error.as_deref() {
                Some(SENSELESS) => Self::Senseless,
                _ => Self::Allowed,
            });
        }
        let kind = entry.error.as_deref()?;
        let behind = entry.cause.as_deref().filter(|_| kind == TOO_MANY_DENIALS);
        let refused = BY_POLICY.contains(&kind);
        refused.then(|| Self::Refused(behind.unwrap_or(kind).to_owned()))
    }
}

impl Asked {
    /// What to ask for. Where a URI was not recorded, its template: what is decided before its variables are
    /// looked at is the same for all of them.
    pub(super) fn to_ask(&self) -> Option<TargetRef<'_>> {
        match self {
            Self::Tool(name) => Some(TargetRef::Tool(name)),
            Self::Prompt(name) => Some(TargetRef::Prompt(name.strip_prefix(PROMPT)?)),
            Self::Resource { uri: Some(uri), .. } => Some(TargetRef::Resource(uri)),
            Self::Resource { template, .. } => template.as_deref().map(TargetRef::Template),
        }
    }

    /// What the catalogue calls it; `None` of a resource that there was not.
    pub(super) fn name(&self) -> Option<&str> {
        match self {
            Self::Tool(name) | Self::Prompt(name) => Some(name),
            Self::Resource { template, .. } => template.as_deref(),
        }
    }
}
