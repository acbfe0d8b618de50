//! Arguments that clients repeat in HTTP headers: what `x-mcp-header` in an input schema asks for
//! (2026-07-28, streamable-http, "Custom Headers from Tool Parameters").
//!
//! Found and checked once, when the catalogue is made. A reader would ask why a wrong annotation is a
//! fault and not ignored: clients must drop a tool that has one, without a word to whoever wrote it.

use std::collections::HashSet;

use http::HeaderName;
use serde_json::Value;

/// The keyword.
const KEYWORD: &str = "x-mcp-header";

/// Keywords with a schema, or a list or mapping of schemas, from which no header can be read: whether
/// it holds for a value depends on the value.
const ELSEWHERE: [&str; 19] = [
    "$defs",
    "additionalProperties",
    "allOf",
    "anyOf",
    "contains",
    "contentSchema",
    "definitions",
    "dependentSchemas",
    "else",
    "if",
    "items",
    "not",
    "oneOf",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Those of them whose value is a mapping of names to schemas.
const MAPPINGS: [&str; 4] = [
    "$defs",
    "definitions",
    "dependentSchemas",
    "patternProperties",
];

/// An argument that is also in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirrored {
    /// `mcp-param-…`.
    pub header: HeaderName,
    /// The same as the schema spells it.
    pub shown: String,
    /// The members that lead to it, from the arguments down.
    path: Vec<String>,
}

impl Mirrored {
    /// Its value in a call, unless it is left out or null.
    pub fn value<'a>(&self, arguments: &'a super::Arguments) -> Option<&'a Value> {
        let (first, rest) = self.path.split_first()?;
        let value = rest
            .iter()
            .try_fold(arguments.get(first)?, |value, step| value.get(step));
        value.filter(|value| !value.is_null())
    }
}

/// The arguments that a schema wants in headers.
///
/// # Errors
/// A sentence about the first annotation that clients would refuse.
pub(super) fn mirrored(input: &Value) -> Result<Vec<Mirrored>, String> {
    let mut found = Vec::new();
    walk(input, &mut Vec::new(), true, &mut found)?;
    let mut names = HashSet::new();
    match found.iter().find(|one| !names.insert(&one.header)) {
        Some(twice) => Err(format!(
            "two parameters have the {KEYWORD} `{}`, upper and lower case aside",
            twice.shown.trim_start_matches(PREFIX)
        )),
        None => Ok(found),
    }
}

const PREFIX: &str = "Mcp-Param-";

fn walk(
    schema: &Value,
    path: &mut Vec<String>,
    is_reachable: bool,
    found: &mut Vec<Mirrored>,
) -> Result<(), String> {
    let Value::Object(keywords) = schema else {
        return Ok(());
    };
    if let Some(name) = keywords.get(KEYWORD) {
        let one = annotated(name, schema, path, is_reachable);
        found.push(one.map_err(|fault| format!("{KEYWORD} at `{}`: {fault}", path.join(".")))?);
    }
    for (name, schema) in keywords
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        path.push(name.clone());
        walk(schema, path, is_reachable, found)?;
        path.pop();
    }
    for keyword in ELSEWHERE {
        let Some(value) = keywords.get(keyword) else {
            continue;
        };
        path.push(keyword.to_owned());
        match value {
            Value::Array(schemas) => {
                schemas
                    .iter()
                    .try_for_each(|schema| walk(schema, path, false, found))?;
            }
            Value::Object(schemas) if MAPPINGS.contains(&keyword) => {
                schemas
                    .values()
                    .try_for_each(|schema| walk(schema, path, false, found))?;
            }
            schema => walk(schema, path, false, found)?,
        }
        path.pop();
    }
    Ok(())
}

