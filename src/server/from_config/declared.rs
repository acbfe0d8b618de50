//! The tools and resources of a configuration, and the databases that they read.
//!
//! A database that cannot be opened is one fault; what reads it adds none.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{self, Faults};
use crate::source::sqlite::Sqlite;
use crate::source::{Bound, SqlSpec, SqlTool};
use crate::tool::{Arguments, Resource, Tool, UriTemplate};

pub(super) fn open_sources(
    sources: &BTreeMap<String, config::Source>,
    faults: &mut Faults,
) -> BTreeMap<String, Sqlite> {
    let mut open = BTreeMap::new();
    for (
        name,
        config::Source::Sqlite {
            path,
            threads,
            origin,
        },
    ) in sources
    {
        match Sqlite::open(path, *threads) {
            Ok(database) => {
                open.insert(name.clone(), database);
            }
            Err(error) => faults.0.push(origin.fault(error.to_string())),
        }
    }
    open
}

pub(super) fn declared_tool(
    tool: &config::Tool,
    sources: &BTreeMap<String, Sqlite>,
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
    let handler = sql_tool(&tool.sql, arguments.collect(), &tool.bind, sources, faults)?;
    let mut built = Tool::new(&tool.name, &tool.description).declared(
        tool.input_schema.clone(),
        tool.defaults.clone(),
        Some(handler.output_schema()),
        Arc::new(handler),
    );
    if let Some(title) = &tool.title {
        built = built.title(title);
    }
    Some(built)
}

pub(super) fn declared_resource(
    resource: &config::Resource,
    sources: &BTreeMap<String, Sqlite>,
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
    let handler = sql_tool(&resource.sql, arguments, &resource.bind, sources, faults)?;
    let input = serde_json::json!({
        "type": "object",
        "properties": resource.parameters,
        "additionalProperties": false,
    });
    let mut built = Resource::new(&resource.uri_template, &resource.name)
        .mime_type(&resource.mime_type)
        .declared(input, Arguments::new(), None, Arc::new(handler));
    if let Some(title) = &resource.title {
        built = built.title(title);
    }
    if let Some(description) = &resource.description {
        built = built.description(description);
    }
    Some(built)
}

fn sql_tool(
    sql: &config::Sql,
    arguments: Vec<&str>,
    bind: &BTreeMap<String, config::Binding>,
    sources: &BTreeMap<String, Sqlite>,
    faults: &mut Faults,
) -> Option<SqlTool> {
    // A source that could not be opened has its own fault already.
    let database = sources.get(&sql.source)?;
    let bound = bind.iter().map(|(name, binding)| {
        let bound = match binding {
            config::Binding::Tenant => Bound::Tenant,
            config::Binding::Subject => Bound::Subject,
        };
        (name.as_str(), bound)
    });
    let spec = SqlSpec {
        statement: &sql.statement,
        arguments,
        bound: bound.collect(),
        one: sql.result == config::SqlResult::One,
        max_rows: sql.max_rows,
        max_bytes: sql.max_bytes,
    };
    match SqlTool::new(database, &spec) {
        Ok(tool) => Some(tool),
        Err(error) => {
            faults.0.push(sql.origin.fault(error.to_string()));
            None
        }
    }
}
