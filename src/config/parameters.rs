//! The `parameters` of a tool or resource: a JSON Schema (2020-12) each, checked before any caller sees them.
//!
//! A reader would ask why more is refused than the meta-schema refuses: a `$ref` elsewhere would need the
//! network, a pattern with look-around may take exponential time, and a default that breaks its own schema
//! would break every call. Unknown keywords: see [`keywords`].

use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value, json};

use super::document::At;
use super::faults::Faults;
use super::keywords;
use super::shape;

/// What a checked set of parameters comes to.
pub(super) struct Parameters {
    /// The schema of each parameter, in the order of the file.
    pub(super) properties: Map<String, Value>,
    /// Names of those that must be given.
    required: Vec<String>,
    /// Defaults of those that have one.
    pub(super) defaults: Map<String, Value>,
}

impl Parameters {
    /// The schema of the whole argument object.
    pub(super) fn input_schema(&self) -> Value {
        json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

/// Identity comes from the credential, so these never appear in a tool's schema.
const GOVERNANCE_NAMES: [&str; 2] = ["tenant_id", "granted_scopes"];

pub(super) fn check(raw: Map<String, Value>, at: &At<'_>, faults: &mut Faults) -> Parameters {
    let known = faults.0.len();
    let mut checked = Parameters {
        properties: Map::new(),
        required: Vec::new(),
        defaults: Map::new(),
    };
    for (name, mut schema) in raw {
        let at = at.key(&name);
        check_word(&name, &at, faults);
        check_not_governance(&name, &at, faults);
        let flag = match schema.get("required") {
            Some(Value::Bool(flag)) => Some(*flag),
            _ => None,
        };
        if let (Some(_), Value::Object(keywords)) = (flag, &mut schema) {
            keywords.shift_remove("required");
        }
        shape::check(
            jsonschema::draft202012::meta::validator().iter_errors(&schema),
            &Value::Null,
            &at,
            faults,
        );
        keywords::check(&schema, &at, faults);
        if flag.unwrap_or(schema.get("default").is_none()) {
            checked.required.push(name.clone());
        }
        if let Some(default) = schema.get("default") {
            checked.defaults.insert(name.clone(), default.clone());
        }
        checked.properties.insert(name, schema);
    }
    if faults.0.len() == known {
        check_together(&checked, at, faults);
    }
    checked
}

/// What only shows once the whole argument object has its validator: references, patterns, defaults.
fn check_together(checked: &Parameters, at: &At<'_>, faults: &mut Faults) {
    let validator = match compile(&checked.input_schema()) {
        Ok(validator) => validator,
        Err(error) => return shape::report(&error, &Value::Null, at, faults),
    };
    for (name, default) in &checked.defaults {
        let argument = json!({name: default});
        let about_it =
            |error: &ValidationError<'_>| error.instance_path().segments().next().is_some();
        if validator
            .iter_errors(&argument)
            .any(|error| about_it(&error))
        {
            at.key(name)
                .key("default")
                .fault(faults, "the default does not fit its own schema");
        }
    }
}

/// The validator as calls will use it: linear-time patterns, and no reference leaves the schema.
pub(super) fn compile(schema: &Value) -> Result<Validator, ValidationError<'static>> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .with_pattern_options(PatternOptions::regex())
        .offline()
        .build(schema)
}

/// Reports a name that cannot be a parameter of a statement.
pub(super) fn check_word(name: &str, at: &At<'_>, faults: &mut Faults) {
    let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !word || name.is_empty() || name.len() > 64 || name.starts_with(|c: char| c.is_ascii_digit())
    {
        at.fault(faults, "a parameter's name is 1 to 64 letters, digits and `_`, and does not start with a digit");
    }
}

fn check_not_governance(name: &str, at: &At<'_>, faults: &mut Faults) {
    if GOVERNANCE_NAMES.contains(&name) {
        at.fault(
            faults,
            format!("`{name}` cannot be a parameter: identity comes from the credential alone; use `bind` to pass it to the statement"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::{good_tool, tool_faults};

    fn parameters(lines: &str) -> String {
        let lines: String = lines.lines().map(|line| format!("  {line}\n")).collect();
        format!("anyAuthenticated: true\nparameters:\n{lines}")
    }

    #[track_caller]
    fn refuses(lines: &str, wanted: &[&str]) {
        let found = tool_faults(&parameters(lines));
        assert_eq!(
            found,
            wanted
                .iter()
                .map(|w| w.replace('@', "tools.t.parameters"))
                .collect::<Vec<_>>(),
            "{lines}"
        );
    }

    #[test]
    fn a_parameter_is_required_unless_it_has_a_default_or_says_so() {
        let tool = good_tool(&parameters(
            "z: {type: string, required: false}\na: {type: integer, default: 5}\nm: {type: string, pattern: '^c-[a-z0-9]+$'}\nn: {type: object, required: [x]}",
        ));
        assert_eq!(
            tool.input_schema,
            json!({
                "type": "object",
                "properties": {
                    "z": {"type": "string"},
                    "a": {"type": "integer", "default": 5},
                    "m": {"type": "string", "pattern": "^c-[a-z0-9]+$"},
                    "n": {"type": "object", "required": ["x"]},
                },
                "required": ["m", "n"],
                "additionalProperties": false,
            })
        );
        assert_eq!(
            tool.input_schema["properties"]
                .as_object()
                .unwrap()
                .keys()
                .collect::<Vec<_>>(),
            ["z", "a", "m", "n"]
        );
        assert_eq!(Value::Object(tool.defaults), json!({"a": 5}));
    }

    #[test]
    fn governance_names_are_refused() {
        for name in GOVERNANCE_NAMES {
            let wanted = format!(
                "tollgate.yaml:6: @.{name}: `{name}` cannot be a parameter: identity comes from the credential alone; use `bind` to pass it to the statement"
            );
            refuses(&format!("{name}: {{type: string}}"), &[&wanted]);
        }
    }

    #[test]
    fn names_are_words() {
        let message = "a parameter's name is 1 to 64 letters, digits and `_`, and does not start with a digit";
        refuses(
            "a b: {}\n1a: {}",
            &[
                &format!("tollgate.yaml:6: @.\"a b\": {message}"),
                &format!("tollgate.yaml:7: @.1a: {message}"),
            ],
        );
        refuses(
            &format!("{}: {{}}", "x".repeat(65)),
            &[&format!("tollgate.yaml:6: @.{}: {message}", "x".repeat(65))],
        );
    }

    #[test]
    fn a_schema_must_be_a_schema() {
        refuses(
            "a: text",
            &["tollgate.yaml:6: @.a: expected a mapping, found a string"],
        );
        refuses(
            "a: {type: strng}",
            &[
                "tollgate.yaml:6: @.a.type: expected one of: array, boolean, integer, null, number, object, string",
            ],
        );
        refuses(
            "a:\n  type: string\n  minLength: many",
            &["tollgate.yaml:8: @.a.minLength: expected a whole number, found a string"],
        );
        refuses(
            "a: {type: object, properties: {b: {required: true}}}",
            &["tollgate.yaml:6: @.a.properties.b.required: expected a list, found true or false"],
        );
    }

    #[test]
    fn a_misspelt_keyword_is_refused_at_any_depth() {
        refuses(
            "a:\n  patern: x\n  items:\n    anyOf:\n    - {maximun: 1}\n  $id: x\n  x-ui: ok",
            &[
                "tollgate.yaml:7: @.a.patern: unknown schema keyword `patern`; did you mean `pattern`?",
                "tollgate.yaml:10: @.a.items.anyOf[0].maximun: unknown schema keyword `maximun`; did you mean `maximum`?",
                "tollgate.yaml:11: @.a.\"$id\": unknown schema keyword `$id`",
            ],
        );
    }

    #[test]
    fn references_stay_in_the_file() {
        refuses(
            "a: {$ref: 'https://example.com/s.json'}",
            &[
                "tollgate.yaml:6: @.a.\"$ref\": a reference must stay in this file: it starts with `#`, such as #/$defs/id",
            ],
        );
        refuses(
            "a: {$ref: '#/$defs/missing'}",
            &["tollgate.yaml:5: @: holds a `$ref` to a schema that is not here"],
        );
        good_tool(&parameters(
            "a: {type: string}\nb: {$ref: '#/properties/a'}",
        ));
    }

    #[test]
    fn patterns_run_in_linear_time() {
        refuses(
            "a: {pattern: '(?=x)y'}\nb: {patternProperties: {'(': {pattern: '[a-'}}}",
            &[
                &format!("tollgate.yaml:6: @.a.pattern: {}", shape::BAD_PATTERN),
                &format!(
                    "tollgate.yaml:7: @.b.patternProperties.\"(\": {}",
                    shape::BAD_PATTERN
                ),
                &format!(
                    "tollgate.yaml:7: @.b.patternProperties.\"(\".pattern: {}",
                    shape::BAD_PATTERN
                ),
            ],
        );
        refuses(
            "a: {pattern: 5}",
            &[
                "tollgate.yaml:6: @.a.pattern: expected a string, found a whole number; put it in quotes",
            ],
        );
    }

    #[test]
    fn a_default_fits_its_own_schema() {
        refuses(
            "a: {}\nb:\n  type: integer\n  default: many",
            &["tollgate.yaml:9: @.b.default: the default does not fit its own schema"],
        );
    }
}
