//! `expect`: what has to become of a call, as a word, a mapping or a list of both.
//!
//! A reader would ask why only some refusals can be expected: the others are not decided by the policies
//! of a file but by load, tokens or the systems behind a tool, of which a policy test has none.

use crate::config::document::At;
use crate::config::faults::Faults;
use crate::config::raw::{RawExpect, RawFullWanted, RawWanted};
use crate::config::shape::did_you_mean;

/// The kinds of refusals that a policy decides, as in the table of errors.
pub(in crate::config) const REFUSALS: [&str; 8] = [
    "insufficient-scope",
    "refused-by-rule",
    "unknown-tool",
    "unknown-resource",
    "unknown-prompt",
    "invalid-arguments",
    "quota-exceeded",
    "too-many-denials",
];
/// The call goes through.
pub const ALLOW: &str = "allow";
/// It goes through once it is approved of.
pub const CONFIRM: &str = "confirm";
/// Most calls of one entry.
const MOST: u32 = 100_000;

/// What has to become of so many calls in a row. What is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// How many calls, 1 to 100,000.
    pub times: u32,
    /// The kind of their refusal; `None`: they are allowed.
    pub refusal: Option<String>,
    /// Whether they need approval, where they are allowed.
    pub confirm: bool,
    /// The missing scopes of which all are needed, sorted.
    pub missing: Option<Vec<String>>,
    /// The missing scopes of which one is needed, sorted.
    pub missing_any_of: Option<Vec<String>>,
    /// The place of the rule that refuses, from 0.
    pub rule: Option<usize>,
    /// What the caller reads.
    pub detail: Option<String>,
    /// What in shadow mode would refuse, sorted.
    pub would_deny: Option<Vec<String>>,
}

impl Wanted {
    /// The word for it, as in the file.
    pub fn word(&self) -> &str {
        let allowed = if self.confirm { CONFIRM } else { ALLOW };
        self.refusal.as_deref().unwrap_or(allowed)
    }
}

pub(super) fn check(raw: RawExpect, at: &At<'_>, faults: &mut Faults) -> Vec<Wanted> {
    match raw {
        RawExpect::One(raw) => one(raw, at, faults).into_iter().collect(),
        RawExpect::All(listed) => {
            let listed = listed.into_iter().enumerate();
            listed
                .filter_map(|(index, raw)| one(raw, &at.index(index), faults))
                .collect()
        }
    }
}

fn one(raw: RawWanted, at: &At<'_>, faults: &mut Faults) -> Option<Wanted> {
    match raw {
        RawWanted::Word(text) => match word(&text) {
            Ok(wanted) => Some(wanted),
            Err(message) => {
                at.fault(faults, message);
                None
            }
        },
        RawWanted::Full(raw) => Some(full(*raw, at, faults)),
    }
}

/// `allow`, `5 x quota-exceeded`.
fn word(text: &str) -> Result<Wanted, String> {
    let (times, word) = match text.split_once(" x ") {
        None => (1, text),
        Some((times, word)) => {
            let digits = times.bytes().all(|b| b.is_ascii_digit());
            let times = times
                .parse()
                .ok()
                .filter(|times| (1..=MOST).contains(times));
            let times = times.filter(|_| digits);
            let times =
                times.ok_or("the number of calls must be a whole number from 1 to 100000")?;
            (times, word)
        }
    };
    let refusal = match word {
        ALLOW | CONFIRM => None,
        word if REFUSALS.contains(&word) => Some(word.to_owned()),
        word => {
            let known = [&[ALLOW, CONFIRM], REFUSALS.as_slice()].concat();
            let meant = did_you_mean(word, &known);
            return Err(if meant.is_empty() {
                format!(
                    "expected one of: {}; several calls in a row are written such as `5 x allow`",
                    known.join(", ")
                )
            } else {
                format!("unknown word{meant}")
            });
        }
    };
    Ok(Wanted {
        times,
        refusal,
        confirm: word == CONFIRM,
        missing: None,
        missing_any_of: None,
        rule: None,
        detail: None,
        would_deny: None,
    })
}

fn full(raw: RawFullWanted, at: &At<'_>, faults: &mut Faults) -> Wanted {
    let refusal = raw.refusal.as_deref();
    let is = |kind| refusal == Some(kind);
    for (key, is_there, fits, of) in [
        (
            "missing",
            raw.missing.is_some(),
            is("insufficient-scope"),
            "insufficient-scope",
        ),
        (
            "missingAnyOf",
            raw.missing_any_of.is_some(),
            is("insufficient-scope"),
            "insufficient-scope",
        ),
        (
            "rule",
            raw.rule.is_some(),
            is("refused-by-rule"),
            "refused-by-rule",
        ),
    ] {
        if is_there && !fits {
            at.key(key)
                .fault(faults, format!("only goes with `refusal: {of}`"));
        }
    }
    if raw.confirm == Some(true) && refusal.is_some() {
        at.key("confirm").fault(
            faults,
            "what is refused needs no approval: remove it or `refusal`",
        );
    }
    if raw.detail.is_some() && refusal.is_none() {
        at.key("detail").fault(faults, "only goes with a `refusal`");
    }
    let sorted = |list: Option<Vec<String>>| {
        list.map(|mut list| {
            list.sort_unstable();
            list.dedup();
            list
        })
    };
    Wanted {
        times: raw.times.unwrap_or(1),
        refusal: raw.refusal,
        confirm: raw.confirm == Some(true),
        missing: sorted(raw.missing),
        missing_any_of: sorted(raw.missing_any_of),
        rule: raw.rule,
        detail: raw.detail,
        would_deny: sorted(raw.would_deny),
    }
}
