//! The lists: what this caller may call.
//!
//! Each entry is written to JSON once at start. What a caller sees depends on its scopes and, where
//! policies say so, on its tenant and subject; a whole list is kept per such set, in pages, and each
//! page answered as bytes.

mod entry;
mod pages;

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::answer::Meta;
use super::envelope::{Params, Text};
use super::front::Era;
use crate::access::permits;
use crate::auth::{Lookups, Principal, TenantKey};
use crate::error::ProtocolError;
use crate::tool::{Catalog, CompiledRule, Target};
use entry::{Entry, entry};
use pages::{Frame, Pages};

/// How long a client may keep a list, in milliseconds. Lists change with the configuration only.
const TTL_MS: u32 = 60_000;
/// How many lists are kept, about: kinds × eras × sets of scopes in use.
const KEPT: usize = 1_024;
/// How many bytes of them. Which scopes a token has is often for the caller to choose, and so is
/// then the number of lists.
const KEPT_BYTES: u64 = 64 << 20;

/// Clients then begin again (2026-07-28, server/utilities/caching, "Interaction with Pagination").
const UNKNOWN_CURSOR: &str =
    "unknown cursor: it is of another list, or the list has changed; ask without one";

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

/// What a kept list was written for: scopes, and tenant and subject where they make a difference.
type Key = (ListKind, Era, u128, Option<TenantKey>, Option<Box<str>>);

#[derive(Clone)]
struct ByLength;

impl Weighter<Key, Arc<Pages>> for ByLength {
    fn weight(&self, _: &Key, list: &Arc<Pages>) -> u64 {
        list.bytes()
    }
}

pub(super) struct Lists {
    entries: Vec<Entry>,
    by_tenant: bool,
    by_subject: bool,
    page_size: usize,
    kept: Cache<Key, Arc<Pages>, ByLength>,
    lookups: Arc<Lookups>,
}

impl Lists {
    pub(super) fn new(catalog: &Catalog, lookups: &Arc<Lookups>, page_size: usize) -> Self {
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
            page_size,
            kept: Cache::with_weighter(KEPT, KEPT_BYTES, ByLength),
            lookups: Arc::clone(lookups),
        }
    }

    /// The result of a list request, as bytes.
    ///
    /// # Errors
    /// [`ProtocolError::InvalidParams`]: no object, no cursor, or none of this list as it is now.
    pub(super) fn result(
        &self,
        kind: ListKind,
        era: Era,
        principal: &Principal,
        meta: &Meta,
        params: &Params<'_>,
    ) -> Result<Bytes, ProtocolError> {
        if params.are_wrong {
            return Err(ProtocolError::InvalidParams("params must be an object"));
        }
        let cursor = match &params.cursor {
            Text::Absent => None,
            Text::Is(cursor) => Some(&**cursor),
            Text::Wrong => return Err(ProtocolError::InvalidParams("cursor must be a string")),
        };
        let page = self.pages(kind, era, principal, meta).at(cursor);
        page.ok_or(ProtocolError::InvalidParams(UNKNOWN_CURSOR))
    }

    /// What tells one state of a list from another, for whoever listens for changes.
    pub(super) fn mark(&self, kind: ListKind, era: Era, principal: &Principal, meta: &Meta) -> u64 {
        self.pages(kind, era, principal, meta).mark
    }

    fn pages(&self, kind: ListKind, era: Era, principal: &Principal, meta: &Meta) -> Arc<Pages> {
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
        let pages = Arc::new(self.write(kind, era, principal, meta));
        self.kept.insert(key, Arc::clone(&pages));
        pages
    }

    fn write(&self, kind: ListKind, era: Era, principal: &Principal, meta: &Meta) -> Pages {
        let entries: Vec<&str> = self
            .entries
            .iter()
            .filter(|entry| entry.kind == kind && permits(&entry.target, principal))
            .map(|entry| match era {
                Era::Modern => entry.modern.as_str(),
                Era::Legacy => entry.legacy.as_str(),
            })
            .collect();
        let member = kind.member();
        let cached = match era {
            // Filtered by who asks, so never shared between callers.
            Era::Modern => format!(
                "\"resultType\":\"complete\",\"ttlMs\":{TTL_MS},\"cacheScope\":\"private\","
            ),
            Era::Legacy => String::new(),
        };
        let frame = Frame {
            head: &format!("{{{cached}\"{member}\":["),
            end: meta.end(era),
        };
        Pages::of(&entries, self.page_size, &frame)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::tool::{Arguments, CallContext, Declared, Tool, ToolError};

    const SCOPES: [&str; 4] = ["a", "b", "c", "d"];

    /// Twelve tools that demand any of the sets of two scopes, or none.
    fn catalog() -> Catalog {
        let tool = |number: usize| {
            let tool = Tool::new(format!("t{number}"), "x");
            let tool = match number % 3 {
                0 => tool.any_authenticated(),
                _ => tool.scopes([SCOPES[number % 4], SCOPES[number / 4]]),
            };
            tool.handler(async |_: CallContext, _: Arguments| Ok::<_, ToolError>(()))
        };
        Catalog::build(Declared::tools((0..12).map(tool))).expect("good tools")
    }

    proptest! {
        #[test]
        fn pages_joined_are_what_the_caller_may_call_and_no_cursor_panics(
            scopes in prop::sample::subsequence(&SCOPES, 0..=4),
            size in 0_usize..14,
            wild in ".{0,30}",
        ) {
            let catalog = catalog();
            let lists = Lists::new(&catalog, &Arc::default(), size);
            let meta = Meta::new(&json!({}));
            let caller = Principal::configured("acme", "ada", scopes).expect("good");
            let page = |cursor: Option<&str>| {
                let page = lists.pages(ListKind::Tools, Era::Modern, &caller, &meta).at(cursor)?;
                Some(serde_json::from_slice::<Value>(&page).expect("JSON"))
            };
            let (mut joined, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let page = page(cursor.as_deref()).expect("a cursor of ours");
                let tools = page["tools"].as_array().expect("a list").iter();
                joined.extend(tools.map(|tool| tool["name"].as_str().expect("a name").to_owned()));
                cursor = page["nextCursor"].as_str().map(str::to_owned);
                if cursor.is_none() {
                    break;
                }
            }
            let callable = catalog.targets().iter().filter(|target| permits(target, &caller));
            let callable: Vec<_> = callable.map(|target| target.name().to_owned()).collect();
            prop_assert_eq!(joined, callable);
            prop_assert!(page(Some(&wild)).is_none());
        }
    }

    #[test]
    fn the_lists_kept_take_no_more_memory_however_many_callers_differ() {
        let tool = |number: u32| {
            Tool::new(format!("t{number}"), "x".repeat(10_000))
                .any_authenticated()
                .handler(async |_: CallContext, _: Arguments| Ok::<_, ToolError>(()))
        };
        let catalog = Catalog::build(Declared::tools((0..100).map(tool))).expect("good tools");
        let lists = Lists::new(&catalog, &Arc::default(), 10);
        let meta = Meta::new(&json!({}));
        for number in 0..100 {
            let scope = format!("scope-{number}");
            let caller = Principal::configured("acme", "ada", [scope]).expect("good");
            let pages = lists.pages(ListKind::Tools, Era::Modern, &caller, &meta);
            assert!(pages.bytes() > 1_000_000);
        }
        assert!(lists.kept.weight() <= KEPT_BYTES, "{}", lists.kept.weight());
    }
}
