//! Scopes that include others: who holds `customer:admin` also holds what it includes.
//!
//! Applied once, when a principal is made, so that every later decision sees plain sets. Only what
//! the operator wrote down counts: a scope includes no other by its prefix or by a wildcard, which
//! would let an issuer that hands out `customer:*` for its own ends decide over ours.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::principal::{IdentityError, MAX_SCOPES, Principal, is_scope};

/// Which scopes include which, transitively. The default: none includes another.
#[derive(Clone, Debug, Default)]
pub struct ScopeInclusion {
    /// All that a scope includes, without the scope itself.
    included: HashMap<Arc<str>, Box<[Arc<str>]>>,
}

impl ScopeInclusion {
    /// Each scope with those it includes directly; what these include is included as well.
    ///
    /// # Errors
    /// [`IdentityError::Scopes`] for a text that is no scope-token (RFC 6749 §3.3), and for more than
    /// 512 different ones: a principal then never holds more than 1,024.
    pub fn new<'s>(
        direct: impl IntoIterator<Item = (&'s str, &'s [String])>,
    ) -> Result<Self, IdentityError> {
        let direct: HashMap<&str, &[String]> = direct.into_iter().collect();
        let named = || {
            let included = direct.values().copied().flatten().map(String::as_str);
            direct.keys().copied().chain(included)
        };
        let names: HashMap<&str, Arc<str>> = named().map(|name| (name, Arc::from(name))).collect();
        if names.len() > MAX_SCOPES || !named().all(is_scope) {
            return Err(IdentityError::Scopes);
        }
        let included = direct.keys().map(|scope| {
            let all = closure(scope, &direct);
            let all = all.into_iter().filter(|name| name != scope);
            let all = all.map(|name| Arc::clone(&names[name])).collect();
            (Arc::clone(&names[scope]), all)
        });
        Ok(Self {
            included: included.collect(),
        })
    }

    /// The principal with what its scopes include.
    pub(super) fn expand(&self, principal: Principal) -> Principal {
        let more: Vec<Arc<str>> = principal
            .scopes()
            .iter()
            .filter_map(|scope| self.included.get(scope))
            .flatten()
            .cloned()
            .collect();
        if more.is_empty() {
            principal
        } else {
            principal.holding_also(more)
        }
    }
}

fn closure<'s>(scope: &'s str, direct: &HashMap<&'s str, &'s [String]>) -> HashSet<&'s str> {
    let mut found = HashSet::new();
    let mut left = vec![scope];
    while let Some(scope) = left.pop() {
        for included in direct.get(scope).copied().into_iter().flatten() {
            if found.insert(included.as_str()) {
                left.push(included);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inclusion(direct: &[(&str, &[&str])]) -> Result<ScopeInclusion, IdentityError> {
        let owned: Vec<(&str, Vec<String>)> = direct
            .iter()
            .map(|(scope, all)| (*scope, all.iter().map(|one| (*one).to_owned()).collect()))
            .collect();
        ScopeInclusion::new(owned.iter().map(|(scope, all)| (*scope, all.as_slice())))
    }

    fn effective(inclusion: &ScopeInclusion, scopes: &[&str]) -> Vec<String> {
        let principal = Principal::new("t", "s", scopes).expect("good scopes");
        let expanded = inclusion.expand(principal);
        expanded.scopes().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn inclusion_is_transitive_and_nothing_else() {
        let rules = inclusion(&[("admin", &["write", "audit"]), ("write", &["read"])]);
        let rules = rules.expect("good scopes");
        assert_eq!(
            effective(&rules, &["admin"]),
            ["admin", "audit", "read", "write"]
        );
        assert_eq!(effective(&rules, &["write"]), ["read", "write"]);
        for alone in ["read", "Admin", "admin:", "write:x", "*"] {
            assert_eq!(effective(&rules, &[alone]), [alone]);
        }
        let key = |scopes: &[&str]| {
            let principal = Principal::new("t", "s", scopes).expect("good scopes");
            rules.expand(principal).scopes_key()
        };
        assert_eq!(key(&["write"]), key(&["read", "write"]));
    }

    #[test]
    fn a_circle_ends() {
        let rules = inclusion(&[("a", &["b"]), ("b", &["a", "c"])]).expect("good scopes");
        assert_eq!(effective(&rules, &["a"]), ["a", "b", "c"]);
    }

    #[test]
    fn bad_scopes_and_too_many_are_refused() {
        assert!(inclusion(&[("a b", &["c"])]).is_err());
        assert!(inclusion(&[("a", &[""])]).is_err());
        let many: Vec<String> = (0..600).map(|n| format!("s{n}")).collect();
        assert!(ScopeInclusion::new([("a", many.as_slice())]).is_err());
    }
}
