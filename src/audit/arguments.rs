//! What the log keeps of a call's arguments: a keyed digest, and only by choice themselves.
//!
//! The digest is of a canonical form (members sorted, no white space), so that equal arguments have
//! equal digests whoever sent them. It is keyed: arguments are often so short that anybody could try
//! out what a plain hash stands for.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::{Arguments, ChainKey};
use crate::json::canonical_object;

/// Longest arguments that are kept, in bytes; of longer ones the digest is.
const MAX_KEPT_BYTES: usize = 16 * 1024;
/// What stands for a value that is left out.
const LEFT_OUT: &str = "[redacted]";

/// What of arguments is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redaction {
    /// Whether more than the digest is kept.
    pub keeps_values: bool,
    /// Names of members whose values are left out, wherever they stand; without regard to case.
    pub left_out: BTreeSet<String>,
}

impl Redaction {
    /// The names of what is left out, in lower case, where a target has this otherwise.
    fn names<'a>(&'a self, change: &'a RedactionChange) -> &'a BTreeSet<String> {
        change.left_out.as_ref().unwrap_or(&self.left_out)
    }

    /// Whether a member of this name is left out there.
    pub fn leaves_out(&self, change: &RedactionChange, name: &str) -> bool {
        self.names(change).contains(&name.to_lowercase())
    }
}

/// What one tool or resource has otherwise than the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactionChange {
    /// Whether more than the digest is kept.
    pub keeps_values: Option<bool>,
    /// Names of members whose values are left out, in lower case, in place of the log's.
    pub left_out: Option<BTreeSet<String>>,
}

/// What is kept of one call's arguments.
#[derive(Debug)]
pub struct Captured {
    digest: String,
    /// Of the canonical form, in bytes.
    length: usize,
    values: Option<Box<RawValue>>,
    redacted: Vec<String>,
}

impl Captured {
    /// The digest of `arguments`. No more is known to be wanted before it is known what they are for.
    pub fn digest(key: &ChainKey, arguments: &Map<String, Value>) -> Self {
        let mut text = Vec::with_capacity(128);
        canonical_object(arguments, &mut text);
        Self {
            digest: key.digest(&text),
            length: text.len(),
            values: None,
            redacted: Vec::new(),
        }
    }

    /// Keeps of the same arguments what the redaction lets through, as one target has it.
    pub fn keep(
        &mut self,
        redaction: &Redaction,
        change: &RedactionChange,
        arguments: &Map<String, Value>,
    ) {
        if !change.keeps_values.unwrap_or(redaction.keeps_values) {
            return;
        }
        if self.length > MAX_KEPT_BYTES {
            self.redacted.push("*".to_owned());
            return;
        }
        let kept = without_object(redaction.names(change), arguments, "", &mut self.redacted);
        // One long name above many that are left out would stand in every path.
        if self.redacted.iter().map(String::len).sum::<usize>() > MAX_KEPT_BYTES {
            self.redacted = vec!["*".to_owned()];
        } else {
            self.values = to_raw_value(&kept).ok();
        }
    }

    /// As it stands in a line.
    pub fn entry(&self) -> Arguments<'_> {
        Arguments {
            digest: Cow::Borrowed(&self.digest),
            values: self.values.as_deref().map(Cow::Borrowed),
            redacted: self
                .redacted
                .iter()
                .map(|path| Cow::Borrowed(&**path))
                .collect(),
        }
    }
}

/// The members, without the values of those that are named.
fn without_object(
    left_out: &BTreeSet<String>,
    from: &Map<String, Value>,
    path: &str,
    redacted: &mut Vec<String>,
) -> Map<String, Value> {
    let kept = from.iter().map(|(name, value)| {
        let path = format!("{path}/{name}");
        let value = if left_out.contains(&name.to_lowercase()) {
            redacted.push(path);
            Value::from(LEFT_OUT)
        } else {
            without(left_out, value, &path, redacted)
        };
        (name.clone(), value)
    });
    kept.collect()
}

fn without(
    left_out: &BTreeSet<String>,
    from: &Value,
    path: &str,
    redacted: &mut Vec<String>,
) -> Value {
    match from {
        Value::Object(members) => Value::Object(without_object(left_out, members, path, redacted)),
        Value::Array(entries) => {
            let entries = entries.iter().enumerate();
            let kept = entries
                .map(|(at, value)| without(left_out, value, &format!("{path}/{at}"), redacted));
            Value::Array(kept.collect())
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn captured(redaction: &Redaction, arguments: Value) -> String {
        let key = ChainKey::new(b"0123456789abcdef0123456789abcdef");
        let Value::Object(arguments) = arguments else {
            panic!("no object")
        };
        let mut captured = Captured::digest(&key, &arguments);
        captured.keep(redaction, &RedactionChange::default(), &arguments);
        serde_json::to_string(&captured.entry()).unwrap()
    }

    #[test]
    fn equal_arguments_have_equal_digests_in_whatever_order() {
        let digest = Redaction::default();
        let one = captured(&digest, json!({"a": 1, "b": {"c": [1, {"y": 2, "x": 1}]}}));
        let other = captured(&digest, json!({"b": {"c": [1, {"x": 1, "y": 2}]}, "a": 1}));
        assert_eq!(one, other);
        assert_ne!(one, captured(&digest, json!({"a": 2})));
        assert!(!one.contains("values"), "{one}");
    }

    #[test]
    fn named_members_are_left_out_wherever_they_stand() {
        let redaction = Redaction {
            keeps_values: true,
            left_out: BTreeSet::from(["password".to_owned()]),
        };
        let kept = captured(
            &redaction,
            json!({"user": "u", "list": [{"Password": "hunter2"}]}),
        );
        assert!(
            kept.contains(r#""redacted":["/list/0/Password"]"#),
            "{kept}"
        );
        assert!(
            kept.contains(r#"{"user":"u","list":[{"Password":"[redacted]"}]}"#),
            "{kept}"
        );
    }

    #[test]
    fn a_line_does_not_grow_with_the_paths_of_what_is_left_out() {
        let redaction = Redaction {
            keeps_values: true,
            left_out: BTreeSet::from(["token".to_owned()]),
        };
        let many = vec![json!({"token": 1}); 500];
        let kept = captured(&redaction, json!({"k".repeat(8_000): many}));
        assert!(
            kept.ends_with(r#""redacted":["*"]}"#),
            "{} bytes",
            kept.len()
        );
    }
}
