//! `rateLimit`: one limit, several, or `unlimited`, as tools, resources, tenants and `quotas.default`
//! write it.
//!
//! A reader would ask why `per` is a list: the words in it are what the count is kept apart by, and
//! the order in which somebody writes them should not matter.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use super::document::At;
use super::faults::Faults;
use super::policy::Mode;
use super::quota::Rate;
use super::raw::{RawFullLimit, RawLimit, RawPer, RawRateLimit};

/// What a rate limit says that limits nothing.
const UNLIMITED: &str = "unlimited";

/// One checked limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How much.
    pub rate: Rate,
    /// Whose calls it counts together.
    pub per: Per,
    /// What one call takes: 1 to the rate's burst.
    pub cost: NonZeroU32,
    /// Whether it refuses calls.
    pub mode: Mode,
}

/// Whose calls a limit counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// `[tenant, tool]`: those of one tenant to one tool or resource.
    TenantTool,
    /// `[tenant]`: those of one tenant, over all that has such a limit.
    Tenant,
    /// `[subject, tool]`: those of one caller to one tool or resource.
    SubjectTool,
    /// `[tool]`: those of everybody to one tool or resource.
    Tool,
}

/// The limits; none where it says `unlimited`. What is wrong is left out.
pub(super) fn check(raw: RawRateLimit, at: &At<'_>, faults: &mut Faults) -> Vec<Limit> {
    let listed = match raw {
        RawRateLimit::One(RawLimit::Rate(text)) if text == UNLIMITED => return Vec::new(),
        RawRateLimit::One(raw) => return limit(raw, at, faults).into_iter().collect(),
        RawRateLimit::All(listed) => listed,
    };
    let mut limits: Vec<Limit> = Vec::new();
    for (index, raw) in listed.into_iter().enumerate() {
        let at = at.index(index);
        let Some(limit) = limit(raw, &at, faults) else {
            continue;
        };
        let same = |other: &Limit| (other.per, other.rate.period) == (limit.per, limit.rate.period);
        if limits.iter().any(same) {
            at.fault(faults, "counts the same calls over the same period as a limit before it: keep one of them, or change the period or `per`");
        }
        limits.push(limit);
    }
    limits
}

/// A rate, or `None` where it says `unlimited`; a fault leaves the slowest behind.
pub(super) fn rate_or_none(text: &str, at: &At<'_>, faults: &mut Faults) -> Option<Rate> {
    (text != UNLIMITED).then(|| rate(text, at, faults).unwrap_or(Rate::LEAST))
}

fn limit(raw: RawLimit, at: &At<'_>, faults: &mut Faults) -> Option<Limit> {
    let (raw, rate_at) = match raw {
        RawLimit::Rate(text) => (RawFullLimit::plain(text), at.clone()),
        RawLimit::Full(raw) => (raw, at.key("limit")),
    };
    let rate = rate(&raw.limit, &rate_at, faults);
    let per = match &raw.per {
        Some(words) => per(words, &at.key("per"), faults),
        None => Some(Per::TenantTool),
    };
    let (rate, per) = (rate?, per?);
    if raw.cost.get() > rate.burst {
        at.key("cost").fault(faults, "is more than the limit lets through at once, so no call could ever go through: lower it, or raise the limit or its burst");
        return None;
    }
    Some(Limit {
        rate,
        per,
        cost: raw.cost,
        mode: raw.mode.into(),
    })
}

fn rate(text: &str, at: &At<'_>, faults: &mut Faults) -> Option<Rate> {
    if text == UNLIMITED {
        at.fault(
            faults,
            "`unlimited` stands alone, as in `rateLimit: unlimited`: it is no limit among others",
        );
        return None;
    }
    let rate = text.parse();
    rate.map_err(|error: super::RateError| at.fault(faults, error.to_string()))
        .ok()
}

