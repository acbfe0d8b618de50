//! The `resources` section: what callers read by URI, under which policy, and what runs behind it.
//!
//! Governed like tools, with the same checks. A reader would ask why the URI template is hardly checked here:
//! the catalogue that matches URIs parses it, and reports faults through [`Resource::origin`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::backend::{self, Backend};
use super::document::At;
use super::faults::{Faults, Origin};
use super::inputs::{self, Binding};
use super::policy::{self, Policy, RawPolicy};
use super::raw::RawResource;
use super::raw::presentation::{Icon, ResourceAnnotations};
use super::source::Source;

/// One checked resource, or many behind one URI template.
#[derive(Debug, Clone)]
pub struct Resource {
    /// The URI template as written; has a scheme, is not checked further here.
    pub uri_template: String,
    /// Short name; not empty.
    pub name: String,
    /// Name for people; not empty.
    pub title: Option<String>,
    /// What the resource holds, for the model; not empty.
    pub description: Option<String>,
    /// Media type of the content, default `application/json`.
    pub mime_type: String,
    /// What it tells of its content; its time is unchecked.
    pub annotations: ResourceAnnotations,
    /// How long its content is, in bytes.
    pub size: Option<u64>,
    /// Pictures beside its name, unchecked.
    pub icons: Vec<Icon>,
    /// Who may read, how often, for how long.
    pub policy: Policy,
    /// Schemas of template variables, by name; a variable not listed is any text.
    pub parameters: Map<String, Value>,
    /// Names that the runtime fills in, none of which is also in `parameters`.
    pub bind: BTreeMap<String, Binding>,
    /// What runs.
    pub backend: Backend,
    /// Where the resource is declared, for faults that show later.
    pub origin: Origin,
}

pub(super) fn check(
    uri_template: String,
    raw: RawResource,
    sources: &BTreeMap<String, Source>,
    at: &At<'_>,
    faults: &mut Faults,
) -> Resource {
    if !has_scheme(&uri_template) {
        at.fault(faults, "a resource is named by a URI template with a scheme, such as customers://{customer_id}");
    }
    for (name, schema) in &raw.parameters {
        for key in ["default", "required"] {
            if schema
                .get(key)
                .is_some_and(|value| key == "default" || value.is_boolean())
            {
                let message = format!(
                    "`{key}` has no effect here: a URI always gives every variable of its template; remove it"
                );
                at.key("parameters")
                    .key(name)
                    .key(key)
                    .fault(faults, message);
            }
        }
    }
    let policy = RawPolicy {
        scopes: raw.scopes,
        any_authenticated: raw.any_authenticated,
        rules: raw.rules,
        confirm: None,
        enabled: raw.enabled,
        rate_limit: raw.rate_limit,
        timeout: raw.timeout,
        max_concurrent: raw.max_concurrent,
        audit: raw.audit,
    };
    let (parameters, bind) = inputs::check(raw.parameters, raw.bind, at, faults);
    Resource {
        uri_template,
        name: raw.name,
        title: raw.title,
        description: raw.description,
        mime_type: raw.mime_type,
        annotations: raw.annotations,
        size: raw.size,
        icons: raw.icons,
        policy: policy::check(policy, at, faults),
        parameters: parameters.properties,
        bind,
        backend: backend::check(raw.sql, raw.http, sources, at, faults),
        origin: at.origin(),
    }
}

/// Whether the text starts with a URI scheme (RFC 3986 §3.1) and something after it.
fn has_scheme(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let tail = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(tail)
        && !rest.is_empty()
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{faults, good};
    use crate::config::{Backend, SqlResult};

    const HEAD: &str = "sources: {shop: {sqlite: shop.db}}\n";
    const SQL: &str = "sql: {source: shop, statement: SELECT 1, result: many}";

    fn resource(uri: &str, lines: &str) -> String {
        let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
        format!(
            "{HEAD}resources:\n  '{uri}':\n    name: n\n    anyAuthenticated: true\n    {SQL}\n{lines}"
        )
    }

    #[test]
    fn a_resource_is_read() {
        let config = good(&resource(
            "customers://{customer_id}",
            "parameters: {customer_id: {pattern: '^c-'}}\n",
        ));
        let resource = &config.resources[0];
        assert_eq!(
            (resource.uri_template.as_str(), resource.name.as_str()),
            ("customers://{customer_id}", "n")
        );
        let Backend::Sql(sql) = &resource.backend else {
            panic!("SQL")
        };
        assert_eq!(
            (resource.mime_type.as_str(), sql.result),
            ("application/json", SqlResult::Many)
        );
        assert_eq!(resource.parameters["customer_id"]["pattern"], "^c-");
        assert_eq!(
            resource.origin.path,
            "resources.\"customers://{customer_id}\""
        );
    }

    #[test]
    fn a_resource_has_a_scheme() {
        for uri in ["", "customers", "1a:b", "://x", "a b:c", "a:"] {
            let wanted = format!(
                "tollgate.yaml:3: resources.{}: a resource is named by a URI template with a scheme, such as customers://{{customer_id}}",
                if uri == "customers" {
                    uri.to_owned()
                } else {
                    format!("\"{uri}\"")
                }
            );
            assert_eq!(faults(&resource(uri, "")), [wanted]);
        }
    }

    #[test]
    fn a_resource_parameter_cannot_be_optional() {
        let found = faults(&resource(
            "a:{b}",
            "parameters:\n  b:\n    required: false\n    default: x\n",
        ));
        assert_eq!(
            found,
            [
                "tollgate.yaml:9: resources.\"a:{b}\".parameters.b.required: `required` has no effect here: a URI always gives every variable of its template; remove it",
                "tollgate.yaml:10: resources.\"a:{b}\".parameters.b.default: `default` has no effect here: a URI always gives every variable of its template; remove it",
            ]
        );
    }
}
