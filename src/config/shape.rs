//! Checks the document against the config's JSON Schema and says in our own words what does not fit.
//!
//! The stage between expansion and the sections. Also used for the schemas of tool parameters, against the
//! meta-schema. A reader would ask why not print the validator's own messages: they quote the value (it may
//! be a secret), and "not valid under any of the schemas" helps nobody.

use std::cmp::Reverse;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, ValidationError, Validator};
use serde_json::Value;

use super::document::{At, Content, Node};
use super::faults::{Faults, Origin};

/// What is wrong with a pattern that does not compile.
pub(super) const BAD_PATTERN: &str = "must be a valid regular expression without look-around and back-references, so that it runs in linear time";

/// Reports everything in `value` that does not fit; `schema` is what `validator` was built from.
pub(super) fn check<'v>(
    errors: impl Iterator<Item = ValidationError<'v>>,
    schema: &Value,
    at: &At<'_>,
    faults: &mut Faults,
) {
    for error in errors {
        report(&error, schema, at, faults);
    }
}

/// Turns expanded strings into numbers and booleans where the schema wants those, as docker compose does.
pub(super) fn convert_expanded(root: &mut Node, validator: &Validator) {
    let value = root.to_value();
    for error in validator.iter_errors(&value) {
        let ValidationErrorKind::Type { kind } = error.kind() else {
            continue;
        };
        let steps: Vec<String> = error
            .instance_path()
            .segments()
            .map(|step| step.to_string())
            .collect();
        let Some(node) = root.descend(steps.iter().map(String::as_str)) else {
            continue;
        };
        let Content::Scalar(Value::String(text)) = &node.content else {
            continue;
        };
        let parsed = serde_json::from_str::<Value>(text)
            .ok()
            .filter(|parsed| fits(parsed, kind));
        if let (true, Some(parsed)) = (node.expanded, parsed) {
            node.content = Content::Scalar(parsed);
        }
    }
}

/// Takes out the keys that the schema does not know; they have been reported.
pub(super) fn drop_unknown_keys(value: &mut Value, validator: &Validator) {
    let mut unknown: Vec<(String, Vec<String>)> = Vec::new();
    for error in validator.iter_errors(value) {
        if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
            let place = error.instance_path().as_str().to_owned();
            unknown.push((place, unexpected.clone()));
        }
    }
    for (place, keys) in unknown {
        if let Some(Value::Object(object)) = value.pointer_mut(&place) {
            object.retain(|key, _| !keys.contains(key));
        }
    }
}

fn fits(value: &Value, kind: &TypeKind) -> bool {
    let wanted = |kind| match kind {
        JsonType::Integer => value.is_i64() || value.is_u64(),
        JsonType::Number => value.is_number(),
        JsonType::Boolean => value.is_boolean(),
        _ => false,
    };
    match kind {
        TypeKind::Single(kind) => wanted(*kind),
        TypeKind::Multiple(kinds) => kinds.iter().any(wanted),
    }
}

/// Reports one error; `at` is the place of the value that was validated.
pub(super) fn report(
    error: &ValidationError<'_>,
    schema: &Value,
    at: &At<'_>,
    faults: &mut Faults,
) {
    let here = error
        .instance_path()
        .segments()
        .fold(at.clone(), |at, step| at.key(&step.to_string()));
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let siblings = siblings(error, schema);
            let known: Vec<&str> = siblings
                .map(|known| known.keys().map(String::as_str).collect())
                .unwrap_or_default();
            for key in unexpected {
                let meant = did_you_mean(key, &known);
                let name = without_value(key);
                if !meant.is_empty() || name == key {
                    here.key(key)
                        .fault(faults, format!("unknown key `{key}`{meant}"));
                    continue;
                }
                let place = Origin {
                    path: here.key(name).origin().path,
                    ..here.key(key).origin()
                };
                faults.0.push(place.fault(format!(
                    "unknown key that starts with `{name}`; write a colon and a space between a key and its value"
                )));
            }
        }
        ValidationErrorKind::Required {
            property: Value::String(key),
        } => {
            let about = about(error, schema, key).unwrap_or_default();
            here.fault(faults, format!("the key `{key}` is missing{about}"));
        }
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let place = error.instance_path().as_str();
            if let Some(wanted) = only_other_types(context, place) {
                here.fault(faults, mistyped(&wanted, error.instance(), None));
                return;
            }
            for error in best_branch(context, place) {
                report(error, schema, at, faults);
            }
        }
        ValidationErrorKind::Type { kind } => {
            let example = example(error, schema);
            here.fault(faults, mistyped(&types(kind), error.instance(), example));
        }
        kind => here.fault(faults, sentence(kind)),
    }
}

