//! What the audit log gets to know of a call: how it was decided, stage by stage.
//!
//! A trail is kept only where there is a log. It is written when the record closes; in strict mode a
//! shorter line is written before the tool starts, so that nothing runs that is not on record, and
//! whoever answers waits until the lines are where they are safe.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{ApprovalFacts, CallRecord};
use crate::audit::{
    ApprovalTrail, Bucket, Captured, Entry, Kind, Log, RedactionChange, RuleTrail, Stages, Ticket,
    Unwritable,
};
use crate::clock::rfc3339;
use crate::error::{CallError, Outcome, Row, millis_up};
use crate::network::address_text;
use crate::tool::{Arguments, Effect, TargetRef};

/// Longest name or URI of a caller's that is kept, in characters.
const MAX_ASKED_CHARS: usize = 256;
/// Longest cause that is kept, in characters.
const MAX_CAUSE_CHARS: usize = 512;

/// The trail of one call.
pub(super) struct Trail {
    log: Arc<Log>,
    generation: u64,
    address: Option<IpAddr>,
    asked: Option<String>,
    arguments: Option<Captured>,
    stages: Stages,
    /// When the last stage ended.
    mark: Duration,
    refusal: Refusal,
    owed: Owed,
}

/// What an answer waits for.
#[derive(Clone, Copy)]
enum Owed {
    Nothing,
    Line(Ticket),
    /// There was no room for the line.
    Lost,
}

/// What a refusal says beyond its kind.
#[derive(Default)]
struct Refusal {
    missing: Vec<String>,
    missing_any_of: Vec<String>,
    rule: Option<usize>,
    retry_after: Option<Duration>,
}

impl Trail {
    pub(super) fn new(log: &Arc<Log>, generation: u64, now: Duration) -> Self {
        Self {
            log: Arc::clone(log),
            generation,
            address: None,
            asked: None,
            arguments: None,
            stages: Stages::default(),
            mark: now,
            refusal: Refusal::default(),
            owed: Owed::Nothing,
        }
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// A stage ended.
    fn passed(&mut self, stage: impl FnOnce(&mut Stages) -> &mut Option<u64>, now: Duration) {
        let took = now.saturating_sub(std::mem::replace(&mut self.mark, now));
        *stage(&mut self.stages) = Some(micros(took));
    }

    /// Keeps what a refusal says.
    pub(super) fn refused(&mut self, error: &CallError) {
        self.refusal.retry_after = error.retry_after();
        match error {
            CallError::InsufficientScope {
                missing,
                missing_any_of,
                ..
            } => {
                self.refusal.missing.clone_from(missing);
                self.refusal.missing_any_of.clone_from(missing_any_of);
            }
            CallError::RefusedByRule { index, .. } => self.refusal.rule = Some(*index),
            _ => {}
        }
    }

    /// The line of the call as far as it came. That it begins is told in few words: all that was decided
    /// stands in the line of its end.
    fn entry<'a>(&'a self, record: &'a CallRecord, kind: Kind) -> Entry<'a> {
        let principal = record.principal.as_deref();
        let target = record.target.as_deref();
        let is_end = kind == Kind::Call;
        let texts = |texts: &'a [String]| texts.iter().map(|text| Cow::Borrowed(&**text)).collect();
        Entry {
            kind,
            time: rfc3339(record.started_unix).into(),
            call_id: record.call_id,
            surface: record.surface.name().into(),
            method: record.method.into(),
            target: target.map(|target| target.name().into()),
            asked: self
                .asked
                .as_deref()
                .filter(|_| target.is_none())
                .map(Cow::Borrowed),
            tenant: principal.map(|principal| principal.tenant().into()),
            subject: principal.map(|principal| principal.subject().into()),
            scopes: principal
                .filter(|_| is_end)
                .map_or_else(Vec::new, |principal| {
                    principal
                        .scopes()
                        .iter()
                        .map(|scope| Cow::Borrowed(&**scope))
                        .collect()
                }),
            address: self.address.map(|address| address_text(address).into()),
            task: record.task,
            arguments: self.arguments.as_ref().map(Captured::entry),
            outcome: None,
            error: None,
            cause: None,
            missing: texts(&self.refusal.missing),
            missing_any_of: texts(&self.refusal.missing_any_of),
            rule: self.rule(record),
            approval: record.approval.as_deref().map(ApprovalFacts::entry),
            quota: if is_end { buckets(record) } else { Vec::new() },
            retry_after_ms: self.refusal.retry_after.map(millis_up),
            uncounted: record.uncounted,
            would_deny: record
                .would_deny
                .iter()
                .map(|what| what.to_string().into())
                .collect(),
            stages: if is_end {
                self.stages
            } else {
                Stages::default()
            },
            duration_us: None,
            generation: Some(self.generation),
            trace: record.trace_id().map(Cow::Owned),
        }
    }

    /// The rule that refused, as the configuration has it.
    fn rule<'a>(&self, record: &'a CallRecord) -> Option<RuleTrail<'a>> {
        let (target, principal) = (record.target.as_ref()?, record.principal.as_ref()?);
        let index = self.refusal.rule?;
        let rule = target.terms(principal.tenant_key()).rules().get(index)?;
        Some(RuleTrail {
            index,
            effect: match rule.effect() {
                Effect::Deny => "deny".into(),
                Effect::AllowOnlyIf => "allowOnlyIf".into(),
            },
            condition: rule.condition().into(),
        })
    }
}

