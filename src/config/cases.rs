//! A file of policy cases: calls, and what has to become of them.
//!
//! Read with the machinery of the config file, so that faults look the same: all at once, with line and
//! path. A reader would ask why `${…}` is not expanded in it: a case that depends on who runs it shows
//! nothing.

mod wanted;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::Duration;

use jsonschema::Draft;
use serde_json::{Map, Value};

use super::document::{self, At};
use super::duration;
use super::environment::ProcessEnvironment;
use super::faults::{Faults, Origin, inert};
use super::identity;
use super::raw::{RawCaller, RawCase, RawCases, RawPrincipal, RawStep};
use super::shape::{self, did_you_mean};
use super::{read, schema};
pub(super) use wanted::REFUSALS;
pub use wanted::{ALLOW, CONFIRM, Wanted};

/// The longest time that passes in one step: no bucket takes longer to fill.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// One case: calls in their order, from full buckets.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyCase {
    /// What it shows; without control characters.
    pub name: String,
    /// Where it is written.
    pub origin: Origin,
    /// Its calls; at least one.
    pub steps: Vec<Step>,
}

/// The same call once or several times in a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// How much time passes before it; at most 366 days.
    pub after: Duration,
    /// Who calls.
    pub caller: CaseCaller,
    /// What is called.
    pub target: CaseTarget,
    /// What has to become of it; at least one.
    pub wanted: Vec<Wanted>,
}

/// Who calls in a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseCaller {
    /// 1 to 256 bytes without control characters.
    pub tenant: String,
    /// 1 to 256 bytes without control characters.
    pub subject: String,
    /// Granted scopes (RFC 6749 §3.3), at most 512.
    pub scopes: Vec<String>,
}

/// What is called in a case; it need not exist.
#[derive(Debug, Clone, PartialEq)]
pub enum CaseTarget {
    /// A tool by name, and its arguments.
    Tool(String, Map<String, Value>),
    /// A resource by URI.
    Resource(String),
    /// A prompt by name, and its arguments.
    Prompt(String, Map<String, Value>),
}

impl CaseTarget {
    /// What it is called where targets of all kinds are told.
    pub fn shown(&self) -> Cow<'_, str> {
        match self {
            Self::Tool(name, _) | Self::Resource(name) => name.into(),
            Self::Prompt(name, _) => ["prompt/", name].concat().into(),
        }
    }
}

/// Reads a file of cases.
///
/// # Errors
/// Every fault of the file, or that it cannot be read.
pub fn load_cases(path: &Path) -> Result<Vec<PolicyCase>, Faults> {
    parse(&read(path, "the file of cases", &ProcessEnvironment)?, path)
}

fn parse(text: &str, path: &Path) -> Result<Vec<PolicyCase>, Faults> {
    let root = document::parse(text, path)?;
    let top = At::root(path, &root);
    let broken = || {
        top.origin()
            .fault("does not fit the schema of cases (please report this)")
    };
    let schema = schema::cases_schema();
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .build(&schema)
        .map_err(|_| broken())?;
    let value = root.to_value();
    let mut faults = Faults::default();
    shape::check(validator.iter_errors(&value), &schema, &top, &mut faults);
    faults.or(())?;
    let mut faults = Faults::default();
    let raw: RawCases = serde_json::from_value(value).map_err(|_| broken())?;
    let cases = check(raw, &top, &mut faults);
    faults.or(cases)
}

fn check(raw: RawCases, top: &At<'_>, faults: &mut Faults) -> Vec<PolicyCase> {
    let callers_at = top.key("callers");
    let callers = raw.callers.into_iter().map(|(name, raw)| {
        let caller = caller(raw, &callers_at.key(&name), faults);
        (name, caller)
    });
    let callers: BTreeMap<String, CaseCaller> = callers.collect();
    let cases_at = top.key("cases");
    let (mut cases, mut names) = (Vec::new(), HashMap::new());
    for (index, raw) in raw.cases.into_iter().enumerate() {
        let at = cases_at.index(index);
        if let Some(name) = &raw.name {
            check_name(name, index, &at.key("name"), &mut names, faults);
        }
        cases.extend(check_case(raw, index, &callers, &at, faults));
    }
    cases
}

fn check_name(
    name: &str,
    index: usize,
    at: &At<'_>,
    names: &mut HashMap<String, usize>,
    faults: &mut Faults,
) {
    if inert(name) != name {
        at.fault(faults, "a name has no control characters");
    }
    if let Some(first) = names.insert(name.to_owned(), index) {
        at.fault(faults, format!("is the name of cases[{first}] already"));
    }
}

