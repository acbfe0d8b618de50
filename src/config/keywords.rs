//! Which keywords a parameter's JSON Schema may use, at every level of it.
//!
//! A reader would ask why an unknown keyword is refused where JSON Schema ignores it: a misspelt `patern`
//! would silently let everything through. Keywords of one's own start with `x-`.

use serde_json::{Value, json};

use super::document::At;
use super::faults::Faults;
use super::parameters::compile;
use super::shape;

/// Keywords whose value is data or a plain limit.
const PLAIN: [&str; 35] = [
    "$anchor",
    "$comment",
    "$dynamicAnchor",
    "$dynamicRef",
    "$ref",
    "const",
    "contentEncoding",
    "contentMediaType",
    "default",
    "dependentRequired",
    "deprecated",
    "description",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxContains",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minContains",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "readOnly",
    "required",
    "title",
    "type",
    "uniqueItems",
    "writeOnly",
];

/// Keywords whose value is a schema.
const SCHEMA: [&str; 11] = [
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// Keywords whose value is a list or a mapping of schemas.
const SCHEMAS: [&str; 8] = [
    "$defs",
    "allOf",
    "anyOf",
    "dependentSchemas",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "properties",
];

/// Reports unknown keywords and references that leave the file, at every level of a schema.
pub(super) fn check(schema: &Value, at: &At<'_>, faults: &mut Faults) {
    for (key, value) in schema.as_object().into_iter().flatten() {
        let at = at.key(key);
        let key = key.as_str();
        if SCHEMA.contains(&key) {
            check(value, &at, faults);
        } else if SCHEMAS.contains(&key) {
            let lists = value
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
                .map(|(i, value)| (i.to_string(), value));
            let maps = value
                .as_object()
                .into_iter()
                .flatten()
                .map(|(key, value)| (key.clone(), value));
            for (step, value) in lists.chain(maps) {
                let at = at.key(&step);
                if key == "patternProperties" {
                    check_pattern(&json!(step), &at, faults);
                }
                check(value, &at, faults);
            }
        } else if key == "pattern" {
            check_pattern(value, &at, faults);
        } else if matches!(key, "$ref" | "$dynamicRef") {
            if !value.as_str().is_some_and(|target| target.starts_with('#')) {
                at.fault(
                    faults,
                    "a reference must stay in this file: it starts with `#`, such as #/$defs/id",
                );
            }
        } else if !PLAIN.contains(&key) && !key.starts_with("x-") {
            let known: Vec<&str> = [&PLAIN[..], &SCHEMA, &SCHEMAS].concat();
            at.fault(
                faults,
                format!(
                    "unknown schema keyword `{key}`{}",
                    shape::did_you_mean(key, &known)
                ),
            );
        }
    }
}

fn check_pattern(pattern: &Value, at: &At<'_>, faults: &mut Faults) {
    if pattern.is_string() && compile(&json!({"pattern": pattern})).is_err() {
        at.fault(faults, shape::BAD_PATTERN);
    }
}