impl ApprovalFacts {
    fn entry(&self) -> ApprovalTrail<'_> {
        ApprovalTrail {
            condition: self.condition.as_str().into(),
            failure: self.failure.map(|failure| failure.to_string().into()),
            state: self.state.into(),
            unusable: self.unusable.map(|why| why.as_str().into()),
        }
    }
}

impl CallRecord {
    /// Which address the request came from.
    pub fn from_address(&mut self, address: Option<IpAddr>) {
        self.origin.address = address;
        if let Some(trail) = &mut self.trail {
            trail.address = address;
        }
    }

    /// What is asked for, before anything of it is checked.
    pub fn asked(&mut self, target: &TargetRef<'_>, arguments: &Arguments) {
        let Some(trail) = &mut self.trail else { return };
        let short = |text: &str| Some(first_chars(text, MAX_ASKED_CHARS).to_owned());
        match target {
            TargetRef::Tool(name) | TargetRef::Prompt(name) | TargetRef::Template(name) => {
                trail.arguments = Some(trail.log.capture(arguments));
                trail.asked = short(name);
            }
            // All that is asked of a resource is in its URI.
            TargetRef::Resource(uri) => {
                trail.arguments = Some(trail.log.capture(&uri_of(uri)));
            }
        }
    }

    /// What was found is called with these: now it is known what is to be kept of them.
    pub fn called_with(&mut self, asked: &TargetRef<'_>, arguments: &Arguments) {
        let (Some(trail), Some(target)) = (&mut self.trail, &self.target) else {
            return;
        };
        let Some(captured) = &mut trail.arguments else {
            return;
        };
        let change = &target.policy().recording;
        match asked {
            TargetRef::Tool(_) | TargetRef::Prompt(_) | TargetRef::Template(_) => {
                trail.log.keep(captured, change, arguments);
            }
            TargetRef::Resource(uri) => {
                let mut variables = target.variables();
                let uri = uri_of(uri);
                if variables.any(|variable| trail.log.leaves_out(change, variable)) {
                    // Within the URI, so that all of it is left out.
                    let all = RedactionChange {
                        left_out: Some(BTreeSet::from(["uri".to_owned()])),
                        ..change.clone()
                    };
                    trail.log.keep(captured, &all, &uri);
                } else {
                    trail.log.keep(captured, change, &uri);
                }
            }
        }
    }

    /// A stage of the call ended now.
    pub(super) fn passed(&mut self, stage: impl FnOnce(&mut Stages) -> &mut Option<u64>) {
        if let Some(trail) = &mut self.trail {
            trail.passed(stage, self.recorder.clock.monotonic());
        }
    }

