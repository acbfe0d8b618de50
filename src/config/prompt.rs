//! The `prompts` section: messages that people pick, under which policy.
//!
//! Governed like tools, with the same checks. A reader would ask why the texts are hardly checked here:
//! what fills them parses them, and reports faults through [`Prompt::origin`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::At;
use super::faults::{Faults, Origin};
use super::inputs::{self, Binding};
use super::policy::{self, Policy, RawPolicy};
use super::raw::{RawMessage, RawPrompt, RawRole};
use super::tool;

/// One checked prompt.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// 1 to 128 characters of `A-Z a-z 0-9 _ . -`; unique.
    pub name: String,
    /// Name for people; not empty.
    pub title: Option<String>,
    /// What it is for; not empty.
    pub description: String,
    /// Who may get it, and how often.
    pub policy: Policy,
    /// The JSON Schema (2020-12) of the arguments, as that of a tool.
    pub input_schema: Value,
    /// The defaults of arguments that have one.
    pub defaults: Map<String, Value>,
    /// Names that the runtime fills in.
    pub bind: BTreeMap<String, Binding>,
    /// The messages; at least one.
    pub messages: Vec<Message>,
    /// Where the prompt is declared, for faults that show later.
    pub origin: Origin,
}

/// One message, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whether the model says it, and not the person.
    pub by_assistant: bool,
    /// Its text with names in braces; not empty.
    pub text: String,
}

pub(super) fn check(name: String, raw: RawPrompt, at: &At<'_>, faults: &mut Faults) -> Prompt {
    tool::check_name(&name, "prompt", at, faults);
    for (argument, schema) in &raw.parameters {
        let is_text = schema.get("type").is_none_or(|kind| kind == "string");
        if !is_text {
            let at = at.key("parameters").key(argument).key("type");
            at.fault(faults, "a prompt's arguments are texts: `type: string`");
        }
    }
    let policy = RawPolicy {
        scopes: raw.scopes,
        any_authenticated: raw.any_authenticated,
        rules: raw.rules,
        enabled: raw.enabled,
        rate_limit: raw.rate_limit,
        // Nothing of it waits for anything.
        timeout: "30s".to_owned(),
        max_concurrent: None,
        confirm: None,
        audit: raw.audit,
    };
    let (parameters, bind) = inputs::check(raw.parameters, raw.bind, at, faults);
    let message = |raw: RawMessage| Message {
        by_assistant: matches!(raw.role, RawRole::Assistant),
        text: raw.text,
    };
    Prompt {
        name,
        title: raw.title,
        description: raw.description,
        policy: policy::check(policy, at, faults),
        input_schema: parameters.input_schema(),
        defaults: parameters.defaults,
        bind,
        messages: raw.messages.into_iter().map(message).collect(),
        origin: at.origin(),
    }
}

#[cfg(test)]
mod tests {
    use super::Message;
    use crate::config::testing::{faults, good};

    #[test]
    fn a_prompt_is_read() {
        let config = good(
            "prompts:\n  greet:\n    description: d\n    anyAuthenticated: true\n    parameters: {name: {type: string}}\n    messages: [{text: 'Hi {name}'}, {role: assistant, text: Hi}]\n",
        );
        let prompt = &config.prompts[0];
        assert_eq!((&*prompt.name, &*prompt.description), ("greet", "d"));
        let message = |by_assistant, text: &str| Message {
            by_assistant,
            text: text.to_owned(),
        };
        let wanted = [message(false, "Hi {name}"), message(true, "Hi")];
        assert_eq!(prompt.messages, wanted);
    }

    #[test]
    fn a_prompt_has_a_policy_a_message_and_texts_for_arguments() {
        assert_eq!(
            faults(
                "prompts:\n  'a b': {description: d, anyAuthenticated: true, messages: [{text: x}]}\n"
            ),
            [
                "tollgate.yaml:2: prompts.\"a b\": a prompt's name is 1 to 128 letters, digits, `_`, `.` and `-`"
            ]
        );
        let found = faults(
            "prompts:\n  a:\n    description: d\n    parameters: {n: {type: integer}}\n    messages: [{text: x}]\n",
        );
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("scopes"), "{found:?}");
        assert!(
            found[1].contains("a prompt's arguments are texts"),
            "{found:?}"
        );
        assert_eq!(
            faults("prompts:\n  a: {description: d, anyAuthenticated: true, messages: []}\n").len(),
            1
        );
    }
}
