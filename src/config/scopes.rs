//! `auth.scopes`: which scopes include which others.
//!
//! A reader would ask why a circle is refused when its meaning is clear (all of its scopes are one): nobody
//! writes one on purpose, and a scope that silently equals a stronger one is a hole.

use std::collections::{BTreeMap, BTreeSet};

use super::document::At;
use super::faults::Faults;
use super::raw::RawScope;

/// The most different scopes under `auth.scopes`, and the most bytes of one: what one caller may hold.
const MAX_SCOPES: usize = 512;
const MAX_SCOPE_BYTES: usize = 256;

/// What a scope has to be.
const NO_SCOPE: &str = "a scope is printable ASCII without spaces, quotes and backslashes, such as customer:read, of at most 256 characters";

pub(super) fn check(
    raw: BTreeMap<String, RawScope>,
    at: &At<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, Vec<String>> {
    let scopes: BTreeMap<String, Vec<String>> = raw
        .into_iter()
        .map(|(scope, raw)| (scope, raw.includes))
        .collect();
    for (scope, included) in &scopes {
        let at = at.key(scope);
        if !is_scope(scope) {
            at.fault(faults, NO_SCOPE);
        }
        let at = at.key("includes");
        check_scopes(included, &at, faults);
        if let Some(way) = way_back(scope, &scopes) {
            // One fault for each circle: at the first of its scopes.
            if way.iter().all(|other| *other >= scope.as_str()) {
                at.fault(faults, circle(&way));
            }
        }
    }
    let names: BTreeSet<&String> = scopes.keys().chain(scopes.values().flatten()).collect();
    if names.len() > MAX_SCOPES {
        at.fault(
            faults,
            format!("names more than {MAX_SCOPES} different scopes"),
        );
    }
    scopes
}

/// Checks a list of scopes.
pub(super) fn check_scopes(scopes: &[String], at: &At<'_>, faults: &mut Faults) {
    for (index, scope) in scopes.iter().enumerate() {
        if !is_scope(scope) {
            at.index(index).fault(faults, NO_SCOPE);
        }
    }
}

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
fn is_scope(text: &str) -> bool {
    (1..=MAX_SCOPE_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// The scopes between `scope` and itself, if it includes itself.
fn way_back<'s>(scope: &str, scopes: &'s BTreeMap<String, Vec<String>>) -> Option<Vec<&'s str>> {
    // Each scope with the one by way of which it was found.
    let mut found: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut left: Vec<(&str, Option<&str>)> = Vec::new();
    let next = |of: &str| scopes.get(of).into_iter().flatten().map(String::as_str);
    left.extend(next(scope).map(|included| (included, None)));
    while let Some((included, by_way_of)) = left.pop() {
        if included == scope {
            let mut way: Vec<&str> = Vec::new();
            let mut step = by_way_of;
            while let Some(name) = step {
                way.push(name);
                step = found.get(name).copied().flatten();
            }
            way.reverse();
            return Some(way);
        }
        if found.contains_key(included) {
            continue;
        }
        found.insert(included, by_way_of);
        left.extend(next(included).map(|further| (further, Some(included))));
    }
    None
}

/// The scopes on the way are keys of this section, so they may be named.
fn circle(way: &[&str]) -> String {
    let by_way_of = match way {
        [] => String::new(),
        way => format!(" by way of {}", way.join(", ")),
    };
    format!("the scope includes itself{by_way_of}; remove one of them")
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{faults, good};

    #[test]
    fn scopes_include_others() {
        let text =
            "auth: {scopes: {'customer:admin': {includes: ['customer:read', 'customer:write']}}}";
        let scopes = good(text).auth.scopes;
        assert_eq!(
            scopes["customer:admin"],
            ["customer:read", "customer:write"]
        );
        assert!(good("{}").auth.scopes.is_empty());
    }

    #[test]
    fn a_circle_is_one_fault_that_names_it() {
        let text = "auth:\n  scopes:\n    a: {includes: [b]}\n    b: {includes: [x, c]}\n    c: {includes: [a]}\n    d: {includes: [a]}\n    e: {includes: [e]}\n";
        assert_eq!(
            faults(text),
            [
                "tollgate.yaml:3: auth.scopes.a.includes: the scope includes itself by way of b, c; remove one of them",
                "tollgate.yaml:7: auth.scopes.e.includes: the scope includes itself; remove one of them",
            ]
        );
    }

    #[test]
    fn what_is_no_scope_is_refused() {
        let text = "auth:\n  scopes:\n    'a b': {includes: [ok, '']}\n    c: {includes: []}\n";
        let all = faults(text);
        assert_eq!(
            all,
            ["tollgate.yaml:4: auth.scopes.c.includes: needs at least one entry"]
        );
        let text = "auth:\n  scopes:\n    'a b': {includes: [ok, '']}\n";
        let all = faults(text);
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all[0].starts_with("tollgate.yaml:3: auth.scopes.\"a b\": a scope is printable"));
        assert!(all[1].contains("auth.scopes.\"a b\".includes[1]: a scope is printable"));
    }

    #[test]
    fn the_number_of_scopes_is_bounded() {
        let many: Vec<String> = (0..600).map(|n| format!("s{n}")).collect();
        let text = format!(
            "auth:\n  scopes:\n    a: {{includes: [{}]}}\n",
            many.join(", ")
        );
        assert_eq!(
            faults(&text),
            ["tollgate.yaml:2: auth.scopes: names more than 512 different scopes"]
        );
    }
}
