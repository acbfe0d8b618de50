//! One recorded call, decided again, and what of that differs.
//!
//! Arguments come last, after scopes and quota. So a call whose arguments were not recorded is decided
//! with none: what is refused before they matter is refused whatever they were, and only what comes as
//! far as them is undecidable, unless nothing that reads them has changed.

use std::time::Duration;

use super::recorded::{Recorded, Was};
use crate::auth::Principal;
use crate::error::CallError;
use crate::pipeline::CallRequest;
use crate::server::{Decider, Decision};
use crate::tool::{CompiledConfirm, CompiledRule, Effect, Mode, Target, TargetRef, Terms};

/// What a call is whose limit was not asked.
const RATE_LIMITED: &str = "it was refused for its rate limit: --quotas decides that";
const NO_URI: &str = "its URI was not recorded";
const NO_CALLER: &str = "nobody can be called what its caller is";
/// How often buckets that are full again are freed.
const SWEEP: Duration = Duration::from_secs(60);

/// Decides by a configuration, and knows perhaps the one that was in force.
pub(super) struct Judge {
    new: Decider,
    before: Option<Decider>,
    /// Whether rate limits count.
    counts: bool,
    /// The time of the first call, when the clock stood at zero.
    first: Option<Duration>,
}

/// What is other than recorded, and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    Same,
    /// It was allowed and is refused.
    Refused(String),
    /// It was refused and is allowed; why it was.
    Allowed(String),
    /// It was allowed and is, once it is approved of; by which condition.
    Asked(String),
    /// It needed approval and does no longer.
    Unasked,
    /// It was and is refused, for another reason.
    Reason(String),
    /// Nobody can say.
    Undecidable(&'static str),
}

impl Judge {
    pub(super) fn new(new: Decider, before: Option<Decider>, counts: bool) -> Self {
        Self {
            new,
            before,
            counts,
            first: None,
        }
    }

    /// Decides a call at the time when it came, or now if that is past.
    pub(super) async fn decide(&mut self, call: &Recorded) -> Change {
        self.turn_to(call.at);
        let Some(target) = call.target.to_ask() else {
            return Change::Undecidable(NO_URI);
        };
        let target = target.borrow();
        let caller = self.new.caller(&call.tenant, &call.subject, &call.scopes);
        let Ok(caller) = caller else {
            return Change::Undecidable(NO_CALLER);
        };
        let request = CallRequest::new(target, call.arguments.clone().unwrap_or_default());
        let decision = self.new.decide(&caller, request).await;
        match call.arguments {
            Err(why) if self.depends_on_arguments(&target, &caller, &decision) => {
                self.by_comparison(call, &target, &caller, why)
            }
            _ => self.change(call, &decision),
        }
    }

    fn turn_to(&mut self, at: Duration) {
        let clock = self.new.clock();
        let before = clock.monotonic();
        let now = at.saturating_sub(*self.first.get_or_insert(at));
        clock.advance(now.saturating_sub(before));
        if now.as_secs() / SWEEP.as_secs() > before.as_secs() / SWEEP.as_secs() {
            self.new.evict_idle();
        }
    }

    /// Whether other arguments might be decided otherwise.
    fn depends_on_arguments(
        &self,
        target: &TargetRef<'_>,
        caller: &Principal,
        decision: &Decision,
    ) -> bool {
        match &decision.refusal {
            None | Some(CallError::InvalidArguments(_)) => true,
            Some(CallError::RefusedByRule { index, .. }) => {
                let found = self.new.catalog().find(target, caller.tenant_key());
                found.is_none_or(|found| {
                    let rules = found.target.terms(caller.tenant_key()).rules();
                    rules.get(*index).is_none_or(CompiledRule::reads_arguments)
                })
            }
            Some(_) => false,
        }
    }

    /// The call came as far as its arguments. If it did so then, and nothing that reads them has
    /// changed, what became of it then becomes of it again.
    fn by_comparison(
        &self,
        call: &Recorded,
        target: &TargetRef<'_>,
        caller: &Principal,
        why: &'static str,
    ) -> Change {
        let find = |decider: &Decider| decider.catalog().find(target, caller.tenant_key());
        let before = self.before.as_ref().and_then(find);
        match (before, find(&self.new)) {
            (Some(before), Some(new))
                if call.came_to_arguments && reads_alike(&before.target, &new.target, caller) =>
            {
                Change::Same
            }
            _ => Change::Undecidable(why),
        }
    }

    fn change(&self, call: &Recorded, decision: &Decision) -> Change {
        let was = match (&call.decision, &decision.refusal) {
            (Was::Allowed, None) => {
                return match (&decision.confirm, call.needed_approval) {
                    (Some(condition), false) => Change::Asked(condition.clone()),
                    (None, true) => Change::Unasked,
                    _ => Change::Same,
                };
            }
            (Was::Allowed, Some(refusal)) => return Change::Refused(reason(refusal)),
            (Was::Refused(was), _) => was,
        };
        match &decision.refusal {
            None if !self.counts && was == "quota-exceeded" => Change::Undecidable(RATE_LIMITED),
            None => Change::Allowed(was.clone()),
            Some(refusal) if kind(refusal) == was => Change::Same,
            Some(refusal) => Change::Reason(format!("{}; was {was}", reason(refusal))),
        }
    }
}

/// Whether all that reads arguments is the same.
fn reads_alike(before: &Target, new: &Target, caller: &Principal) -> bool {
    fn readers<'t>(terms: &'t Terms) -> impl Iterator<Item = (Effect, Mode, &'t str)> + use<'t> {
        let rules = terms.rules().iter().filter(|rule| rule.reads_arguments());
        rules.map(|rule| (rule.effect(), rule.mode(), rule.condition()))
    }
    fn confirm(terms: &Terms) -> Option<&str> {
        terms.confirm().map(CompiledConfirm::condition)
    }
    let (one, other) = (
        before.terms(caller.tenant_key()),
        new.terms(caller.tenant_key()),
    );
    before.name() == new.name()
        && before.input().json() == new.input().json()
        && readers(one).eq(readers(other))
        && confirm(one) == confirm(other)
}

/// The kind of a refusal; that behind `too-many-denials`.
fn kind(refusal: &CallError) -> &'static str {
    match refusal {
        CallError::TooManyDenials { instead_of, .. } => instead_of,
        refusal => refusal.row().kind,
    }
}

/// A refusal in few words, the same for all calls that are refused for the same reason: without
/// anything of the call.
fn reason(refusal: &CallError) -> String {
    let kind = refusal.row().kind;
    match refusal {
        CallError::InsufficientScope { .. } => format!("{kind}: {}", refusal.detail()),
        CallError::RefusedByRule { index, because, .. } => {
            let because = because.as_ref().map(|because| format!(" ({because})"));
            format!("{kind}: rules[{index}]{}", because.unwrap_or_default())
        }
        CallError::QuotaExceeded {
            limit: Some(limit), ..
        } => format!("{kind}: {limit}"),
        _ => kind.to_owned(),
    }
}
