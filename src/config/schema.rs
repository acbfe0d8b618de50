//! The JSON Schema of the config file, generated from the `Raw…` structs that load it.
//!
//! One schema serves `tollgate schema` (editors complete and check with it) and loading itself, so the two
//! cannot drift apart. Loading checks more than a schema can say: see the sections.
//! A reader would ask about `without_rust`: serde makes every optional key nullable, but a key that was left
//! empty in YAML (`timeout:`) is a mistake and not a wish for the default.

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::raw::{RawCases, RawConfig};

/// The JSON Schema (draft 2020-12) of `tollgate.yaml`.
///
/// It describes the file after expansion: where it wants a number or a boolean, the file may also hold a
/// string with `${…}` that expands to one.
pub fn json_schema() -> Value {
    json_schema_of::<RawConfig>()
}

/// The JSON Schema of a file of policy cases.
pub fn cases_schema() -> Value {
    json_schema_of::<RawCases>()
}

/// The JSON Schema of one kind of file.
pub(super) fn json_schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12()
        .for_deserialize()
        .with_transform(RecursiveTransform(without_rust))
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// Takes out of a schema what serde and Rust's types put in and the file does not mean.
fn without_rust(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".into(), only);
        }
    }
    if let Some(Value::Array(branches)) = schema.get_mut("anyOf") {
        branches.retain(|branch| branch["type"] != "null");
        if let [Value::Object(only)] = branches.as_slice() {
            let only = only.clone();
            schema.remove("anyOf");
            only.into_iter()
                .for_each(|(key, value)| drop(schema.insert(key, value)));
        }
    }
    // A section's default is told by the defaults of its keys.
    if matches!(schema.get("default"), Some(Value::Null | Value::Object(_))) {
        schema.remove("default");
    }
    // Widths of Rust's integers mean nothing to a reader of the file.
    schema.remove("format");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_a_valid_2020_12_schema() {
        let schema = json_schema();
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert!(jsonschema::draft202012::meta::is_valid(&schema));
    }

    #[test]
    fn every_key_says_what_it_means() {
        let schema = json_schema();
        let objects = schema["$defs"]
            .as_object()
            .unwrap()
            .values()
            .chain([&schema]);
        for (key, property) in objects
            .filter_map(|object| object["properties"].as_object())
            .flatten()
        {
            let target = property["$ref"]
                .as_str()
                .map(|target| &schema.pointer(&target[1..]).unwrap()["description"]);
            assert!(
                property["description"].is_string() || target.is_some_and(Value::is_string),
                "{key}: {property}"
            );
        }
    }

    #[test]
    fn no_key_may_be_left_empty_and_defaults_are_shown() {
        let schema = json_schema();
        assert!(!schema.to_string().contains("\"null\""), "{schema:#}");
        assert_eq!(
            schema["$defs"]["Tool"]["properties"]["timeout"]["default"],
            "30s"
        );
        assert_eq!(
            schema["$defs"]["Server"]["properties"]["listen"]["default"],
            "127.0.0.1:8080"
        );
        assert_eq!(schema["$defs"]["Tool"]["additionalProperties"], false);
        assert!(schema["properties"]["server"].get("default").is_none());
    }
}
