//! The lists: what this caller may call.
//!
//! Each entry is written to JSON once at start. What a caller sees depends on its scopes alone, so
//! a whole list is kept per set of scopes and answered as bytes.

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::sync::Cache;
use serde_json::{Value, json};

use super::answer::Meta;
use super::front::Era;
use crate::access::permits;
use crate::auth::Principal;
use crate::tool::{Catalog, Target, TargetKind, object_schema};

/// How long a client may keep a list, in milliseconds. Lists change with the configuration only.
const TTL_MS: u32 = 60_000;
/// How many lists are kept: kinds × eras × sets of scopes in use.
const KEPT: usize = 1_024;

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ListKind {
    Tools,
    Resources,
    ResourceTemplates,
    Prompts,
}

impl ListKind {
    fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Resources => "resources",
            Self::ResourceTemplates => "resourceTemplates",
            Self::Prompts => "prompts",
        }
    }
}

struct Entry {
    target: Arc<Target>,
    kind: ListKind,
    modern: String,
    legacy: String,
}

pub(super) struct Lists {
    entries: Vec<Entry>,
    kept: Cache<(ListKind, Era, u128), Bytes>,
}

impl Lists {
    pub(super) fn new(catalog: &Catalog) -> Self {
        Self {
            entries: catalog.targets().iter().map(entry).collect(),
            kept: Cache::new(KEPT),
        }
    }

    /// The result of a list request, as bytes.
    pub(super) fn result(
        &self,
        kind: ListKind,
        era: Era,
        principal: &Principal,
        meta: &Meta,
    ) -> Bytes {
        let key = (kind, era, principal.scopes_key());
        if let Some(bytes) = self.kept.get(&key) {
            return bytes;
        }
        let bytes = Bytes::from(self.write(kind, era, principal, meta));
        self.kept.insert(key, bytes.clone());
        bytes
    }

    fn write(&self, kind: ListKind, era: Era, principal: &Principal, meta: &Meta) -> String {
        let entries: Vec<&str> = self
            .entries
            .iter()
            .filter(|entry| entry.kind == kind && permits(&entry.target, principal))
            .map(|entry| match era {
                Era::Modern => entry.modern.as_str(),
                Era::Legacy => entry.legacy.as_str(),
            })
            .collect();
        let (member, entries) = (kind.member(), entries.join(","));
        let cached = match era {
            // Filtered by who asks, so never shared between callers.
            Era::Modern => format!(
                "\"resultType\":\"complete\",\"ttlMs\":{TTL_MS},\"cacheScope\":\"private\","
            ),
            Era::Legacy => String::new(),
        };
        format!("{{{cached}\"{member}\":[{entries}]{}", meta.end(era))
    }
}

fn entry(target: &Arc<Target>) -> Entry {
    let (kind, mut shown) = match target.kind() {
        TargetKind::Tool(face) => (
            ListKind::Tools,
            json!({
                "name": face.name, "title": face.title, "description": face.description,
                "inputSchema": target.input().json(),
            }),
        ),
        TargetKind::Resource(face, template) => {
            let (kind, member) = if template.is_static() {
                (ListKind::Resources, "uri")
            } else {
                (ListKind::ResourceTemplates, "uriTemplate")
            };
            let shown = json!({
                member: face.uri_template, "name": face.name, "title": face.title,
                "description": face.description, "mimeType": face.mime_type,
            });
            (kind, shown)
        }
    };
    let mut legacy = shown.clone();
    if let Some(output) = target.output().filter(|_| kind == ListKind::Tools) {
        shown["outputSchema"] = output.json().clone();
        legacy["outputSchema"] = object_schema(output.json());
    }
    Entry {
        target: Arc::clone(target),
        kind,
        modern: without_nulls(shown).to_string(),
        legacy: without_nulls(legacy).to_string(),
    }
}

/// Optional members are left out, not null.
fn without_nulls(mut shown: Value) -> Value {
    if let Value::Object(object) = &mut shown {
        object.retain(|_, value| !value.is_null());
    }
    shown
}
