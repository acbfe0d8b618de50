//! What the user is asked: which tool, with which arguments.
//!
//! The arguments are a model's, and may be somebody's who wants the user to read something else. So
//! each stands on a line of its own, as JSON and without any power over a terminal, and what is too
//! long is cut and says so. Accepting is the answer: there is nothing to fill in.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::log::Inert;
use crate::tool::{Arguments, Question, Target, TargetKind};

/// The most arguments that are shown.
const MAX_ARGUMENTS: usize = 24;
/// Longest name and value, in characters.
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 240;

/// The question in words.
pub(super) fn text(target: &Target, arguments: &Arguments) -> String {
    let name = Inert(target.name());
    let mut text = match target.kind() {
        TargetKind::Tool(face) => match &face.title {
            Some(title) => format!("Allow this call of \"{}\" ({name})?", Inert(title)),
            None => format!("Allow this call of {name}?"),
        },
        _ => format!("Allow this call of {name}?"),
    };
    if !arguments.is_empty() {
        text.push('\n');
    }
    for (name, value) in arguments.iter().take(MAX_ARGUMENTS) {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n{}: {}",
            cut(name, MAX_NAME),
            cut(&value.to_string(), MAX_VALUE)
        );
    }
    let more = arguments.len().saturating_sub(MAX_ARGUMENTS);
    if more > 0 {
        let _ = write!(text, "\n… and {more} more arguments");
    }
    text
}

/// The question as a form.
pub(super) fn form(target: &Target, arguments: &Arguments) -> Question {
    let nothing: Value = json!({"type": "object", "properties": {}});
    Question::form(text(target, arguments), nothing)
}

fn cut(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return Inert(text).to_string();
    }
    let shown: String = text.chars().take(most).collect();
    format!("{}… ({count} characters in all)", Inert(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::{CallContext, Catalog, Declared, TargetRef, Tool, ToolError};

    fn asked(arguments: Value) -> String {
        let tool = Tool::new("refund", "Pays.")
            .title("Refund\u{202e} an order")
            .any_authenticated()
            .handler(async |_: CallContext, _: Value| Ok::<_, ToolError>(0));
        let catalog = Catalog::build(Declared::tools([tool])).expect("a good tool");
        let key = crate::auth::TenantKey::of("acme");
        let found = catalog.find(&TargetRef::Tool("refund"), key);
        let arguments = arguments.as_object().expect("an object");
        text(&found.expect("there").target, arguments)
    }

    #[test]
    fn each_argument_has_one_line_and_no_power() {
        let text = asked(json!({"amount": 5, "note": "a\nb\u{1b}[31m\u{2028}", "x\ny": [true]}));
        assert_eq!(
            text,
            "Allow this call of \"Refund\\u{202e} an order\" (refund)?\n\namount: 5\nnote: \"a\\nb\\u001b[31m\\u{2028}\"\nx\\u{a}y: [true]"
        );
        assert_eq!(asked(json!({})).lines().count(), 1);
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_so() {
        let text = asked(json!({"note": "x".repeat(1_000_000)}));
        assert!(text.ends_with("x… (1000002 characters in all)"), "{text}");
        assert!(text.len() < 400, "{}", text.len());
        let many: Arguments = (0..100).map(|n| (format!("a{n}"), json!(n))).collect();
        let text = asked(Value::Object(many));
        assert!(text.ends_with("\n… and 76 more arguments"), "{text}");
    }
}
