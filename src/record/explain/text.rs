//! An explanation for people, on a terminal of 100 columns.
//!
//! Names, tenants, subjects and arguments come from outside and are shown without any power over the
//! terminal. A reader would ask why this is no template: what is not known is left out, line by line.

use std::fmt::{self, Display};

use super::{Approval, BucketState, Explanation, Place, Stage, StageState, TaskEnd};
use crate::audit::{Entry, Kind};
use crate::log::Inert;

/// What happened, in one sentence.
pub(super) fn summary(entry: &Entry<'_>, stages: &[Stage]) -> String {
    let stopped = stages
        .iter()
        .find(|stage| stage.state == StageState::Stopped);
    let at = stopped.map_or_else(String::new, |stage| format!(" at {}", stage.name));
    let why = entry.error.as_ref();
    let why = why.map_or_else(String::new, |error| format!(": {error}"));
    let approval = entry.approval.as_ref();
    let is_asked = approval.is_some_and(|approval| approval.state == "asked");
    match (entry.kind, entry.outcome.as_deref()) {
        (Kind::Begun, _) => {
            "The call passed every check and its tool was started; its end is not on record"
                .to_owned()
        }
        (_, Some("ok")) if is_asked => {
            "The call needs approval: its client was told to ask its user and to make it again"
                .to_owned()
        }
        (_, Some("ok")) if entry.task == Some(entry.call_id) => {
            "The call was answered with a task".to_owned()
        }
        (_, Some("ok")) => "The call was served".to_owned(),
        (_, Some("denied")) => format!("The call was refused{at}{why}"),
        (_, Some("invalid")) => format!("The request was not valid{at}{why}"),
        (_, Some("timed_out")) => format!("The call took too long{at}{why}"),
        (_, Some("failed")) => format!("The call failed{at}{why}"),
        (_, Some("cancelled")) => format!("The call was cancelled{at}"),
        _ => "The call ended in a way that this version does not know".to_owned(),
    }
}

/// How a task ended, in one sentence.
pub(super) fn end_of_task(entry: &Entry<'_>) -> String {
    let why = entry.error.as_ref();
    let why = why.map_or_else(String::new, |error| format!(": {error}"));
    match entry.outcome.as_deref() {
        Some("ok") => "It came to a result".to_owned(),
        Some("timed_out") => format!("It took too long{why}"),
        Some("cancelled") => "It was cancelled".to_owned(),
        _ => format!("It failed{why}"),
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, said: &str) -> fmt::Result {
    writeln!(f, "  {name:<11} {}", Inert(said))
}

fn optional(f: &mut fmt::Formatter<'_>, name: &str, said: Option<&str>) -> fmt::Result {
    said.map_or(Ok(()), |said| line(f, name, said))
}

fn list(f: &mut fmt::Formatter<'_>, name: &str, said: &[String]) -> fmt::Result {
    match said {
        [] => Ok(()),
        said => line(f, name, &said.join(", ")),
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Inert(&self.summary))?;
        line(f, "call", &self.call_id.to_string())?;
        line(f, "time", &self.time)?;
        self.who(f)?;
        self.what(f)?;
        writeln!(f, "\nStages")?;
        self.stages.iter().try_for_each(|stage| stage.fmt(f))?;
        if let Some(took) = self.duration_us {
            writeln!(f, "  in all {:>19}", Micros(took).to_string())?;
        }
        self.why(f)?;
        self.task(f)?;
        if !self.advice.is_empty() {
            writeln!(f, "\nWhat to do")?;
            for advice in &self.advice {
                writeln!(f, "  - {}", Inert(advice))?;
            }
        }
        write!(f, "\n{}", self.line)
    }
}

