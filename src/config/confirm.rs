//! `confirm`: which calls of a tool need the approval of the caller's user.
//!
//! As with rules, the CEL is checked by the compiler that evaluates it.

use super::document::At;
use super::faults::{Faults, Origin};

/// Which calls need approval; the condition is unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirm {
    /// None.
    Never,
    /// Every one.
    Always,
    /// Those for which a condition in CEL is true; not blank, otherwise unchecked.
    When(String, Origin),
}

pub(super) fn check(raw: &str, at: &At<'_>, faults: &mut Faults) -> Confirm {
    match raw.trim() {
        "never" => Confirm::Never,
        "always" => Confirm::Always,
        "" => {
            let message = "must not be empty: write `always`, `never`, or a condition such as args.amount > 100";
            at.fault(faults, message);
            Confirm::Always
        }
        _ => Confirm::When(raw.to_owned(), at.origin()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{faults, good, good_tool, tool_faults};

    fn confirm(value: &str) -> Confirm {
        let tool = good_tool(&format!("anyAuthenticated: true\nconfirm: {value}\n"));
        tool.policy.confirm
    }

    #[test]
    fn no_call_needs_approval_unless_it_is_said_which() {
        let silent = good_tool("anyAuthenticated: true\n").policy.confirm;
        assert_eq!((silent, confirm("never")), (Confirm::Never, Confirm::Never));
        assert_eq!(confirm("always"), Confirm::Always);
        let Confirm::When(condition, origin) = confirm("'args.amount > 100'") else {
            panic!("a condition");
        };
        assert_eq!(condition, "args.amount > 100");
        let fault = origin.fault("x").to_string();
        assert_eq!(fault, "tollgate.yaml:5: tools.t.confirm: x");
        assert_eq!(
            tool_faults("anyAuthenticated: true\nconfirm: ' '\n"),
            [
                "tollgate.yaml:5: tools.t.confirm: must not be empty: write `always`, `never`, or a condition such as args.amount > 100"
            ]
        );
    }

    #[test]
    fn a_tenant_may_have_it_otherwise_for_a_tool_and_not_for_a_resource() {
        const SQL: &str = "sql: {source: shop, statement: SELECT 1, result: one}";
        let text = format!(
            "sources: {{shop: {{sqlite: shop.db}}}}\ntools: {{t: {{description: d, scopes: [a], confirm: always, {SQL}}}}}\nresources: {{'a:b': {{name: n, scopes: [a], {SQL}}}}}\ntenants:\n  acme:\n"
        );
        let own = good(&format!("{text}    tools: {{t: {{confirm: never}}}}\n"));
        let own = &own.tenants["acme"].tools["t"];
        assert_eq!(own.confirm, Some(Confirm::Never));
        assert_eq!(
            faults(&format!(
                "{text}    resources: {{'a:b': {{confirm: always}}}}\n"
            )),
            [
                "tollgate.yaml:6: tenants.acme.resources.\"a:b\".confirm: only calls of tools can need approval; remove it"
            ]
        );
    }
}