/// The name in a key without what was meant to be its value (`{token:abc}`), which may be a secret.
fn without_value(key: &str) -> &str {
    let end = key.find(|c: char| matches!(c, ':' | '=') || c.is_whitespace());
    &key[..end.unwrap_or(key.len())]
}

/// The branch that was meant: one of the right type, then the one that goes wrong furthest down,
/// then the one with the least wrong.
fn best_branch<'e>(
    branches: &'e [Vec<ValidationError<'static>>],
    here: &str,
) -> &'e [ValidationError<'static>] {
    let fit = |branch: &&Vec<ValidationError<'static>>| {
        let path = |error: &ValidationError<'_>| error.instance_path().as_str().len();
        let other_type = |error: &ValidationError<'_>| {
            matches!(error.kind(), ValidationErrorKind::Type { .. })
                && error.instance_path().as_str() == here
        };
        (
            !branch.iter().any(other_type),
            branch.iter().map(path).min(),
            Reverse(branch.len()),
        )
    };
    branches.iter().max_by_key(fit).map_or(&[], Vec::as_slice)
}

/// What may stand here, where the branches are of two or more types, none of which the value has. Where
/// a string is among them it is what was meant, and has an example.
fn only_other_types(
    branches: &[Vec<ValidationError<'static>>],
    here: &str,
) -> Option<Vec<JsonType>> {
    let wanted: Option<Vec<JsonType>> = branches
        .iter()
        .map(|branch| match branch.as_slice() {
            [error] if error.instance_path().as_str() == here => match error.kind() {
                ValidationErrorKind::Type {
                    kind: TypeKind::Single(kind),
                } => Some(*kind),
                _ => None,
            },
            _ => None,
        })
        .collect();
    let mut wanted = wanted?;
    wanted.retain(|kind| *kind != JsonType::Null);
    (wanted.len() > 1 && !wanted.contains(&JsonType::String)).then_some(wanted)
}

/// The types that a value may have. Keys without a value are removed, so nothing is none of them.
fn types(kind: &TypeKind) -> Vec<JsonType> {
    let mut types: Vec<JsonType> = match kind {
        TypeKind::Single(kind) => vec![*kind],
        TypeKind::Multiple(kinds) => kinds.iter().collect(),
    };
    types.retain(|kind| *kind != JsonType::Null);
    types
}

/// How a value looks, where the description of the key says "such as `…`".
fn example<'s>(error: &ValidationError<'_>, schema: &'s Value) -> Option<&'s str> {
    let (key, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
    let text = schema.pointer(key)?.get("description")?.as_str()?;
    let (_, after) = text.split_once("such as `")?;
    Some(after.split_once('`')?.0)
}

/// A value of another type than is wanted; never the value itself.
fn mistyped(wanted: &[JsonType], found: &Value, example: Option<&str>) -> String {
    let names: Vec<&str> = wanted.iter().map(|kind| name(*kind)).collect();
    let number = matches!(found, Value::Number(_) | Value::Bool(_));
    let (example, advice) = match (found, wanted, example) {
        (Value::Null, ..) => (String::new(), "; give it a value or remove the key"),
        (_, [JsonType::String], Some(example)) => (format!(" such as {example}"), ""),
        (_, [JsonType::String], None) if number => (String::new(), "; put it in quotes"),
        _ => (String::new(), ""),
    };
    let (names, found) = (names.join(" or "), name_of(found));
    format!("expected {names}{example}, found {found}{advice}")
}

/// The `properties` beside the keyword that the error is about.
fn siblings<'s>(
    error: &ValidationError<'_>,
    schema: &'s Value,
) -> Option<&'s serde_json::Map<String, Value>> {
    let (object, _keyword) = error.schema_path().as_str().rsplit_once('/')?;
    schema.pointer(object)?.get("properties")?.as_object()
}

