//! What fills a statement or a request: the arguments, and what the runtime adds from the caller's identity.
//!
//! A reader would ask why a name may not be both: whoever reads the file must see at once which values a model
//! chooses.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::At;
use super::faults::Faults;
use super::parameters::{self, Parameters};
use super::raw::RawBinding;

/// What the runtime fills in, from the verified credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// The caller's tenant (`caller.tenant`).
    Tenant,
    /// The caller's subject (`caller.subject`).
    Subject,
}

/// Checks the arguments and what the runtime adds to them.
pub(super) fn check(
    parameters: Map<String, Value>,
    bind: BTreeMap<String, RawBinding>,
    at: &At<'_>,
    faults: &mut Faults,
) -> (Parameters, BTreeMap<String, Binding>) {
    let bind_at = at.key("bind");
    for name in bind.keys() {
        let at = bind_at.key(name);
        if parameters.contains_key(name) {
            at.fault(faults, "is also in `parameters`: either the caller gives it or the runtime does; rename one");
        }
        parameters::check_word(name, &at, faults);
    }
    let binding = |raw| match raw {
        RawBinding::Tenant => Binding::Tenant,
        RawBinding::Subject => Binding::Subject,
    };
    let parameters = parameters::check(parameters, &at.key("parameters"), faults);
    (
        parameters,
        bind.into_iter()
            .map(|(name, raw)| (name, binding(raw)))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use crate::config::testing::tool_faults;

    #[test]
    fn a_name_is_either_given_or_bound() {
        assert_eq!(
            tool_faults(
                "anyAuthenticated: true\nparameters: {tenant: {type: string}}\nbind:\n  tenant: caller.tenant\n  'a-b': caller.tenant\n"
            ),
            [
                "tollgate.yaml:7: tools.t.bind.tenant: is also in `parameters`: either the caller gives it or the runtime does; rename one",
                "tollgate.yaml:8: tools.t.bind.a-b: a parameter's name is 1 to 64 letters, digits and `_`, and does not start with a digit",
            ]
        );
        assert_eq!(
            tool_faults("anyAuthenticated: true\nbind: {tenant: caller.scopes}\n"),
            [
                "tollgate.yaml:5: tools.t.bind.tenant: expected one of: caller.tenant, caller.subject",
            ]
        );
    }
}
