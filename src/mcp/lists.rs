//! The lists: what this caller may call.
//!
//! Each entry is written to JSON once at start. What a caller sees depends on its scopes and, where
//! policies say so, on its tenant and subject; a whole list is kept per such set and answered as
//! bytes.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde_json::{Value, json};

use super::answer::Meta;
use super::front::Era;
use crate::access::permits;
use crate::auth::{Lookups, Principal, TenantKey};
use crate::tool::{Catalog, CompiledRule, Target, TargetKind, object_schema};

/// How long a client may keep a list, in milliseconds. Lists change with the configuration only.
const TTL_MS: u32 = 60_000;
/// How many lists are kept, about: kinds × eras × sets of scopes in use.
const KEPT: usize = 1_024;
/// How many bytes of them. Which scopes a token has is often for the caller to choose, and so is
/// then the number of lists.
const KEPT_BYTES: u64 = 64 << 20;

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

/// What a kept list was written for: scopes, and tenant and subject where they make a difference.
type Key = (ListKind, Era, u128, Option<TenantKey>, Option<Box<str>>);

/// A list as it is answered.
#[derive(Clone)]
struct Kept {
    result: Bytes,
    /// Equal for equal lists, also those of another configuration.
    mark: u64,
}

#[derive(Clone)]
struct ByLength;

impl Weighter<Key, Kept> for ByLength {
    fn weight(&self, _: &Key, list: &Kept) -> u64 {
        list.result.len() as u64
    }
}

pub(super) struct Lists {
    entries: Vec<Entry>,
    by_tenant: bool,
    by_subject: bool,
    kept: Cache<Key, Kept, ByLength>,
    lookups: Arc<Lookups>,
}

impl Lists {
    pub(super) fn new(catalog: &Catalog, lookups: &Arc<Lookups>) -> Self {
        let targets = catalog.targets();
        let on_caller = |rule: &&CompiledRule| !rule.reads_arguments();
        let terms = targets.iter().flat_map(|target| target.all_terms());
        let mut rules = terms
            .flat_map(|terms| terms.rules().iter().filter(on_caller))
            .peekable();
        let has_own = |target: &Arc<Target>| target.tenant_terms().next().is_some();
        Self {
            entries: targets.iter().map(entry).collect(),
            by_tenant: rules.peek().is_some() || targets.iter().any(has_own),
            by_subject: rules.any(CompiledRule::reads_subject),
            kept: Cache::with_weighter(KEPT, KEPT_BYTES, ByLength),
            lookups: Arc::clone(lookups),
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
        self.kept(kind, era, principal, meta).result
    }

    /// What tells one state of a list from another, for whoever listens for changes.
    pub(super) fn mark(&self, kind: ListKind, era: Era, principal: &Principal, meta: &Meta) -> u64 {
        self.kept(kind, era, principal, meta).mark
    }

    fn kept(&self, kind: ListKind, era: Era, principal: &Principal, meta: &Meta) -> Kept {
        let key = (
            kind,
            era,
            principal.scopes_key(),
            self.by_tenant.then(|| principal.tenant_key()),
            self.by_subject.then(|| principal.subject().into()),
        );
        let known = self.kept.get(&key);
        self.lookups.count(known.is_some());
        if let Some(kept) = known {
            return kept;
        }
        let result = Bytes::from(self.write(kind, era, principal, meta));
        let mut hasher = DefaultHasher::new();
        result.hash(&mut hasher);
        let mark = hasher.finish();
        let kept = Kept { result, mark };
        self.kept.insert(key, kept.clone());
        kept
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
        TargetKind::Prompt(face) => (
            ListKind::Prompts,
            json!({
                "name": face.name, "title": face.title, "description": face.description,
                "arguments": prompt_arguments(target.input().json()),
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

/// The arguments of a prompt, as lists show them.
fn prompt_arguments(input: &Value) -> Option<Value> {
    let required = |name: &str| {
        let required = input["required"].as_array();
        required.is_some_and(|required| required.iter().any(|known| known == name))
    };
    let shown = input["properties"]
        .as_object()?
        .iter()
        .map(|(name, schema)| {
            without_nulls(json!({
                "name": name, "title": schema["title"], "description": schema["description"],
                "required": required(name),
            }))
        });
    let shown: Vec<Value> = shown.collect();
    (!shown.is_empty()).then(|| shown.into())
}

/// Optional members are left out, not null.
fn without_nulls(mut shown: Value) -> Value {
    if let Value::Object(object) = &mut shown {
        object.retain(|_, value| !value.is_null());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::{Arguments, CallContext, Declared, Tool, ToolError};

    #[test]
    fn the_lists_kept_take_no_more_memory_however_many_callers_differ() {
        let tool = |number: u32| {
            Tool::new(format!("t{number}"), "x".repeat(10_000))
                .any_authenticated()
                .handler(async |_: CallContext, _: Arguments| Ok::<_, ToolError>(()))
        };
        let catalog = Catalog::build(Declared::tools((0..100).map(tool))).expect("good tools");
        let lists = Lists::new(&catalog, &Arc::default());
        let meta = Meta::new(&json!({}));
        for number in 0..100 {
            let scope = format!("scope-{number}");
            let caller = Principal::configured("acme", "ada", [scope]).expect("good");
            let list = lists.result(ListKind::Tools, Era::Modern, &caller, &meta);
            assert!(list.len() > 1_000_000);
        }
        assert!(lists.kept.weight() <= KEPT_BYTES, "{}", lists.kept.weight());
    }
}
