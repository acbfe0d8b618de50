//! One recorded call, decided again, and what of that differs.
//!
//! Arguments come last, after scopes and quota. So a call whose arguments were not recorded is decided
//! with none: what is refused before they matter is refused whatever they were, and only what comes as
//! far as them is undecidable, unless nothing that reads them has changed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use super::recorded::{Recorded, SENSELESS, Taker, Was};
use crate::auth::Principal;
use crate::config::Config;
use crate::error::CallError;
use crate::pipeline::CallRequest;
use crate::server::{Decider, Decision, StartError};
use crate::tool::{
    Arguments, CompiledConfirm, CompiledRule, Effect, Mode, Target, TargetKind, TargetRef, Terms,
    UriTemplate,
};

/// What a call is whose limit was not asked.
const RATE_LIMITED: &str = "it was refused for its rate limit: --quotas decides that";
const NO_URI: &str = "its URI was not recorded";
const NO_URI_AND_SEVERAL: &str = "its URI was not recorded, and another resource may answer for it";
const NO_CALLER: &str = "nobody can be called what its caller is";
/// How often buckets that are full again are freed.
const SWEEP: Duration = Duration::from_secs(60);

/// Decides by a configuration, and knows perhaps the one that was in force.
pub(super) struct Judge {
    config: Config,
    new: Decider,
    before: Option<Decider>,
    counting: Counting,
    /// Where processes count apart, what counts, by the lane whose calls it counts.
    counters: BTreeMap<usize, Decider>,
    /// Decides calls that were let through uncounted, once there is one.
    uncounting: Option<Decider>,
    /// The time of the first call, when the clocks stood at zero.
    first: Option<Duration>,
}

