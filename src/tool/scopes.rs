//! Which scopes a caller needs: all of some, and one of others.

use crate::auth::Principal;

/// A demand on a caller's scopes: every one of `all_of`, and at least one of `any_of` where that
/// names any.
///
/// ```
/// use tollgate::tool::ScopeSet;
///
/// let set = ScopeSet::all_of(["orders:read"]).or_any_of(["region:eu", "region:us"]);
/// assert_eq!(set.to_string(), "orders:read (region:eu | region:us)");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet {
    /// Scopes the caller needs, every one.
    pub all_of: Vec<String>,
    /// Scopes of which the caller needs one; empty: none of them.
    pub any_of: Vec<String>,
}

impl ScopeSet {
    /// Every one of these.
    pub fn all_of(scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            all_of: scopes.into_iter().map(Into::into).collect(),
            any_of: Vec::new(),
        }
    }

    /// And at least one of these.
    pub fn or_any_of(mut self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.any_of.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Whether nothing is demanded.
    pub fn is_empty(&self) -> bool {
        self.all_of.is_empty() && self.any_of.is_empty()
    }

    /// All scopes it names, in its order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all_of.iter().chain(&self.any_of).map(String::as_str)
    }

    /// Whether the caller holds what is demanded.
    pub fn is_met_by(&self, principal: &Principal) -> bool {
        self.all_of.iter().all(|scope| principal.has_scope(scope))
            && (self.any_of.is_empty() || self.held_of_any(principal).is_some())
    }

    /// The first of `any_of` that the caller holds.
    pub(crate) fn held_of_any(&self, principal: &Principal) -> Option<&str> {
        let mut any = self.any_of.iter().map(String::as_str);
        any.find(|scope| principal.has_scope(scope))
    }
}

/// `a b (c | d)`, as `tollgate check` prints it.
impl std::fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.all_of.join(" "))?;
        if !self.any_of.is_empty() {
            let space = if self.all_of.is_empty() { "" } else { " " };
            write!(f, "{space}({})", self.any_of.join(" | "))?;
        }
        Ok(())
    }
}
