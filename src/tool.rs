//! What callers may call: tools and resources, their policies, schemas and code.
//!
//! Authors write a [`Tool`] or a [`Resource`]: a typed function and ordinary policy values. The
//! [`Catalog`] checks them once at start and turns each into a [`Target`], the governed unit that
//! every later stage handles alike, whether its code is Rust or a SQL statement from a file.

mod answers;
mod ask;
mod blocking;
mod builder;
mod catalog;
mod client;
mod completion;
mod confirm;
mod content;
mod context;
mod governed;
mod limit;
mod mirrored;
mod numbers;
mod outbox;
mod output;
mod policy;
mod presentation;
mod prompt;
mod quota;
mod rule;
mod schema;
mod scopes;
mod shared;
mod target;
mod task;
mod terms;
mod typed;
mod uri_template;

pub use answers::Answers;
pub use ask::{
    Action, Asked, FormReply, Question, Questions, Replies, Reply, Root, SampleRequest, Sampled,
};
pub use builder::{Prompt, PromptFace, Resource, ResourceFace, Tool, ToolFace};
pub use catalog::{Catalog, CatalogFault, Declared, Found, TargetRef};
pub(crate) use catalog::{PROMPT, argument_names};
pub(crate) use client::{Asking, Capabilities};
pub use client::{Capability, Client, LogLevel};
pub use completion::{Suggestions, Typing};
pub use confirm::{CompiledConfirm, Confirm};
pub use content::{Annotations, Content, Link, ResourceContents, Role};
pub use context::CallContext;
pub use governed::Governed;
pub use limit::{BoundLimit, BucketName, Limit, MAX_LIMITS, Per};
pub use mirrored::Mirrored;
pub use outbox::Progress;
pub(crate) use outbox::{Notice, Outbox};
pub(crate) use output::Body;
pub use output::{ToolError, ToolOutput};
pub use policy::{Access, Concurrency, Mode, Policy, TenantPolicy};
pub use presentation::{Icon, Theme, ToolHints};
pub use prompt::{PromptMessage, PromptOutput};
pub use quota::Quota;
pub use rule::{CompiledRule, Effect, Facts, Rule, RuleError, RuleFailure};
pub use schema::{ArgumentsError, Schema};
pub(crate) use schema::{is_wrapped, object_schema};
pub use scopes::ScopeSet;
pub use target::{Handler, Target, TargetKind, ValidArguments};
pub(crate) use task::Desk;
pub use task::TaskPolicy;
pub use terms::Terms;
pub use uri_template::{UriTemplate, UriTemplateError};

/// Arguments as they came with a call, before they are checked.
pub type Arguments = serde_json::Map<String, serde_json::Value>;