fn per(words: &BTreeSet<RawPer>, at: &At<'_>, faults: &mut Faults) -> Option<Per> {
    let words: Vec<RawPer> = words.iter().copied().collect();
    match words.as_slice() {
        [RawPer::Tenant, RawPer::Tool] => Some(Per::TenantTool),
        [RawPer::Tenant] => Some(Per::Tenant),
        [RawPer::Subject, RawPer::Tool] => Some(Per::SubjectTool),
        [RawPer::Tool] => Some(Per::Tool),
        _ => {
            at.fault(
                faults,
                "must be one of [tenant, tool], [tenant], [subject, tool], [tool]; a subject is always one of its tenant",
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{good, good_tool, tool_faults};

    fn limits(text: &str) -> Vec<Limit> {
        let policy = good_tool(&format!("scopes: [a]\nrateLimit: {text}\n")).policy;
        policy.limits.expect("a rate limit")
    }

    fn told(text: &str) -> Vec<(String, Per, u32, Mode)> {
        let limits = limits(text).into_iter();
        limits
            .map(|limit| {
                (
                    limit.rate.to_string(),
                    limit.per,
                    limit.cost.get(),
                    limit.mode,
                )
            })
            .collect()
    }

    #[test]
    fn a_rate_limit_is_one_limit_or_several_or_none() {
        let plain = |rate: &str| (rate.to_owned(), Per::TenantTool, 1, Mode::Enforce);
        assert_eq!(told("5/10s"), [plain("5/10s")]);
        assert_eq!(told("60/1m burst 10"), [plain("60/1m burst 10")]);
        assert_eq!(told("{limit: 5/m}"), [plain("5/1m")]);
        assert_eq!(told("[10/1s, 1000/1d]"), [plain("10/1s"), plain("1000/1d")]);
        assert_eq!(
            told("[10/1s, {limit: 1000/1d, per: [tenant], cost: 10, mode: shadow}]"),
            [
                plain("10/1s"),
                ("1000/1d".to_owned(), Per::Tenant, 10, Mode::Shadow)
            ]
        );
        assert_eq!(told("unlimited"), []);
        assert_eq!(good_tool("scopes: [a]\n").policy.limits, None);
    }

    #[test]
    fn the_words_of_per_stand_in_any_order() {
        for (text, per) in [
            ("[tenant, tool]", Per::TenantTool),
            ("[tool, tenant]", Per::TenantTool),
            ("[tenant]", Per::Tenant),
            ("[subject, tool]", Per::SubjectTool),
            ("[tool, subject]", Per::SubjectTool),
            ("[tool]", Per::Tool),
        ] {
            let limits = limits(&format!("{{limit: 5/m, per: {text}}}"));
            assert_eq!(limits[0].per, per, "{text}");
        }
    }

    const BAD_MAPPINGS: [(&str, &str); 12] = [
        (
            "{limit: 5/m, per: [subject]}",
            ".per: must be one of [tenant, tool], [tenant], [subject, tool], [tool]; a subject is always one of its tenant",
        ),
        (
            "{limit: 5/m, per: [tenant, subject, tool]}",
            ".per: must be one of [tenant, tool], [tenant], [subject, tool], [tool]; a subject is always one of its tenant",
        ),
        (
            "{limit: 5/m, per: [tool, tool]}",
            ".per: holds the same entry twice",
        ),
        ("{limit: 5/m, per: []}", ".per: needs at least one entry"),
        (
            "{limit: 5/m, per: [caller]}",
            ".per[0]: expected one of: tenant, subject, tool",
        ),
        (
            "{limit: 5/m, per: tenant}",
            ".per: expected a list, found a string",
        ),
        ("{limit: 5/m, cost: 0}", ".cost: must be at least 1"),
        (
            "{limit: 60/m burst 2, cost: 3}",
            ".cost: is more than the limit lets through at once, so no call could ever go through: lower it, or raise the limit or its burst",
        ),
        (
            "{limit: 0/m}",
            ".limit: the number of calls must be a whole number from 1 to 1000000000",
        ),
        (
            "{limit: 5/m, pre: [tool]}",
            ".pre: unknown key `pre`; did you mean `per`?",
        ),
        (
            "{per: [tool]}",
            ": the key `limit` is missing: How much, such as `5/10s`, `60/m` or `60/m burst 10`",
        ),
        (
            "{limit: unlimited}",
            ".limit: `unlimited` stands alone, as in `rateLimit: unlimited`: it is no limit among others",
        ),
    ];
    const BAD_LISTS: [(&str, &str); 6] = [
        (
            "[5/m, unlimited]",
            "[1]: `unlimited` stands alone, as in `rateLimit: unlimited`: it is no limit among others",
        ),
        (
            "[5/m, 5/w]",
            "[1]: the period must be a whole number and a unit (ms, s, m, h, d), such as 10s, or a unit alone",
        ),
        (
            "[5/m, 6/60s]",
            "[1]: counts the same calls over the same period as a limit before it: keep one of them, or change the period or `per`",
        ),
        ("[]", ": needs at least one entry"),
        (
            "[1/s, 1/m, 1/h, 1/d, 1/2s, 1/3s, 1/4s, 1/5s, 1/6s]",
            ": may have at most 8 entries",
        ),
        (
            "5",
            ": expected a string such as 5/10s, found a whole number",
        ),
    ];

    #[test]
    fn a_bad_limit_is_told_with_its_line_and_what_to_do() {
        for (text, wanted) in BAD_MAPPINGS.into_iter().chain(BAD_LISTS) {
            let wanted = format!("tollgate.yaml:5: tools.t.rateLimit{wanted}");
            let faults = tool_faults(&format!("scopes: [a]\nrateLimit: {text}\n"));
            assert_eq!(faults, [wanted], "{text}");
        }
    }

    #[test]
    fn the_same_period_for_others_is_another_limit() {
        assert_eq!(
            limits("[5/m, {limit: 6/m, per: [tenant]}, {limit: 7/m, per: [tool]}]").len(),
            3
        );
    }

    #[test]
    fn defaults_and_tenants_write_it_the_same_way() {
        let config = good(
            "quotas: {default: [10/s, 1000/d], denialLimit: unlimited}\ntenants: {acme: {rateLimit: unlimited}}\n",
        );
        assert_eq!(config.quotas.default.len(), 2);
        assert_eq!(config.quotas.denial_limit, None);
        assert_eq!(config.tenants["acme"].limits, Some(Vec::new()));
        assert_eq!(good("{}").quotas.denial_limit.unwrap().to_string(), "60/1m");
    }
}