/// `: ` and the first sentence of a key's description, as a hint.
fn about(error: &ValidationError<'_>, schema: &Value, key: &str) -> Option<String> {
    let property = siblings(error, schema)?.get(key)?;
    let described = match property["$ref"].as_str() {
        Some(target) if property["description"].is_null() => {
            schema.pointer(target.strip_prefix('#')?)?
        }
        _ => property,
    };
    let text = described["description"].as_str()?.replace('\n', " ");
    let first = text
        .split_once(". ")
        .map_or(text.as_str(), |(first, _)| first);
    Some(format!(": {}", first.trim_end_matches('.')))
}

/// `; did you mean …?` where one of `known` is close to `key`; nothing else.
pub(super) fn did_you_mean(key: &str, known: &[&str]) -> String {
    let plain = |key: &str| key.replace(['_', '-', ' '], "").to_lowercase();
    let wanted = plain(key);
    known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(&wanted, &plain(known)), known))
        .filter(|(distance, known)| *distance <= known.len().div_ceil(4))
        .min_by_key(|(distance, _)| *distance)
        .map_or(String::new(), |(_, known)| {
            format!("; did you mean `{known}`?")
        })
}

fn sentence(kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::Enum { options } => {
            let options: Vec<String> = options
                .as_array()
                .into_iter()
                .flatten()
                .map(plain)
                .collect();
            format!("expected one of: {}", options.join(", "))
        }
        ValidationErrorKind::Constant { expected_value } => {
            format!("expected {}", plain(expected_value))
        }
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => {
            format!("must have at least {limit} characters")
        }
        ValidationErrorKind::MaxLength { limit } => format!("must have at most {limit} characters"),
        ValidationErrorKind::MinItems { limit: 1 } => "needs at least one entry".to_owned(),
        ValidationErrorKind::MinItems { limit } => format!("needs at least {limit} entries"),
        ValidationErrorKind::MaxItems { limit } => format!("may have at most {limit} entries"),
        ValidationErrorKind::UniqueItems => "holds the same entry twice".to_owned(),
        ValidationErrorKind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        ValidationErrorKind::Format { format } if format == "regex" => BAD_PATTERN.to_owned(),
        ValidationErrorKind::Format { format } => format!("is not a valid {format}"),
        ValidationErrorKind::Referencing(_) => {
            "holds a `$ref` to a schema that is not here".to_owned()
        }
        other => format!("does not fit the schema keyword `{}`", other.keyword()),
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn name(kind: JsonType) -> &'static str {
    match kind {
        JsonType::Null => "nothing",
        JsonType::Boolean => "true or false",
        JsonType::Integer => "a whole number",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "a list",
        JsonType::Object => "a mapping",
    }
}

