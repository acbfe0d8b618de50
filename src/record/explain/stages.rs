//! The stages of a call in their order: passed, stopped at, or not reached.
//!
//! A line has the time of each stage that was passed; the one that refused is the next. A reader would
//! ask why `run` can be both timed and the one that refused: a tool that fails has run.

use serde::{Deserialize, Serialize};

use crate::audit::{Entry, Kind};

/// How far a stage came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StageState {
    /// It let the call through.
    Passed,
    /// The call ended here.
    Stopped,
    /// The process ended while the call was here, or the call still is.
    Entered,
    /// The call did not come so far.
    NotReached,
}

/// A stage of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stage {
    /// `authenticate`, `authorize`, `admit`, `validate`, `allow`, `approve`, `record` or `run`.
    pub name: String,
    /// What it decides.
    pub decides: String,
    /// How far it came.
    pub state: StageState,
    /// How long it took, in microseconds.
    pub took_us: Option<u64>,
}

/// Only calls that need approval know it.
const APPROVE: &str = "approve";
/// Only strict mode knows it.
const RECORD: &str = "record";
const RUN: &str = "run";

/// The stages of a call. Those that a request of its kind does not pass are left out.
pub(super) fn of(entry: &Entry<'_>) -> Vec<Stage> {
    let times = entry.stages.in_order();
    let last = last(entry, &times);
    let is_passed_over =
        |name: &str| name == RECORD || (name == APPROVE && entry.approval.is_none());
    let is_call = entry.target.is_some() || entry.asked.is_some() || entry.arguments.is_some();
    let mut stages = Vec::new();
    for (at, (name, took_us)) in times.into_iter().enumerate() {
        let state = match last {
            Some((stop, state)) if at == stop => state,
            _ if took_us.is_some() => StageState::Passed,
            Some((stop, _)) if at > stop && is_call && !is_passed_over(name) => {
                StageState::NotReached
            }
            _ => continue,
        };
        stages.push(Stage {
            name: name.to_owned(),
            decides: decides(name).to_owned(),
            state,
            took_us,
        });
    }
    stages
}

/// The stage at which the call ended without being served, or is.
fn last(entry: &Entry<'_>, times: &[(&'static str, Option<u64>)]) -> Option<(usize, StageState)> {
    let at = |wanted: &str| times.iter().position(|(name, _)| *name == wanted);
    if entry.kind == Kind::Begun {
        return Some((at(RUN)?, StageState::Entered));
    }
    let state = entry.approval.as_ref().map(|approval| &*approval.state);
    if entry.outcome.as_deref() == Some("ok") {
        let is_asked = state == Some("asked");
        return is_asked.then_some((at(APPROVE)?, StageState::Stopped));
    }
    let stop = match entry.error.as_deref() {
        Some("audit-unavailable") => at(RECORD),
        _ if entry.stages.run.is_some() => at(RUN),
        _ => times.iter().position(|(name, took)| {
            let is_there = *name != RECORD && (*name != APPROVE || state.is_some());
            took.is_none() && is_there
        }),
    };
    Some((stop?, StageState::Stopped))
}

fn decides(name: &str) -> &'static str {
    match name {
        "authenticate" => "who calls",
        "authorize" => "what is called, and whether this caller may",
        "admit" => "whether it may now: rate limits",
        "validate" => "whether the arguments fit the schema",
        "allow" => "whether the rules on arguments let them through",
        APPROVE => "whether the caller's user approves of the call",
        RECORD => "that the start is on record",
        _ => "the tool itself, with the wait for its place",
    }
}
