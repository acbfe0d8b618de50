//! The tools and resources of a configuration, each with what runs behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::presentation::{present_resource, present_tool};
use super::sources::{OpenKind, OpenSource, OpenSources};
use super::unopened::Unopened;
use crate::config::{self, Backend, Faults};
use crate::source::http::{HttpSpec, HttpTool};
use crate::source::{Bound, Declared, PromptTexts, SqlSpec, SqlTool};
use crate::tool::{Arguments, Handler, Prompt, Resource, Tool, UriTemplate, argument_names};

/// What runs, and the schema of what it answers with, where that is known.
type Runnable = (Arc<dyn Handler>, Option<Value>);

pub(super) fn declared_tool(
    tool: &config::Tool,
    sources: Option<&OpenSources>,
    faults: &mut Faults,
) -> Option<Tool> {
    let properties = tool
        .input_schema
        .get("properties")
        .and_then(serde_json::Value::as_object);
    let arguments = properties
        .into_iter()
        .flat_map(|properties| properties.keys())
        .map(String::as_str);
    let declared = declared(arguments.collect(), &tool.bind);
    let (handler, output) = runnable(&tool.backend, declared, sources, faults)?;
    let built = Tool::new(&tool.name, &tool.description).declared(
        tool.input_schema.clone(),
        tool.defaults.clone(),
        output,
        handler,
    );
    Some(present_tool(built, tool))
}

pub(super) fn declared_resource(
    resource: &config::Resource,
    sources: Option<&OpenSources>,
    faults: &mut Faults,
) -> Option<Resource> {
    let template = match UriTemplate::parse(&resource.uri_template) {
        Ok(template) => template,
        Err(error) => {
            faults.0.push(resource.origin.fault(error.to_string()));
            return None;
        }
    };
    let arguments: Vec<&str> = template.variables().collect();
    if let Some(unknown) = resource
        .parameters
        .keys()
        .find(|name| !arguments.contains(&name.as_str()))
    {
        faults.0.push(resource.origin.fault(format!(
            "`parameters` names `{unknown}`, which is no variable of the URI template"
        )));
        return None;
    }
    let declared = declared(arguments, &resource.bind);
    let (handler, _) = runnable(&resource.backend, declared, sources, faults)?;
    let input = serde_json::json!({
        "type": "object",
        "properties": resource.parameters,
        "additionalProperties": false,
    });
    let built = Resource::new(&resource.uri_template, &resource.name)
        .mime_type(&resource.mime_type)
        .declared(input, Arguments::new(), None, handler);
    Some(present_resource(built, resource))
}

pub(super) fn declared_prompt(prompt: &config::Prompt, faults: &mut Faults) -> Option<Prompt> {
    let arguments = argument_names(&prompt.input_schema).unwrap_or_default();
    let declared = declared(arguments, &prompt.bind);
    let messages = prompt.messages.iter();
    let messages = messages.map(|message| (message.by_assistant, message.text.as_str()));
    let texts = PromptTexts::new(messages, &declared)
        .map_err(|error| faults.0.push(prompt.origin.fault(error.to_string())))
        .ok()?;
    let built = Prompt::new(&prompt.name, &prompt.description).declared(
        prompt.input_schema.clone(),
        prompt.defaults.clone(),
        None,
        Arc::new(texts),
    );
    Some(match &prompt.title {
        Some(title) => built.title(title),
        None => built,
    })
}

fn declared<'a>(
    arguments: Vec<&'a str>,
    bind: &'a BTreeMap<String, config::Binding>,
) -> Declared<'a> {
    let bound = bind.iter().map(|(name, binding)| {
        let bound = match binding {
            config::Binding::Tenant => Bound::Tenant,
            config::Binding::Subject => Bound::Subject,
        };
        (name.as_str(), bound)
    });
    Declared {
        arguments,
        bound: bound.collect(),
    }
}

/// A source that could not be opened, or is of another kind, has its own fault already. Without
/// sources nothing runs.
fn runnable(
    backend: &Backend,
    declared: Declared<'_>,
    sources: Option<&OpenSources>,
    faults: &mut Faults,
) -> Option<Runnable> {
    let Some(sources) = sources else {
        return Some((Arc::new(Unopened), None));
    };
    match backend {
        Backend::Sql(sql) => sql_tool(sql, declared, sources.get(&sql.source)?, faults),
        Backend::Http(http) => http_tool(http, declared, sources.get(&http.source)?, faults),
    }
}

fn sql_tool(
    sql: &config::Sql,
    declared: Declared<'_>,
    source: &OpenSource,
    faults: &mut Faults,
) -> Option<Runnable> {
    let OpenKind::Sqlite(database) = &source.kind else {
        return None;
    };
    let spec = SqlSpec {
        statement: &sql.statement,
        declared,
        one: sql.result == config::SqlResult::One,
        max_rows: sql.max_rows,
        max_bytes: sql.max_bytes,
    };
    let tool = SqlTool::new(database, &source.resilience, &spec)
        .map_err(|error| faults.0.push(sql.origin.fault(error.to_string())))
        .ok()?;
    let output = tool.output_schema();
    Some((Arc::new(tool), Some(output)))
}

fn http_tool(
    http: &config::Http,
    declared: Declared<'_>,
    source: &OpenSource,
    faults: &mut Faults,
) -> Option<Runnable> {
    let OpenKind::Http(api) = &source.kind else {
        return None;
    };
    let spec = HttpSpec {
        method: http.method.clone(),
        path: &http.path,
        query: &http.query,
        body: http.body.as_deref(),
        headers: &http.headers,
        declared,
        text: http.text,
        max_bytes: http.max_bytes,
        idempotent: http.idempotent,
    };
    let tool = HttpTool::new(api, &source.resilience, &spec)
        .map_err(|error| faults.0.push(http.origin.fault(error.to_string())))
        .ok()?;
    let output = tool.output_schema();
    Some((Arc::new(tool), output))
}
