//! JSON Schema 2020-12, compiled once at load.
//!
//! Validation never leaves the process (no remote `$ref`) and patterns run in linear time, so a
//! schema can neither fetch nor hang.

use std::fmt::Write as _;

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// What MCP takes a schema for that says nothing, and the only one here.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Most faults told at once, and the longest text of one, in characters.
const MAX_FAULTS: usize = 5;
const MAX_FAULT_CHARS: usize = 200;

/// A compiled schema and its text.
pub struct Schema {
    json: Value,
    validator: Validator,
}

/// Arguments that break the schema; says where (JSON pointer, RFC 6901) and how.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ArgumentsError(pub(crate) String);

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// A sentence when the text is not a valid 2020-12 schema, says that it is of another dialect,
    /// refers outside itself, or holds a pattern that cannot run in linear time (look-around,
    /// back-references).
    pub fn compile(json: Value) -> Result<Self, String> {
        let dialect = json.get("$schema");
        if dialect.is_some_and(|dialect| dialect.as_str() != Some(DIALECT)) {
            return Err(format!("`$schema` must be {DIALECT}, or be left out"));
        }
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .offline()
            .with_pattern_options(PatternOptions::regex())
            .build(&json)
            .map_err(|error| error.to_string())?;
        Ok(Self { json, validator })
    }

    /// The schema's text.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Checks what a caller sent; the fault, which he reads, may quote it.
    pub(crate) fn check(&self, value: &Value) -> Result<(), ArgumentsError> {
        self.check_telling(value, |error| error.to_string())
    }

    /// Checks what a tool answered; the fault, which goes to the log, quotes no value of it.
    pub(crate) fn check_answer(&self, value: &Value) -> Result<(), ArgumentsError> {
        self.check_telling(value, |error| error.masked().to_string())
    }

    fn check_telling(
        &self,
        value: &Value,
        tell: impl Fn(&ValidationError<'_>) -> String,
    ) -> Result<(), ArgumentsError> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let mut text = String::new();
        for error in self.validator.iter_errors(value).take(MAX_FAULTS) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            let fault: String = tell(&error).chars().take(MAX_FAULT_CHARS).collect();
            let pointer = error.instance_path().as_str();
            let pointer = if pointer.is_empty() { "/" } else { pointer };
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{pointer}: {fault}");
        }
        Err(ArgumentsError(text))
    }
}

/// The schema of a Rust type as callers send it. Unknown properties are refused.
pub(crate) fn input_schema_of<A: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .for_deserialize()
        .into_generator();
    let mut schema = bare(generator.into_root_schema_for::<A>().to_value());
    if let Value::Object(object) = &mut schema {
        object.entry("type").or_insert_with(|| json!("object"));
        // `additionalProperties` does not see the properties of an enum's variants; its sibling does.
        let composed = ["$ref", "allOf", "anyOf", "oneOf"];
        let keyword = if composed.iter().any(|keyword| object.contains_key(*keyword)) {
            "unevaluatedProperties"
        } else {
            "additionalProperties"
        };
        object.entry(keyword).or_insert(json!(false));
    }
    schema
}

/// The schema of a Rust type as it is answered with.
pub(crate) fn output_schema_of<R: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator();
    bare(generator.into_root_schema_for::<R>().to_value())
}

/// Without `$schema` (2020-12 is MCP's default dialect) and the Rust type's name.
fn bare(mut schema: Value) -> Value {
    if let Value::Object(object) = &mut schema {
        object.shift_remove("$schema");
        object.shift_remove("title");
    }
    schema
}

/// Whether [`object_schema`] wraps this schema, and so its values as well.
pub(crate) fn is_wrapped(schema: &Value) -> bool {
    schema.get("type") != Some(&json!("object"))
}

/// A schema whose instances are objects, as revisions before 2026-07-28 demand of an output
/// schema: itself if it is one already, else `{"result": …}`.
pub(crate) fn object_schema(schema: &Value) -> Value {
    if !is_wrapped(schema) {
        return schema.clone();
    }
    let mut inner = schema.clone();
    // References are absolute within the document (`#/$defs/…`), so definitions move to the root.
    let definitions = inner.as_object_mut().and_then(|o| o.shift_remove("$defs"));
    let mut outer = Map::new();
    outer.insert("type".to_owned(), json!("object"));
    outer.insert("properties".to_owned(), json!({ "result": inner }));
    outer.insert("required".to_owned(), json!(["result"]));
    if let Some(definitions) = definitions {
        outer.insert("$defs".to_owned(), definitions);
    }
    Value::Object(outer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_the_place_and_never_grows_without_bound() {
        let schema =
            Schema::compile(json!({"type": "object", "properties": {"a": {"pattern": "^c-"}}}))
                .expect("a good schema");
        let error = schema
            .check(&json!({"a": "x".repeat(10_000)}))
            .expect_err("a bad value");
        assert!(error.0.starts_with("/a: "), "{error}");
        assert!(error.0.len() < 300);
    }

    #[test]
    fn a_schema_cannot_fetch_another() {
        assert!(Schema::compile(json!({"$ref": "https://example.com/schema.json"})).is_err());
    }

    #[test]
    fn a_pattern_that_could_backtrack_is_refused_at_load() {
        assert!(Schema::compile(json!({"pattern": "(a)\\1"})).is_err());
    }

    #[test]
    fn a_list_is_wrapped_for_clients_that_know_only_objects() {
        let list = json!({"type": "array", "items": {"$ref": "#/$defs/X"}, "$defs": {"X": {"type": "string"}}});
        let wrapped = Schema::compile(object_schema(&list)).expect("its references still resolve");
        assert!(wrapped.check(&json!({"result": ["a"]})).is_ok());
        assert!(wrapped.check(&json!({"result": [1]})).is_err());
    }
}
