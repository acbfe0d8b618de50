//! The `rules` of a tool, resource or tenant: conditions in CEL, as text.
//!
//! A reader would ask why the CEL is not checked here: the compiler that evaluates it is the only one that can
//! tell, and reports faults through [`Rule::origin`].

use super::document::At;
use super::faults::{Faults, Origin};
use super::policy::Mode;
use super::raw::RawRule;

/// One rule, its condition unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// What the condition means.
    pub effect: RuleEffect,
    /// The condition in CEL; not blank, otherwise unchecked.
    pub condition: String,
    /// What a refused caller reads; at most 300 characters.
    pub because: Option<String>,
    /// Whether it refuses.
    pub mode: Mode,
    /// Where the condition is written, for faults that show later.
    pub origin: Origin,
}

/// What a rule's condition means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleEffect {
    /// True refuses the call.
    Deny,
    /// Anything but true refuses the call.
    AllowOnlyIf,
}

pub(super) fn check(raw: Vec<RawRule>, at: &At<'_>, faults: &mut Faults) -> Vec<Rule> {
    let rules = raw.into_iter().enumerate();
    rules
        .filter_map(|(index, raw)| check_one(raw, &at.index(index), faults))
        .collect()
}

fn check_one(raw: RawRule, at: &At<'_>, faults: &mut Faults) -> Option<Rule> {
    let (effect, condition, key) = match (raw.deny, raw.allow_only_if) {
        (Some(condition), None) => (RuleEffect::Deny, condition, "deny"),
        (None, Some(condition)) => (RuleEffect::AllowOnlyIf, condition, "allowOnlyIf"),
        _ => {
            at.fault(faults, "a rule has either `deny` or `allowOnlyIf`");
            return None;
        }
    };
    if condition.trim().is_empty() {
        at.key(key)
            .fault(faults, "must not be empty: write a condition in CEL");
        return None;
    }
    Some(Rule {
        effect,
        condition,
        because: raw.because,
        mode: raw.mode.into(),
        origin: at.key(key).origin(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{good_tool, tool_faults};

    #[test]
    fn a_rule_is_read_with_its_place() {
        let tool = good_tool(
            "anyAuthenticated: true\nrules:\n- deny: 'true'\n  because: b\n  mode: shadow\n- allowOnlyIf: 'false'\n",
        );
        let [deny, allow] = tool.policy.rules.as_slice() else {
            panic!("two rules");
        };
        assert_eq!((deny.effect, deny.mode), (RuleEffect::Deny, Mode::Shadow));
        assert_eq!(
            (deny.condition.as_str(), deny.because.as_deref()),
            ("true", Some("b"))
        );
        assert_eq!(
            (allow.effect, allow.mode),
            (RuleEffect::AllowOnlyIf, Mode::Enforce)
        );
        let fault = allow.origin.fault("x").to_string();
        assert_eq!(fault, "tollgate.yaml:9: tools.t.rules[1].allowOnlyIf: x");
    }

    #[test]
    fn a_rule_is_one_of_both() {
        for rule in ["{because: x}", "{deny: a, allowOnlyIf: b}"] {
            assert_eq!(
                tool_faults(&format!("anyAuthenticated: true\nrules: [{rule}]\n")),
                ["tollgate.yaml:5: tools.t.rules[0]: a rule has either `deny` or `allowOnlyIf`"]
            );
        }
        assert_eq!(
            tool_faults("anyAuthenticated: true\nrules: [{deny: ' '}]\n"),
            ["tollgate.yaml:5: tools.t.rules[0].deny: must not be empty: write a condition in CEL"]
        );
    }
}