impl Explanation {
    fn who(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.caller.tenant, &self.caller.subject) {
            (Some(tenant), Some(subject)) => {
                line(f, "caller", &format!("{subject} of tenant {tenant}"))?;
                let held = self.caller.scopes.join(", ");
                let held = if held.is_empty() {
                    "(no scopes)"
                } else {
                    &held
                };
                line(f, "holds", held)?;
            }
            _ => line(f, "caller", "(not known: it was not authenticated)")?,
        }
        optional(f, "from", self.caller.address.as_deref())
    }

    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        line(
            f,
            "request",
            &format!("{} over {}", request.method, request.surface),
        )?;
        optional(f, "target", request.target.as_deref())?;
        if request.target.is_none() {
            optional(f, "asked for", request.asked.as_deref())?;
        }
        match (&request.arguments, &request.digest) {
            (Some(values), _) => line(f, "arguments", &values.to_string())?,
            (None, Some(digest)) => line(f, "arguments", &format!("(digest {digest})"))?,
            (None, None) => {}
        }
        if request.redacted.iter().any(|path| path == "*") {
            line(f, "left out", "all arguments, since they are long")?;
        } else {
            list(f, "left out", &request.redacted)?;
        }
        if let Some(generation) = self.generation {
            line(
                f,
                "decided by",
                &format!("configuration {generation} since the server's start"),
            )?;
        }
        optional(f, "trace", self.trace.as_deref())
    }

    /// What became of the task that it made, or which one it is about.
    fn task(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(made_by) = self.task else {
            return Ok(());
        };
        writeln!(f, "\nTask")?;
        if made_by != self.call_id {
            return line(f, "made by", &format!("call {made_by}"));
        }
        match &self.task_end {
            Some(end) => end.fmt(f),
            None => line(f, "end", "Not on record: it still runs, or its server died"),
        }
    }

    fn why(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_reason = self.error.is_some()
            || self.approval.is_some()
            || !self.quota.is_empty()
            || !self.would_deny.is_empty();
        if !has_reason {
            return Ok(());
        }
        writeln!(f, "\nWhy")?;
        optional(f, "error", self.error.as_deref())?;
        optional(f, "cause", self.cause.as_deref())?;
        list(f, "missing", &self.missing)?;
        list(f, "one of", &self.missing_any_of)?;
        if let Some(rule) = &self.rule {
            let said = format!("rules[{}] {}: {}", rule.index, rule.effect, rule.condition);
            line(f, "rule", &said)?;
        }
        if let Some(approval) = &self.approval {
            line(f, "approval", &approval.to_string())?;
        }
        for bucket in &self.quota {
            line(f, "rate limit", &bucket.to_string())?;
        }
        if let Some(wait) = self.retry_after_ms {
            let wait = Micros(wait.saturating_mul(1000));
            line(f, "try again", &format!("{wait} after the answer"))?;
        }
        list(f, "in shadow", &self.would_deny)
    }
}

impl Display for TaskEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "end", &self.summary)?;
        optional(f, "cause", self.cause.as_deref())?;
        if let Some(took) = self.duration_us {
            line(f, "after", &Micros(took).to_string())?;
        }
        line(f, "line", &self.line.to_string())
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, seq) = (self.line, self.seq);
        write!(f, "{} line {line}, sequence {seq}", Inert(&self.file))
    }
}

impl Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            StageState::Passed => "passed",
            StageState::Stopped => "STOPPED",
            StageState::Entered => "ENTERED",
            StageState::NotReached => "-",
        };
        let took = self.took_us.map(|took| Micros(took).to_string());
        let (name, took) = (&self.name, took.unwrap_or_default());
        let (name, decides) = (Inert(name).to_string(), Inert(&self.decides));
        writeln!(f, "  {name:<12} {state:<8} {took:>9}  {decides}")
    }
}

impl Display for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; needed by: {}", self.state, self.condition)?;
        if let Some(failure) = &self.failure {
            write!(f, " (cannot be evaluated: {failure})")?;
        }
        if let Some(unusable) = &self.unusable {
            write!(
                f,
                "; the one that came with the call is of no use: {unusable}"
            )?;
        }
        Ok(())
    }
}

impl Display for BucketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reset = Micros(self.reset_ms.saturating_mul(1000));
        let (limit, left) = (&self.limit, self.remaining);
        write!(f, "{limit}: {left} left, full again after {reset}")
    }
}

/// A span of time, from microseconds.
struct Micros(u64);

impl Display for Micros {
    #[expect(
        clippy::cast_precision_loss,
        reason = "for reading, with one digit of a fraction"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            micros @ ..1000 => write!(f, "{micros} us"),
            micros @ 1000..1_000_000 => write!(f, "{:.1} ms", micros as f64 / 1e3),
            micros => write!(f, "{:.1} s", micros as f64 / 1e6),
        }
    }
}
