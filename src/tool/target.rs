//! The governed unit: one tool or one resource, ready to be called.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::completion::Completer;
use super::{
    Arguments, ArgumentsError, CallContext, Mirrored, Policy, PromptFace, ResourceFace, Schema,
    Suggestions, Terms, ToolError, ToolFace, ToolOutput, Typing, UriTemplate,
};
use crate::auth::TenantKey;

/// A target's code: a typed Rust function, or a statement from the configuration.
pub trait Handler: Send + Sync {
    /// Serves one call. Dropping the future must stop the work.
    fn call(
        &self,
        context: CallContext,
        arguments: Arguments,
    ) -> BoxFuture<'_, Result<ToolOutput, ToolError>>;
}

/// A tool or a resource with its policy compiled. Made by the [`Catalog`](super::Catalog) alone.
pub struct Target {
    pub(super) number: u32,
    pub(super) name: Arc<str>,
    /// What callers know it as: a prompt without what its name begins with here.
    pub(super) known_as: Arc<str>,
    pub(super) kind: TargetKind,
    pub(super) policy: Policy,
    pub(super) terms: Terms,
    pub(super) tenants: HashMap<TenantKey, (Arc<str>, Terms)>,
    pub(super) input: Schema,
    pub(super) mirrored: Vec<Mirrored>,
    pub(super) defaults: Arguments,
    pub(super) output: Option<Schema>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) completers: HashMap<String, Arc<dyn Completer>>,
}

/// What a target is to callers.
pub enum TargetKind {
    /// Called by name.
    Tool(ToolFace),
    /// Read by URI.
    Resource(ResourceFace, UriTemplate),
    /// Got by name.
    Prompt(PromptFace),
}

/// Arguments that a target's schema accepts: the evidence that [`run`](crate::run) demands.
pub struct ValidArguments {
    arguments: Arguments,
    target: u32,
}

impl ValidArguments {
    /// The arguments, for what decides on them.
    pub(crate) fn get(&self) -> &Arguments {
        &self.arguments
    }

    /// The arguments, if they were checked for `target`.
    pub(crate) fn for_target(self, target: &Target) -> Option<Arguments> {
        (self.target == target.number).then_some(self.arguments)
    }
}

impl Target {
    /// What stands for its name in this process, the same after a reload.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The tool's name or the resource's URI template.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name that callers know: the tool's or the prompt's, or the resource's URI template.
    pub(crate) fn known_as(&self) -> &Arc<str> {
        &self.known_as
    }

    /// The variables of a resource's URI template.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let template = match &self.kind {
            TargetKind::Resource(_, template) => Some(template),
            TargetKind::Tool(_) | TargetKind::Prompt(_) => None,
        };
        template.into_iter().flat_map(UriTemplate::variables)
    }

    /// What it is to callers.
    pub fn kind(&self) -> &TargetKind {
        &self.kind
    }

    /// What governs the calls of a tenant.
    pub fn terms(&self, tenant: TenantKey) -> &Terms {
        if self.tenants.is_empty() {
            return &self.terms;
        }
        let own = self.tenants.get(&tenant);
        own.map_or(&self.terms, |(_, terms)| terms)
    }

    /// What governs the calls of tenants without terms of their own.
    pub fn common_terms(&self) -> &Terms {
        &self.terms
    }

    /// The terms that a tenant has for itself.
    pub(super) fn own_terms(&self, tenant: &str) -> Option<&Terms> {
        let own = self.tenants.get(&TenantKey::of(tenant));
        own.map(|(_, terms)| terms)
    }

    /// The tenants with terms of their own, by name.
    pub fn tenant_terms(&self) -> impl Iterator<Item = (&str, &Terms)> {
        let mut own: Vec<_> = self.tenants.values().collect();
        own.sort_by(|one, other| one.0.cmp(&other.0));
        own.into_iter().map(|(tenant, terms)| (&**tenant, terms))
    }

    /// All terms there are: the common ones, then those of tenants.
    pub fn all_terms(&self) -> impl Iterator<Item = &Terms> {
        let own = self.tenants.values().map(|(_, terms)| terms);
        std::iter::once(&self.terms).chain(own)
    }

    /// The policy it was declared with.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether its calls become tasks before its code starts.
    pub(crate) fn goes_on_at_once(&self) -> bool {
        let task = self.policy.task.as_ref();
        task.is_some_and(|task| !task.begins_when_told)
    }

    /// What arguments it takes.
    pub fn input(&self) -> &Schema {
        &self.input
    }

    /// Which arguments an MCP client also sends in HTTP headers.
    pub fn mirrored(&self) -> &[Mirrored] {
        &self.mirrored
    }

    /// What it answers with, where it says so.
    pub fn output(&self) -> Option<&Schema> {
        self.output.as_ref()
    }

    pub(crate) fn handler(&self) -> &dyn Handler {
        &*self.handler
    }

    /// Suggests values for an argument: by what the author gave for it, else from the choices that its
    /// schema names. `None` where there is no such argument.
    pub(crate) async fn suggest(
        &self,
        context: CallContext,
        typing: Typing,
    ) -> Option<Result<Suggestions, ToolError>> {
        let property = self.input.json()["properties"].get(&typing.argument)?;
        Some(match self.completers.get(&typing.argument) {
            Some(completer) => completer.complete(context, typing).await,
            None => {
                let choices = property["enum"].as_array();
                let choices = choices.into_iter().flatten().filter_map(Value::as_str);
                Ok(Suggestions::beginning_with(&typing.value, choices))
            }
        })
    }

    /// Fills in defaults and checks the arguments against the schema.
    ///
    /// # Errors
    /// [`ArgumentsError`] with the JSON pointer of each fault.
    pub fn validate(&self, mut arguments: Arguments) -> Result<ValidArguments, ArgumentsError> {
        for (name, default) in &self.defaults {
            if !arguments.contains_key(name) {
                arguments.insert(name.clone(), default.clone());
            }
        }
        let arguments = Value::Object(arguments);
        self.input.check(&arguments)?;
        match arguments {
            Value::Object(arguments) => Ok(ValidArguments {
                arguments,
                target: self.number,
            }),
            _ => Err(ArgumentsError("/: expected an object".to_owned())),
        }
    }
}