fn name_of(value: &Value) -> &'static str {
    name(match value {
        Value::Null => JsonType::Null,
        Value::Bool(_) => JsonType::Boolean,
        Value::Number(number) if number.is_f64() => JsonType::Number,
        Value::Number(_) => JsonType::Integer,
        Value::String(_) => JsonType::String,
        Value::Array(_) => JsonType::Array,
        Value::Object(_) => JsonType::Object,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;
    use serde_json::json;
    use std::path::Path;

    fn faults(schema: Value, text: &str) -> Vec<String> {
        let file = Path::new("f");
        let root = document::parse(text, file).unwrap_or_else(|faults| panic!("{faults}"));
        let (value, mut faults) = (root.to_value(), Faults::default());
        let validator = jsonschema::validator_for(&schema).unwrap();
        check(
            validator.iter_errors(&value),
            &schema,
            &At::root(file, &root),
            &mut faults,
        );
        faults
            .0
            .iter()
            .map(|fault| format!("{}: {}", fault.path, fault.message))
            .collect()
    }

    #[test]
    fn of_several_branches_the_one_that_was_meant_is_explained() {
        let object = |key: &str| json!({"type": "object", "required": [key], "properties": {key: {"type": "integer"}}});
        for keyword in ["anyOf", "oneOf"] {
            let schema = json!({"properties": {"a": {keyword: [{"type": "string"}, object("x"), {"type": "array", "minItems": 1}]}}});
            assert_eq!(
                faults(schema.clone(), "a: {x: many}"),
                ["a.x: expected a whole number, found a string"]
            );
            assert_eq!(
                faults(schema.clone(), "a: []"),
                ["a: needs at least one entry"]
            );
            assert_eq!(faults(schema, "a: {}"), ["a: the key `x` is missing"]);
        }
    }

    #[test]
    fn every_limit_has_its_sentence() {
        let cases = [
            (json!({"minimum": 3}), "2", "must be at least 3"),
            (json!({"maximum": 1}), "2", "must be at most 1"),
            (json!({"exclusiveMinimum": 2}), "2", "must be more than 2"),
            (json!({"exclusiveMaximum": 2}), "2", "must be less than 2"),
            (json!({"minLength": 1}), "''", "must not be empty"),
            (
                json!({"minLength": 3}),
                "ab",
                "must have at least 3 characters",
            ),
            (
                json!({"maxLength": 1}),
                "ab",
                "must have at most 1 characters",
            ),
            (json!({"minItems": 1}), "[]", "needs at least one entry"),
            (json!({"minItems": 2}), "[]", "needs at least 2 entries"),
            (
                json!({"maxItems": 1}),
                "[1, 2]",
                "may have at most 1 entries",
            ),
            (
                json!({"uniqueItems": true}),
                "[1, 1]",
                "holds the same entry twice",
            ),
            (json!({"pattern": "^a$"}), "b", "must match the pattern ^a$"),
            (json!({"const": "a"}), "b", "expected a"),
            (json!({"enum": ["a", 1]}), "b", "expected one of: a, 1"),
            (
                json!({"type": ["string", "null"]}),
                "1",
                "expected a string, found a whole number; put it in quotes",
            ),
            (
                json!({"type": "string", "description": "How long, such as `10s` or `1h`."}),
                "1",
                "expected a string such as 10s, found a whole number",
            ),
            (
                json!({"anyOf": [{"type": "integer"}, {"type": "object"}, {"type": "null"}]}),
                "half",
                "expected a whole number or a mapping, found a string",
            ),
            (
                json!({"not": {}}),
                "1",
                "does not fit the schema keyword `not`",
            ),
        ];
        for (schema, text, sentence) in cases {
            assert_eq!(
                faults(json!({"properties": {"a": schema}}), &format!("a: {text}")),
                [format!("a: {sentence}")]
            );
        }
    }

    #[test]
    fn a_key_is_suggested_only_when_it_is_close() {
        let known = ["rateLimit", "timeout", "sql"];
        assert_eq!(
            did_you_mean("rate_limits", &known),
            "; did you mean `rateLimit`?"
        );
        assert_eq!(did_you_mean("timout", &known), "; did you mean `timeout`?");
        assert_eq!(did_you_mean("sq", &known), "; did you mean `sql`?");
        assert_eq!(did_you_mean("rules", &known), "");
        assert_eq!(did_you_mean("", &known), "");
    }
}