    /// Puts on record that the tool starts, where that is asked for.
    ///
    /// # Errors
    /// [`CallError::AuditUnavailable`] when it cannot be: then it must not start.
    pub async fn begin(&mut self) -> Result<(), CallError> {
        let Some(trail) = self.trail.as_deref().filter(|trail| trail.log.is_strict()) else {
            return Ok(());
        };
        let log = Arc::clone(&trail.log);
        // The trail stays where it is: a call that is cancelled in this wait is on record as such.
        let intended = log.intend(|line| trail.entry(self, Kind::Begun).compose(line));
        let written = match intended {
            Ok(ticket) => log.written(ticket).await,
            Err(unwritable) => Err(unwritable),
        };
        self.passed(|stages| &mut stages.record);
        written.map_err(|Unwritable| CallError::AuditUnavailable {
            may_have_run: false,
        })
    }

    /// Waits until what was recorded is safe, where that is asked for. To be called before the answer
    /// is sent.
    ///
    /// # Errors
    /// [`CallError::AuditUnavailable`] when it cannot be written: then nothing else may be answered.
    pub async fn settle(&mut self) -> Result<(), CallError> {
        let Some(trail) = &mut self.trail else {
            return Ok(());
        };
        if !trail.log.is_strict() {
            return Ok(());
        }
        let safe = match trail.owed {
            Owed::Nothing => return Ok(()),
            Owed::Line(ticket) => trail.log.synced(ticket).await,
            Owed::Lost => Err(Unwritable),
        };
        let may_have_run = trail.stages.run.is_some() || self.is_running;
        safe.map_err(|Unwritable| CallError::AuditUnavailable { may_have_run })
    }

    /// Writes the line of a call that ended.
    pub(super) fn audit(
        &mut self,
        now: Duration,
        outcome: Outcome,
        error: Option<Row>,
        cause: Option<&str>,
    ) {
        let Some(mut trail) = self.trail.take() else {
            return;
        };
        if self.principal.is_some() || self.recorder.takes_unidentified() {
            let mut entry = trail.entry(self, Kind::Call);
            entry.outcome = Some(outcome.as_str().into());
            entry.error = error.map(|row| row.kind.into());
            entry.cause = cause.map(|cause| first_chars(cause, MAX_CAUSE_CHARS).into());
            entry.duration_us = Some(micros(now.saturating_sub(self.started)));
            let owed = trail.log.append(|line| entry.compose(line));
            trail.owed = owed.map_or(Owed::Lost, Owed::Line);
        }
        self.trail = Some(trail);
    }
}

/// The text, cut where it has more characters.
fn first_chars(text: &str, at_most: usize) -> &str {
    // A text of so many bytes has no more characters.
    if text.len() <= at_most {
        return text;
    }
    let end = text.char_indices().nth(at_most);
    end.map_or(text, |(end, _)| &text[..end])
}

/// What a resource is asked for with.
fn uri_of(uri: &str) -> Arguments {
    Arguments::from_iter([("uri".to_owned(), uri.into())])
}

fn buckets(record: &CallRecord) -> Vec<Bucket<'static>> {
    let bucket = |state: &crate::quota::QuotaState| Bucket {
        limit: state.limit.to_string().into(),
        remaining: state.remaining,
        reset_ms: millis_up(state.reset),
    };
    record.quota.iter().map(bucket).collect()
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::audit::{AuditSettings, Durability, Redaction, Rotation, Window, entries};
    use crate::clock::Clock;
    use crate::record::{Recorder, Surface};

    #[tokio::test]
    async fn a_call_that_is_cancelled_before_its_start_is_on_record_has_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("audit.jsonl");
        let settings = AuditSettings {
            file: Some(file.clone()),
            key: "the-audit-key-of-more-than-32-bytes".to_owned().into(),
            previous_key: None,
            durability: Durability::Strict,
            redaction: Redaction::default(),
            rotation: Rotation::default(),
        };
        let log = Log::open(settings, Clock::system()).unwrap();
        let recorder = Arc::new(Recorder::new(Clock::system(), None, Some(log)));
        let mut record = recorder.open(Surface::Rest, 1);
        let mut start = Box::pin(record.begin());
        let _ = start.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        drop(start);
        drop(record);
        recorder.flush(Duration::from_secs(30));
        let mut ends = Vec::new();
        entries(&file, Window::default(), |_, entry| {
            ends.push(entry.outcome.map(Cow::into_owned));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(ends, [None, Some("cancelled".to_owned())]);
    }
}
