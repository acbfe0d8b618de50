//! Declared prompts: texts with names in braces, filled from arguments and from the caller's identity.
//!
//! Parsed once at load, so that a name that nothing fills is a fault there and not a hole in a message.
//! A value is put in as it is, and what it holds is not read again: an argument cannot name another.

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use serde_json::Value;

use super::inputs::{Declared, Input};
use crate::tool::{
    Arguments, CallContext, Handler, PromptMessage, PromptOutput, ToolError, ToolOutput,
};

/// A prompt ready to be filled.
pub struct PromptTexts(Vec<Message>);

struct Message {
    by_assistant: bool,
    parts: Vec<Part>,
}

enum Part {
    Text(String),
    Input(Input),
}

/// Why texts are no prompt.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// A brace that neither begins nor ends a name.
    #[error(
        "message {0} holds a single brace: write an argument as {{name}}, and braces as {{{{ and }}}}"
    )]
    Brace(usize),
    /// Nothing is called so.
    #[error("message {0} names `{1}`, which is neither under `parameters` nor under `bind`")]
    Unknown(usize, String),
    /// Something is called so, and no message uses it.
    #[error("no message uses `{0}`: name it in one, or remove it")]
    Unused(String),
}

impl PromptTexts {
    /// Reads messages: whether the model says it, and its text.
    ///
    /// # Errors
    /// [`PromptError`].
    pub fn new<'m>(
        messages: impl IntoIterator<Item = (bool, &'m str)>,
        declared: &Declared<'_>,
    ) -> Result<Self, PromptError> {
        let (mut used, mut read) = (Vec::new(), Vec::new());
        for (at, (by_assistant, text)) in messages.into_iter().enumerate() {
            let mut parts = Vec::new();
            for piece in pieces(text).ok_or(PromptError::Brace(at + 1))? {
                parts.push(match piece {
                    Piece::Text(text) => Part::Text(text),
                    Piece::Name(name) => {
                        let input = declared.input(name);
                        used.push(name);
                        let unknown = || PromptError::Unknown(at + 1, name.to_owned());
                        Part::Input(input.ok_or_else(unknown)?)
                    }
                });
            }
            read.push(Message {
                by_assistant,
                parts,
            });
        }
        match declared.unused(&used) {
            Some(name) => Err(PromptError::Unused(name)),
            None => Ok(Self(read)),
        }
    }

    fn fill(&self, context: &CallContext, arguments: &Arguments) -> PromptOutput {
        PromptOutput::new(self.0.iter().map(|message| {
            let mut text = String::new();
            for part in &message.parts {
                match part {
                    Part::Text(part) => text.push_str(part),
                    // The schema lets only texts through; one that is left out is empty.
                    Part::Input(input) => {
                        let value = input.value(arguments, context.principal());
                        text.push_str(value.as_ref().and_then(Value::as_str).unwrap_or_default());
                    }
                }
            }
            if message.by_assistant {
                PromptMessage::assistant(text)
            } else {
                PromptMessage::user(text)
            }
        }))
    }
}

impl Handler for PromptTexts {
    fn call(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>> {
        ready(Ok(ToolOutput::prompt(self.fill(&context, &arguments)))).boxed()
    }
}

enum Piece<'t> {
    Text(String),
    Name(&'t str),
}

/// Splits a text at its names; `None` where a brace stands alone.
fn pieces(text: &str) -> Option<Vec<Piece<'_>>> {
    let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        plain.push_str(&rest[..at]);
        let (brace, after) = rest[at..].split_at(1);
        if let Some(after) = after.strip_prefix(brace) {
            plain.push_str(brace);
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}').filter(|_| brace == "{")?;
        if name.contains('{') {
            return None;
        }
        pieces.push(Piece::Text(std::mem::take(&mut plain)));
        pieces.push(Piece::Name(name));
        rest = after;
    }
    plain.push_str(rest);
    pieces.push(Piece::Text(plain));
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PromptTexts, PromptError> {
        let declared = Declared {
            arguments: vec!["name"],
            bound: Vec::new(),
        };
        PromptTexts::new([(false, text)], &declared)
    }

    #[test]
    fn a_name_that_nothing_fills_and_a_lonely_brace_are_faults_at_load() {
        for good in [
            "{name}",
            "a {name} b {name}",
            "{{}} {name} {{x}}",
            "{{{name}}}",
        ] {
            assert!(read(good).is_ok(), "{good}");
        }
        for brace in ["{", "}", "a } {name}", "{name", "{na{me}", "{{name}"] {
            assert_eq!(read(brace).err(), Some(PromptError::Brace(1)), "{brace}");
        }
        let unknown = |name: &str| Some(PromptError::Unknown(1, name.to_owned()));
        assert_eq!(read("{nmae} {name}").err(), unknown("nmae"));
        assert_eq!(read("{} {name}").err(), unknown(""));
        assert_eq!(read("{ name } {name}").err(), unknown(" name "));
        let unused = PromptError::Unused("name".to_owned());
        assert_eq!(read("Hello").err(), Some(unused));
    }
}
