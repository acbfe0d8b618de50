//! The table of policies: a row for each tool and resource, and one for each tenant that has its own.

use std::num::NonZeroU32;
use std::sync::Arc;

use super::defaults::Defaults;
use crate::config::format_duration;
use crate::log::Inert;
use crate::tool::{Access, BoundLimit, CompiledRule, Effect, Mode, Target, Terms};

const HEADER: [&str; 7] = [
    "TARGET",
    "TENANT",
    "SCOPES",
    "RULES",
    "QUOTA PER TENANT",
    "TIMEOUT",
    "AT ONCE",
];

/// The table, and below it in words the rules and what needs approval.
pub(super) fn of(targets: &[Arc<Target>], defaults: &Defaults) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    let mut rules = Vec::new();
    for target in targets {
        let own = target.tenant_terms();
        let common = target.common_terms();
        for (tenant, terms) in std::iter::once(("*", common)).chain(own) {
            rows.push(row(target, tenant, terms, defaults));
            if tenant == "*" || !same(terms.rules(), common.rules()) {
                let listed = terms.rules().iter().enumerate();
                rules.extend(listed.map(|(index, rule)| in_words(target, tenant, index, rule)));
            }
            let confirm = |terms: &Terms| terms.confirm().map(|when| when.condition().to_owned());
            if tenant == "*" || confirm(terms) != confirm(common) {
                let own = confirm(terms).or_else(|| (tenant != "*").then(|| "never".to_owned()));
                rules.extend(own.map(|when| {
                    let what = "confirm".to_owned();
                    [target.name().to_owned(), inert(tenant), what, inert(&when)]
                }));
            }
        }
    }
    let mut text = table(&rows);
    if !rules.is_empty() {
        text.push('\n');
        text.push_str(&table(&rules));
    }
    text
}

fn row(target: &Target, tenant: &str, terms: &Terms, defaults: &Defaults) -> [String; 7] {
    let policy = target.policy();
    [
        target.name().to_owned(),
        inert(tenant),
        scopes(terms),
        count(terms.rules()),
        limits(terms, defaults.limit(target.name(), tenant)),
        format_duration(policy.timeout),
        at_once(policy.concurrency.calls, terms.per_tenant()),
    ]
}

/// Calls of all and, where there is such a limit, of the tenant. Without a limit of its own a target
/// has half of all places.
fn at_once(calls: Option<NonZeroU32>, per_tenant: Option<NonZeroU32>) -> String {
    let calls = calls.map_or_else(|| "half".to_owned(), |calls| calls.to_string());
    match per_tenant {
        Some(share) => format!("{calls}, {share} a tenant"),
        None => calls,
    }
}

/// Whether a tenant has the rules that all have, which are told once.
fn same(own: &[CompiledRule], common: &[CompiledRule]) -> bool {
    let told = |rule: &CompiledRule| (rule.effect(), rule.mode(), rule.condition().to_owned());
    own.iter().map(told).eq(common.iter().map(told))
}

fn scopes(terms: &Terms) -> String {
    if !terms.enabled() {
        return "(not enabled)".to_owned();
    }
    let enforced = match terms.access() {
        Access::Scopes(scopes) => scopes.to_string(),
        Access::AnyAuthenticated => "(any authenticated)".to_owned(),
    };
    if terms.shadow_scopes().is_empty() {
        enforced
    } else {
        format!("{enforced}, shadow: {}", terms.shadow_scopes())
    }
}

fn count(rules: &[CompiledRule]) -> String {
    let shadow = rules.iter().filter(|rule| rule.mode() == Mode::Shadow);
    match (rules.len(), shadow.count()) {
        (0, _) => "none".to_owned(),
        (all, 0) => all.to_string(),
        (all, shadow) => format!("{all}, shadow: {shadow}"),
    }
}

fn limits(terms: &Terms, is_default: bool) -> String {
    let all: Vec<String> = terms.limits().iter().map(limit).collect();
    if all.is_empty() {
        "unlimited".to_owned()
    } else {
        let marked = if is_default { "default: " } else { "" };
        format!("{marked}{}", all.join(", "))
    }
}

fn limit(bound: &BoundLimit) -> String {
    let limit = bound.limit();
    if limit.is_enforced() {
        limit.to_string()
    } else {
        format!("shadow: {limit}")
    }
}

fn in_words(target: &Target, tenant: &str, index: usize, rule: &CompiledRule) -> [String; 4] {
    let effect = match rule.effect() {
        Effect::Deny => "deny",
        Effect::AllowOnlyIf => "allowOnlyIf",
    };
    let shadow = match rule.mode() {
        Mode::Enforce => "",
        Mode::Shadow => "shadow: ",
    };
    [
        target.name().to_owned(),
        inert(tenant),
        format!("rules[{index}]"),
        format!("{shadow}{effect} {}", inert(rule.condition().trim())),
    ]
}

/// In one line, without power over a terminal.
fn inert(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    Inert(&words.join(" ")).to_string()
}

/// Columns as wide as their widest cell.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
