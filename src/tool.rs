//! What callers may call: tools and resources, their policies, schemas and code.
//!
//! Authors write a [`Tool`] or a [`Resource`]: a typed function and ordinary policy values. The
//! [`Catalog`] checks them once at start and turns each into a [`Target`], the governed unit that
//! every later stage handles alike, whether its code is Rust or a SQL statement from a file.

mod blocking;
mod builder;
mod catalog;
mod context;
mod limit;
mod mirrored;
mod numbers;
mod output;
mod policy;
mod presentation;
mod quota;
mod rule;
mod schema;
mod scopes;
mod shared;
mod target;
mod terms;
mod typed;
mod uri_template;

pub use builder::{Governed, Resource, ResourceFace, Tool, ToolFace};
pub(crate) use catalog::argument_names;
pub use catalog::{Catalog, CatalogFault, Found, TargetRef};
pub use context::CallContext;
pub use limit::{BoundLimit, BucketName, Limit, MAX_LIMITS, Per};
pub use mirrored::Mirrored;
pub use output::{ToolError, ToolOutput};
pub use policy::{Access, Concurrency, Mode, Policy, TenantPolicy};
pub use presentation::{Audience, Icon, ResourceHints, Theme, ToolHints};
pub use quota::Quota;
pub use rule::{CompiledRule, Effect, Facts, Rule, RuleError, RuleFailure};
pub use schema::{ArgumentsError, Schema};
pub(crate) use schema::{is_wrapped, object_schema};
pub use scopes::ScopeSet;
pub use target::{Handler, Target, TargetKind, ValidArguments};
pub use terms::Terms;
pub use uri_template::{UriTemplate, UriTemplateError};

/// Arguments as they came with a call, before they are checked.
pub type Arguments = serde_json::Map<String, serde_json::Value>;