/// What an annotation says, found at `path`.
fn annotated(
    name: &Value,
    schema: &Value,
    path: &[String],
    is_reachable: bool,
) -> Result<Mirrored, &'static str> {
    if !is_reachable || path.is_empty() {
        return Err(
            "it stands where no header can be read from; it belongs to a parameter, or to a property of one that is an object",
        );
    }
    let kind = schema["type"].as_str();
    if !matches!(kind, Some("string" | "integer" | "boolean")) {
        return Err("the type must be one of string, integer and boolean");
    }
    let shown = format!("{PREFIX}{}", name.as_str().unwrap_or_default());
    let header = HeaderName::from_bytes(shown.as_bytes());
    let header = header.ok().filter(|_| shown.len() > PREFIX.len());
    Ok(Mirrored {
        header: header.ok_or("it must be a name for a header, such as Region")?,
        shown,
        path: path.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(properties: Value) -> Result<Vec<Mirrored>, String> {
        mirrored(&json!({"type": "object", "properties": properties}))
    }

    #[test]
    fn a_value_is_read_at_the_path_of_its_property() {
        let found = of(json!({
            "region": {"type": "string", "x-mcp-header": "Region"},
            "page": {"type": "object", "properties": {"size": {"type": "integer", "x-mcp-header": "Page-Size"}}},
            // A parameter of that name is no annotation, and data is no schema.
            "x-mcp-header": {"type": "string", "default": {"x-mcp-header": 7}, "enum": [{"x-mcp-header": ""}]},
        }))
        .expect("good annotations");
        let headers: Vec<_> = found.iter().map(|one| one.header.as_str()).collect();
        assert_eq!(headers, ["mcp-param-region", "mcp-param-page-size"]);
        let Value::Object(arguments) = json!({"region": "eu", "page": {"size": 3}}) else {
            panic!("an object")
        };
        let values: Vec<_> = found.iter().map(|one| one.value(&arguments)).collect();
        assert_eq!(values, [Some(&json!("eu")), Some(&json!(3))]);
        for none in [
            json!({}),
            json!({"region": null, "page": 7}),
            json!({"page": {"size": null}}),
        ] {
            let Value::Object(none) = none else {
                panic!("an object")
            };
            assert!(found.iter().all(|one| one.value(&none).is_none()));
        }
    }

    #[test]
    fn an_annotation_that_clients_would_refuse_is_a_fault() {
        let annotated = json!({"type": "string", "x-mcp-header": "Region"});
        for name in [
            json!(""),
            json!("a b"),
            json!("a:b"),
            json!("a\r\nb"),
            json!("ä"),
            json!(7),
            json!(null),
        ] {
            let fault = of(json!({"a": {"type": "string", "x-mcp-header": name}}));
            assert_eq!(
                fault.expect_err("a bad name"),
                "x-mcp-header at `a`: it must be a name for a header, such as Region"
            );
        }
        for type_ in [
            json!("number"),
            json!("object"),
            json!("array"),
            json!("null"),
            json!(["string", "null"]),
            json!(null),
        ] {
            let fault = of(json!({"a": {"type": type_, "x-mcp-header": "A"}}));
            assert_eq!(
                fault.expect_err("a bad type"),
                "x-mcp-header at `a`: the type must be one of string, integer and boolean"
            );
        }
        for keyword in ELSEWHERE {
            let schema = match keyword {
                "allOf" | "anyOf" | "oneOf" | "prefixItems" => json!([annotated]),
                keyword if MAPPINGS.contains(&keyword) => json!({"x": annotated}),
                _ => json!({"properties": {"x": annotated}}),
            };
            assert!(of(json!({"a": {keyword: schema}})).is_err(), "{keyword}");
        }
        let at_the_root = mirrored(&json!({"type": "object", "x-mcp-header": "A"}));
        assert!(at_the_root.is_err());
    }

    #[test]
    fn names_that_differ_by_case_alone_are_a_fault() {
        let fault = of(json!({
            "a": {"type": "string", "x-mcp-header": "Region"},
            "b": {"type": "object", "properties": {"c": {"type": "boolean", "x-mcp-header": "rEGION"}}},
        }));
        assert!(fault.expect_err("the same name").contains("`rEGION`"));
    }
}
