//! One case, decided call by call from full buckets, and the first thing that went otherwise.
//!
//! All calls are made even after that, so that the counts tell the whole story.

use crate::cli::CliError;
use crate::config::{ALLOW, CONFIRM, CaseTarget, PolicyCase, Step, Wanted};
use crate::error::CallError;
use crate::log::Inert;
use crate::pipeline::CallRequest;
use crate::server::{Decider, Decision};
use crate::tool::{Arguments, TargetRef};

/// What came of a case.
pub(super) struct Played<'c> {
    pub(super) case: &'c PolicyCase,
    /// What was wanted and what came, as words with how often in a row.
    pub(super) wanted: Runs,
    pub(super) got: Runs,
    pub(super) difference: Option<Difference>,
}

/// The first call that went otherwise. Texts are inert.
pub(super) struct Difference {
    /// Which of the case's calls, from 1.
    pub(super) call: usize,
    /// Who called what.
    pub(super) what: String,
    pub(super) wanted: String,
    pub(super) got: String,
}

/// Words, each with how often it came in a row.
#[derive(Default)]
pub(super) struct Runs(pub(super) Vec<(u32, String)>);

impl Runs {
    fn add(&mut self, word: &str, times: u32) {
        match self.0.last_mut() {
            Some((count, last)) if last == word => *count += times,
            _ => self.0.push((times, word.to_owned())),
        }
    }

    /// `5 x allow, quota-exceeded`.
    pub(super) fn in_words(&self) -> String {
        let words = self.0.iter().map(|(times, word)| match times {
            1 => word.clone(),
            times => format!("{times} x {word}"),
        });
        words.collect::<Vec<_>>().join(", ")
    }
}

impl Played<'_> {
    pub(super) fn is_as_expected(&self) -> bool {
        self.difference.is_none()
    }
}

/// Decides the calls of one case.
pub(super) async fn case<'c>(
    decider: &mut Decider,
    case: &'c PolicyCase,
) -> Result<Played<'c>, CliError> {
    decider.forget()?;
    let mut played = Played {
        case,
        wanted: Runs::default(),
        got: Runs::default(),
        difference: None,
    };
    let mut call = 0;
    for step in &case.steps {
        decider.clock().advance(step.after);
        for wanted in &step.wanted {
            played.wanted.add(wanted.word(), wanted.times);
            for _ in 0..wanted.times {
                call += 1;
                let decision = decide(decider, step).await?;
                played.got.add(word(&decision), 1);
                if played.difference.is_none() {
                    played.difference = difference(wanted, &decision, call, step);
                }
            }
        }
    }
    Ok(played)
}

async fn decide(decider: &Decider, step: &Step) -> Result<Decision, CliError> {
    let who = &step.caller;
    let caller = decider.caller(&who.tenant, &who.subject, &who.scopes)?;
    let (target, arguments) = match &step.target {
        CaseTarget::Tool(name, arguments) => (TargetRef::Tool(name), arguments.clone()),
        CaseTarget::Resource(uri) => (TargetRef::Resource(uri), Arguments::new()),
        CaseTarget::Prompt(name, arguments) => (TargetRef::Prompt(name), arguments.clone()),
    };
    Ok(decider
        .decide(&caller, CallRequest::new(target, arguments))
        .await)
}

fn word(decision: &Decision) -> &'static str {
    match (&decision.refusal, &decision.confirm) {
        (Some(refusal), _) => refusal.row().kind,
        (None, Some(_)) => CONFIRM,
        (None, None) => ALLOW,
    }
}

fn difference(wanted: &Wanted, got: &Decision, call: usize, step: &Step) -> Option<Difference> {
    let (wanted, got) = if wanted.word() == word(got) {
        mismatch(wanted, got, step)?
    } else {
        (wanted.word().to_owned(), in_words(got))
    };
    let target = step.target.shown();
    let what = format!("{}@{} {target}", step.caller.subject, step.caller.tenant);
    Some(Difference {
        call,
        what: Inert(&what).to_string(),
        wanted: Inert(&wanted).to_string(),
        got: Inert(&got).to_string(),
    })
}

/// What beside the word is not as wanted, and what it is.
fn mismatch(wanted: &Wanted, got: &Decision, step: &Step) -> Option<(String, String)> {
    let list = |key: &str, list: &[String]| format!("{key} [{}]", list.join(", "));
    let differs = |key, wanted: &Option<Vec<String>>, mut got: Vec<String>| {
        got.sort_unstable();
        let wanted = wanted.as_ref().filter(|wanted| **wanted != got)?;
        Some((list(key, wanted), list(key, &got)))
    };
    let would_deny = got.would_deny.iter().map(ToString::to_string).collect();
    if let Some(found) = differs("wouldDeny", &wanted.would_deny, would_deny) {
        return Some(found);
    }
    let refusal = got.refusal.as_ref()?;
    if let CallError::InsufficientScope {
        missing,
        missing_any_of,
        ..
    } = refusal
    {
        let all = differs("missing", &wanted.missing, missing.clone());
        let one = || {
            differs(
                "missingAnyOf",
                &wanted.missing_any_of,
                missing_any_of.clone(),
            )
        };
        if let Some(found) = all.or_else(one) {
            return Some(found);
        }
    }
    if let (Some(rule), CallError::RefusedByRule { index, .. }) = (wanted.rule, refusal)
        && rule != *index
    {
        return Some((format!("rules[{rule}]"), format!("rules[{index}]")));
    }
    let detail = wanted.detail.as_ref()?;
    let told = match (&step.target, refusal) {
        // Of a resource that is all that MCP tells.
        (CaseTarget::Resource(_), CallError::InvalidArguments(_)) => {
            CallError::UnknownResource.detail()
        }
        _ => refusal.detail(),
    };
    (*detail != told).then(|| (format!("\"{detail}\""), format!("\"{told}\"")))
}

/// The word, and why.
fn in_words(got: &Decision) -> String {
    let Some(refusal) = &got.refusal else {
        return match &got.confirm {
            Some(condition) => format!("{CONFIRM} ({condition})"),
            None => ALLOW.to_owned(),
        };
    };
    let cause = refusal.cause().map(|cause| format!(" ({cause})"));
    format!(
        "{}: {}{}",
        refusal.row().kind,
        refusal.detail(),
        cause.unwrap_or_default()
    )
}