/// How calls take from buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counting {
    /// Not at all.
    No,
    /// Each process has its own, which are full when it starts.
    Apart,
    /// All have the same, which outlive them.
    Together,
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
    /// Decides by `config`.
    ///
    /// # Errors
    /// [`StartError`]: whatever of the policies a server would refuse to start with.
    pub(super) fn new(
        mut config: Config,
        before: Option<Decider>,
        counting: Counting,
    ) -> Result<Self, StartError> {
        if counting == Counting::Together {
            // A store has as many as there is room for.
            config.quotas.max_keys = usize::MAX;
        }
        Ok(Self {
            new: Decider::new(&config)?,
            config,
            before,
            counting,
            counters: BTreeMap::new(),
            uncounting: None,
            first: None,
        })
    }

    /// Decides a call at the time when its limits were asked, or now if that is past.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub(super) async fn decide(&mut self, call: &Recorded) -> Result<Change, StartError> {
        let Some(target) = call.target.to_ask() else {
            return Ok(Change::Undecidable(NO_URI));
        };
        let caller = self.new.caller(&call.tenant, &call.subject, &call.scopes);
        let Ok(caller) = caller else {
            return Ok(Change::Undecidable(NO_CALLER));
        };
        if self.is_one_of_several(&target, &caller) {
            return Ok(Change::Undecidable(NO_URI_AND_SEVERAL));
        }
        let request = CallRequest::new(target, call.arguments.clone().unwrap_or_default());
        let decider = match call.uncounted {
            true => self.uncounting()?,
            false => self.counter(call.lane, call.at)?,
        };
        let decision = decider.decide(&caller, request).await;
        Ok(match call.arguments {
            Err(why) if self.depends_on_arguments(&target, &caller, &decision) => {
                self.by_comparison(call, &target, &caller, why)
            }
            _ => self.change(call, &decision),
        })
    }

    /// A call that is not decided again takes from its buckets.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub(super) async fn take(&mut self, call: &Taker) -> Result<(), StartError> {
        let caller = self.new.caller(&call.tenant, &call.subject, &call.scopes);
        let Ok(caller) = caller else { return Ok(()) };
        let exists = |target: &TargetRef<'_>| {
            let found = self.new.catalog().find(target, caller.tenant_key());
            found.is_some()
        };
        let target = call.targets().into_iter().find(exists);
        if let Some(target) = target {
            let counter = self.counter(call.lane, call.at)?;
            let request = CallRequest::new(target, Arguments::new());
            counter.decide(&caller, request).await;
        }
        Ok(())
    }

    /// A process starts, whose lines are in that lane.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub(super) fn starts(&mut self, lane: usize) -> Result<(), StartError> {
        match self.counters.get_mut(&lane) {
            Some(counter) => counter.forget(),
            None => Ok(()),
        }
    }

    fn uncounting(&mut self) -> Result<&Decider, StartError> {
        if self.uncounting.is_none() {
            let mut config = self.config.clone();
            config.lift_limits();
            self.uncounting = Some(Decider::new(&config)?);
        }
        Ok(self.uncounting.as_ref().unwrap_or(&self.new))
    }

    /// What counts the calls of a lane, at that time.
    fn counter(&mut self, lane: usize, at: Duration) -> Result<&Decider, StartError> {
        let counter = match (self.counting, self.counters.entry(lane)) {
            (Counting::No | Counting::Together, _) => &self.new,
            (Counting::Apart, Entry::Occupied(known)) => known.into_mut(),
            (Counting::Apart, Entry::Vacant(lane)) => lane.insert(self.new.beside()?),
        };
        let clock = counter.clock();
        let before = clock.monotonic();
        let now = at.saturating_sub(*self.first.get_or_insert(at));
        clock.advance(now.saturating_sub(before));
        if now.as_secs() / SWEEP.as_secs() > before.as_secs() / SWEEP.as_secs() {
            counter.evict_idle();
        }
        Ok(counter)
    }

    /// Whether a URI of the template may be answered for by another resource than the one that the template
    /// names, in the new configuration.
    fn is_one_of_several(&self, target: &TargetRef<'_>, caller: &Principal) -> bool {
        let TargetRef::Template(text) = target else {
            return false;
        };
        let Ok(asked) = UriTemplate::parse(text) else {
            return false;
        };
        let enabled = self.new.catalog().targets().iter();
        let enabled = enabled.filter(|target| target.terms(caller.tenant_key()).enabled());
        let templates: Vec<&UriTemplate> = enabled
            .filter_map(|target| match target.kind() {
                TargetKind::Resource(_, template) => Some(template),
                TargetKind::Tool(_) | TargetKind::Prompt(_) => None,
            })
            .collect();
        // Those without variables are looked at first, then the others in their order.
        let (fixed, others): (Vec<_>, Vec<_>) = templates
            .into_iter()
            .partition(|template| template.is_static());
        let first = fixed.into_iter().chain(others);
        let mut before = first.take_while(|template| template.as_str() != *text);
        before.any(|template| template.may_meet(&asked))
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
                if call.came_to_arguments
                    && reads_alike(&before.target, &new.target, caller)
                    && (!reads_arguments(&new.target, caller)
                        || self.holds_alike(call, caller)) =>
            {
                Change::Same
            }
            _ => Change::Undecidable(why),
        }
    }

    /// Whether the caller holds the same scopes in both: rules on arguments may look at them as well.
    fn holds_alike(&self, call: &Recorded, caller: &Principal) -> bool {
        let before = self.before.as_ref();
        let before = before.map(|before| before.caller(&call.tenant, &call.subject, &call.scopes));
        before.is_some_and(|before| before.is_ok_and(|before| before.scopes() == caller.scopes()))
    }

    fn change(&self, call: &Recorded, decision: &Decision) -> Change {
        let was = match (&call.decision, &decision.refusal) {
            // What the tool finds in its arguments nobody can say again.
            (Was::Allowed | Was::Senseless, None) => {
                return match (&decision.confirm, call.needed_approval) {
                    (Some(condition), false) => Change::Asked(condition.clone()),
                    (None, true) => Change::Unasked,
                    _ => Change::Same,
                };
            }
            (Was::Allowed, Some(refusal)) => return Change::Refused(reason(refusal)),
            (Was::Senseless, Some(_)) => SENSELESS,
            (Was::Refused(was), _) => was,
        };
        match &decision.refusal {
            None if self.counting == Counting::No && was == "quota-exceeded" => {
                Change::Undecidable(RATE_LIMITED)
            }
            None => Change::Allowed(was.to_owned()),
            Some(refusal) if kind(refusal) == was => Change::Same,
            Some(refusal) => Change::Reason(format!("{}; was {was}", reason(refusal))),
        }
    }
}

/// Whether a rule or a condition of approval reads arguments.
fn reads_arguments(target: &Target, caller: &Principal) -> bool {
    let terms = target.terms(caller.tenant_key());
    terms.confirm().is_some() || terms.rules().iter().any(CompiledRule::reads_arguments)
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