/// The case, unless it says not who calls what.
fn check_case(
    raw: RawCase,
    index: usize,
    callers: &BTreeMap<String, CaseCaller>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<PolicyCase> {
    let (name, then) = (raw.name, raw.then);
    let caller = caller_of(raw.caller, callers, &at.key("caller"), faults);
    let named = Named {
        tool: raw.tool,
        resource: raw.resource,
        prompt: raw.prompt,
        arguments: raw.arguments,
    };
    let target = target(named, None, at, faults);
    let wanted = wanted::check(raw.expect, &at.key("expect"), faults);
    let mut last = Some(Step {
        after: Duration::ZERO,
        caller: caller?,
        target: target?,
        wanted,
    });
    let mut steps: Vec<Step> = last.iter().cloned().collect();
    let then_at = at.key("then");
    for (index, raw) in then.into_iter().enumerate() {
        last = check_step(raw, last.as_ref()?, callers, &then_at.index(index), faults);
        steps.extend(last.clone());
    }
    let named = || {
        let (caller, target) = (&steps[0].caller.subject, steps[0].target.shown());
        format!("cases[{index}]: {caller} {target}")
    };
    Some(PolicyCase {
        name: inert(&name.unwrap_or_else(named)),
        origin: at.origin(),
        steps,
    })
}

fn check_step(
    raw: RawStep,
    before: &Step,
    callers: &BTreeMap<String, CaseCaller>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<Step> {
    let after = raw.after.map(|text| {
        let at = at.key("after");
        let read = duration::parse(&text).and_then(|after| match after {
            after if after <= LONGEST => Ok(after),
            _ => Err("must be at most 366d"),
        });
        read.map_err(|message| at.fault(faults, message))
    });
    let caller = match raw.caller {
        Some(raw) => caller_of(raw, callers, &at.key("caller"), faults),
        None => Some(before.caller.clone()),
    };
    let named = Named {
        tool: raw.tool,
        resource: raw.resource,
        prompt: raw.prompt,
        arguments: raw.arguments,
    };
    let target = target(named, Some(&before.target), at, faults);
    let wanted = wanted::check(raw.expect, &at.key("expect"), faults);
    Some(Step {
        after: after.transpose().ok()?.unwrap_or_default(),
        caller: caller?,
        target: target?,
        wanted,
    })
}

fn caller(raw: RawPrincipal, at: &At<'_>, faults: &mut Faults) -> CaseCaller {
    identity::check((&raw.tenant, &raw.subject), &raw.scopes, at, faults);
    CaseCaller {
        tenant: raw.tenant,
        subject: raw.subject,
        scopes: raw.scopes,
    }
}

fn caller_of(
    raw: RawCaller,
    callers: &BTreeMap<String, CaseCaller>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<CaseCaller> {
    let name = match raw {
        RawCaller::Own(raw) => return Some(caller(raw, at, faults)),
        RawCaller::Named(name) => name,
    };
    let found = callers.get(&name).cloned();
    if found.is_none() {
        let known: Vec<&str> = callers.keys().map(String::as_str).collect();
        let meant = did_you_mean(&name, &known);
        let message = format!("there is no `{name}` among `callers`{meant}");
        at.fault(faults, message);
    }
    found
}

/// What a call says of its target.
struct Named {
    tool: Option<String>,
    resource: Option<String>,
    prompt: Option<String>,
    arguments: Option<Map<String, Value>>,
}

fn target(
    named: Named,
    before: Option<&CaseTarget>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Option<CaseTarget> {
    let arguments = named.arguments;
    match (named.tool, named.resource, named.prompt) {
        (Some(tool), None, None) => Some(CaseTarget::Tool(tool, arguments.unwrap_or_default())),
        (None, None, Some(prompt)) => {
            Some(CaseTarget::Prompt(prompt, arguments.unwrap_or_default()))
        }
        (None, Some(uri), None) if arguments.is_none() => Some(CaseTarget::Resource(uri)),
        (None, None, None) => match (before, arguments) {
            (Some(before), None) => Some(before.clone()),
            (Some(CaseTarget::Tool(name, _)), Some(arguments)) => {
                Some(CaseTarget::Tool(name.clone(), arguments))
            }
            (Some(CaseTarget::Prompt(name, _)), Some(arguments)) => {
                Some(CaseTarget::Prompt(name.clone(), arguments))
            }
            (Some(CaseTarget::Resource(_)), Some(_)) => without_arguments(at, faults),
            (None, _) => {
                at.fault(faults, "needs either `tool`, `resource` or `prompt`");
                None
            }
        },
        (None, Some(_), None) => without_arguments(at, faults),
        _ => {
            at.fault(
                faults,
                "give either `tool`, `resource` or `prompt`, and not more than one",
            );
            None
        }
    }
}

fn without_arguments(at: &At<'_>, faults: &mut Faults) -> Option<CaseTarget> {
    at.key("arguments").fault(
        faults,
        "only a tool or a prompt has arguments; those of a resource are in its URI",
    );
    None
}
