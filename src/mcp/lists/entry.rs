//! One entry of a list, written once for each era.
//!
//! Clients of older revisions ignore members that they do not know, such as icons (2025-11-25), so
//! each entry has them all. What they would misread is written as they knew it.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::ListKind;
use crate::tool::{
    PromptFace, ResourceFace, Target, TargetKind, ToolFace, UriTemplate, object_schema,
};

pub(super) struct Entry {
    pub(super) target: Arc<Target>,
    pub(super) kind: ListKind,
    pub(super) modern: String,
    pub(super) legacy: String,
}

pub(super) fn entry(target: &Arc<Target>) -> Entry {
    let (kind, modern, legacy) = match target.kind() {
        TargetKind::Tool(face) => {
            let modern = tool(target, face);
            let legacy = as_before(modern.clone(), target, face);
            (ListKind::Tools, modern, legacy)
        }
        TargetKind::Resource(face, template) => {
            let (kind, shown) = resource(face, template);
            (kind, shown.clone(), shown)
        }
        TargetKind::Prompt(face) => {
            let shown = prompt(target, face);
            (ListKind::Prompts, shown.clone(), shown)
        }
    };
    Entry {
        target: Arc::clone(target),
        kind,
        modern: without_nulls(modern).to_string(),
        legacy: without_nulls(legacy).to_string(),
    }
}

fn tool(target: &Target, face: &ToolFace) -> Value {
    json!({
        "name": face.name, "title": face.title, "description": face.description,
        "icons": if_any(&face.icons), "inputSchema": target.input().json(),
        "outputSchema": target.output().map(|output| output.json()),
        "annotations": if_any(&face.hints),
    })
}

/// Structured content was an object before 2026-07-28, and a tool's title an annotation before
/// 2025-06-18.
fn as_before(mut shown: Value, target: &Target, face: &ToolFace) -> Value {
    if let Some(output) = target.output() {
        shown["outputSchema"] = object_schema(output.json());
    }
    if let Some(title) = &face.title {
        shown["annotations"]["title"] = json!(title);
    }
    shown
}

fn resource(face: &ResourceFace, template: &UriTemplate) -> (ListKind, Value) {
    let (kind, member) = if template.is_static() {
        (ListKind::Resources, "uri")
    } else {
        (ListKind::ResourceTemplates, "uriTemplate")
    };
    let shown = json!({
        member: face.uri_template, "name": face.name, "title": face.title,
        "description": face.description, "icons": if_any(&face.icons), "mimeType": face.mime_type,
        "annotations": if_any(&face.annotations), "size": face.size,
    });
    (kind, shown)
}

fn prompt(target: &Target, face: &PromptFace) -> Value {
    let input = target.input().json();
    let is_required = |name: &str| {
        let required = input["required"].as_array();
        required.is_some_and(|required| required.iter().any(|known| known == name))
    };
    let arguments = input["properties"].as_object();
    let arguments = arguments.into_iter().flatten().map(|(name, schema)| {
        without_nulls(json!({
            "name": name, "title": schema["title"], "description": schema["description"],
            "required": is_required(name),
        }))
    });
    json!({
        "name": face.name, "title": face.title, "description": face.description,
        "arguments": if_any(&arguments.collect::<Vec<_>>()),
    })
}

/// Nothing, in place of a list or an object without members.
fn if_any(value: &impl Serialize) -> Value {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) if !object.is_empty() => Value::Object(object),
        Ok(Value::Array(list)) if !list.is_empty() => Value::Array(list),
        _ => Value::Null,
    }
}

/// Optional members are left out, not null.
fn without_nulls(mut shown: Value) -> Value {
    if let Value::Object(object) = &mut shown {
        object.retain(|_, value| !value.is_null());
    }
    shown
}
