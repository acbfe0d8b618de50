//! What fills the names of a statement or a request: the tool's arguments, and what is bound from
//! the caller's identity.
//!
//! Which is which is settled once, at load, and every declared name has to be used: one that is not
//! is most likely misspelt.

use serde_json::Value;

use crate::auth::Principal;
use crate::tool::Arguments;

/// Part of the caller's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Its tenant.
    Tenant,
    /// Its subject.
    Subject,
}

/// The names that a tool declares.
#[derive(Clone, Debug)]
pub struct Declared<'a> {
    /// Names of the tool's arguments.
    pub arguments: Vec<&'a str>,
    /// Names bound by the runtime, and to what.
    pub bound: Vec<(&'a str, Bound)>,
}

/// Where one value comes from.
pub(super) enum Input {
    Argument(String),
    Bound(Bound),
}

impl Declared<'_> {
    /// What stands behind a name.
    pub(super) fn input(&self, name: &str) -> Option<Input> {
        if self.arguments.contains(&name) {
            return Some(Input::Argument(name.to_owned()));
        }
        let bound = self.bound.iter().find(|(known, _)| *known == name);
        bound.map(|(_, bound)| Input::Bound(*bound))
    }

    /// A declared name that is not among those used.
    pub(super) fn unused(&self, used: &[&str]) -> Option<String> {
        let bound = self.bound.iter().map(|(name, _)| *name);
        let mut declared = self.arguments.iter().copied().chain(bound);
        let unused = declared.find(|name| !used.contains(name));
        unused.map(str::to_owned)
    }
}

impl Input {
    /// The value in a call; `None` for an optional argument that was left out.
    pub(super) fn value(&self, arguments: &Arguments, principal: &Principal) -> Option<Value> {
        match self {
            Self::Argument(name) => arguments.get(name).cloned(),
            Self::Bound(bound) => Some(bound.of(principal).into()),
        }
    }
}

impl Bound {
    /// The caller's part.
    pub(super) fn of(self, principal: &Principal) -> &str {
        match self {
            Self::Tenant => principal.tenant(),
            Self::Subject => principal.subject(),
        }
    }
}
