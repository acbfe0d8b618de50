//! The scopes that callers need, as tools and tenants write them: a list, or `allOf` and `anyOf`.
//!
//! A reader would ask why an empty demand is refused: it lets everybody in, and that has a key of its own.

use super::document::At;
use super::faults::Faults;
use super::policy::Mode;
use super::raw::{RawMode, RawScopeSet, RawScopes};
use super::scopes::check_scopes;

/// A demand on a caller's scopes, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScopeSet {
    /// Scopes of which a caller needs every one.
    pub all_of: Vec<String>,
    /// Scopes of which a caller needs one; empty: none of them.
    pub any_of: Vec<String>,
}

pub(super) fn check(raw: RawScopes, at: &At<'_>, faults: &mut Faults) -> (ScopeSet, Mode) {
    let (set, mode) = match raw {
        RawScopes::All(all_of) => {
            check_scopes(&all_of, at, faults);
            let any_of = Vec::new();
            (ScopeSet { all_of, any_of }, RawMode::Enforce)
        }
        RawScopes::Set(RawScopeSet {
            all_of,
            any_of,
            mode,
        }) => {
            check_scopes(&all_of, &at.key("allOf"), faults);
            check_scopes(&any_of, &at.key("anyOf"), faults);
            (ScopeSet { all_of, any_of }, mode)
        }
    };
    if set.all_of.is_empty() && set.any_of.is_empty() {
        at.fault(
            faults,
            "needs at least one scope; `anyAuthenticated: true` lets every authenticated caller in",
        );
    }
    (set, mode.into())
}

#[cfg(test)]
mod tests {
    use crate::config::testing::tool_faults;

    #[test]
    fn scopes_are_tokens_of_rfc_6749() {
        for scope in ["", "a b", "a\"b", "a\\b", "ä"] {
            assert_eq!(
                tool_faults(&format!("scopes: [ok, '{scope}']\n")),
                [
                    "tollgate.yaml:4: tools.t.scopes[1]: a scope is printable ASCII without spaces, quotes and backslashes, such as customer:read, of at most 256 characters"
                ]
            );
        }
    }

    #[test]
    fn a_set_is_checked_like_a_list() {
        assert_eq!(
            tool_faults("scopes: {allOf: [], anyOf: []}\n"),
            [
                "tollgate.yaml:4: tools.t.scopes: needs at least one scope; `anyAuthenticated: true` lets every authenticated caller in"
            ]
        );
        assert_eq!(
            tool_faults("scopes: {anyOf: ['a b'], oneOf: [a]}\n"),
            ["tollgate.yaml:4: tools.t.scopes.oneOf: unknown key `oneOf`; did you mean `anyOf`?"]
        );
        assert_eq!(
            tool_faults("scopes: {anyOf: ['a b']}\n"),
            [
                "tollgate.yaml:4: tools.t.scopes.anyOf[0]: a scope is printable ASCII without spaces, quotes and backslashes, such as customer:read, of at most 256 characters"
            ]
        );
    }
}
