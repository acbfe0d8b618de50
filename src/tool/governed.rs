//! What governs a tool, a resource or a prompt, and what runs it.
//!
//! The three differ in their [face](super::builder) alone, so the policy methods are written once.

use std::future::Future;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::blocking::Blocking;
use super::completion::Completer;
use super::schema::input_schema_of;
use super::typed::Typed;
use super::{
    Access, Answers, Arguments, CallContext, Handler, Limit, Mode, Policy, Quota, Rule, ScopeSet,
    TenantPolicy, ToolError,
};

/// Something callers reach, with its policy and code. See [`Tool`](super::Tool), [`Resource`](super::Resource) and
/// [`Prompt`](super::Prompt).
pub struct Governed<Face> {
    pub(super) face: Face,
    pub(super) policy: Policy,
    pub(super) tenants: Vec<(String, TenantPolicy)>,
    pub(super) input: Value,
    /// In place of `input`, whichever comes first.
    pub(super) given_input: Option<Value>,
    pub(super) defaults: Arguments,
    pub(super) output: Option<Value>,
    pub(super) handler: Option<Arc<dyn Handler>>,
    pub(super) completers: Vec<(String, Arc<dyn Completer>)>,
}
impl<Face> Governed<Face> {
    pub(super) fn with_face(face: Face) -> Self {
        Self {
            face,
            policy: Policy::default(),
            tenants: Vec::new(),
            input: serde_json::json!({"type": "object", "additionalProperties": false}),
            given_input: None,
            defaults: Arguments::new(),
            output: None,
            handler: None,
            completers: Vec::new(),
        }
    }

    pub(super) fn completer(mut self, argument: String, completer: Arc<dyn Completer>) -> Self {
        self.completers.push((argument, completer));
        self
    }

    /// Demands this scope, besides those demanded already.
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.scopes([scope.into()])
    }

    /// Demands these scopes, besides those demanded already.
    pub fn scopes(self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.demand(|set| set.all_of.extend(scopes))
    }

    /// Demands at least one of these scopes, besides all those of [`scopes`](Self::scopes).
    pub fn any_scope(self, scopes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let scopes = scopes.into_iter().map(Into::into);
        self.demand(|set| set.any_of.extend(scopes))
    }

    fn demand(mut self, add: impl FnOnce(&mut ScopeSet)) -> Self {
        let mut set = match self.policy.access.take() {
            Some(Access::Scopes(set)) => set,
            _ => ScopeSet::default(),
        };
        add(&mut set);
        self.policy.access = Some(Access::Scopes(set));
        self
    }

    /// Records which calls would be refused if these scopes were demanded; refuses none.
    pub fn shadow_scopes(mut self, scopes: ScopeSet) -> Self {
        self.policy.shadow_scopes = scopes;
        self
    }

    /// Refuses calls by a condition, besides the rules there are already.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.policy.rules.push(rule);
        self
    }

    /// Whether it is there. To callers, what is not enabled does not exist.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.policy.enabled = enabled;
        self
    }

    /// What one tenant has otherwise than the others.
    pub fn for_tenant(mut self, tenant: impl Into<String>, policy: TenantPolicy) -> Self {
        self.tenants.push((tenant.into(), policy));
        self
    }

    /// Lets every authenticated caller in.
    pub fn any_authenticated(mut self) -> Self {
        self.policy.access = Some(Access::AnyAuthenticated);
        self
    }

    /// How often each tenant may call, besides what other limits say.
    pub fn quota(self, quota: Quota) -> Self {
        self.limit(Limit::new(quota))
    }

    /// Records which calls a quota would refuse; refuses none.
    pub fn shadow_quota(self, quota: Quota) -> Self {
        self.limit(Limit::new(quota).mode(Mode::Shadow))
    }

    /// Adds a limit: a call goes through if all limits let it, and else takes nothing from any.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.policy.limits.push(limit);
        self
    }

    /// How long one call may run.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.policy.timeout = timeout;
        self
    }

    /// How many calls may run at once in this process. Default: half of all that it runs.
    pub fn max_concurrent(mut self, calls: NonZeroU32) -> Self {
        self.policy.concurrency.calls = Some(calls);
        self
    }

    /// How many calls of one tenant may run at once in this process.
    pub fn max_concurrent_per_tenant(mut self, calls: NonZeroU32) -> Self {
        self.policy.concurrency.per_tenant = Some(calls);
        self
    }

    /// How long a call may wait for one of those places before it is refused. Default: not at all.
    pub fn max_wait(mut self, wait: Duration) -> Self {
        self.policy.concurrency.wait = wait;
        self
    }

    /// Runs a function of context and typed arguments. Input and output schemas come from its
    /// types; properties that `A` does not name are refused.
    ///
    /// It must not block: a call that does not come to an `await` holds up one of the few threads
    /// that serve all others, and neither its deadline nor its caller can end it. What blocks
    /// belongs into [`blocking_handler`](Self::blocking_handler).
    pub fn handler<A, R, F, Fut>(mut self, function: F) -> Self
    where
        F: Fn(CallContext, A) -> Fut + Send + Sync + 'static,
        A: DeserializeOwned + JsonSchema + 'static,
        R: Answers<Face>,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
        Face: 'static,
    {
        self.input = input_schema_of::<A>();
        self.output = R::schema().or(self.output);
        self.handler = Some(Arc::new(Typed::<F, A, Face>::new(function)));
        self
    }

    /// The same, with shared state handed to each call.
    pub fn handler_with<S, A, R, F, Fut>(self, state: S, function: F) -> Self
    where
        S: Clone + Send + Sync + 'static,
        F: Fn(S, CallContext, A) -> Fut + Send + Sync + 'static,
        A: DeserializeOwned + JsonSchema + 'static,
        R: Answers<Face>,
        Fut: Future<Output = Result<R, ToolError>> + Send + 'static,
        Face: 'static,
    {
        self.handler(move |context, arguments| function(state.clone(), context, arguments))
    }

    /// Runs a function that blocks (files, a database driver, long computations) on threads of their
    /// own, at most 32 at once for this tool; more calls wait for one within their time.
    ///
    /// At its deadline, or when its caller leaves, a call ends for the caller at once; the function
    /// goes on until it returns, which it should when [`CallContext::is_over`] says so; what it
    /// returns then is not served.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    /// use tollgate::{CallContext, Tool, ToolError};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Args {
    ///     up_to: u64,
    /// }
    ///
    /// fn sum(call: CallContext, args: Args) -> Result<u64, ToolError> {
    ///     let mut sum = 0;
    ///     for n in 0..args.up_to {
    ///         if n % 1_000 == 0 && call.is_over() {
    ///             break;
    ///         }
    ///         sum += n;
    ///     }
    ///     Ok(sum)
    /// }
    ///
    /// let tool = Tool::new("sum", "Adds numbers.").scope("sum").blocking_handler(sum);
    /// ```
    pub fn blocking_handler<A, R, F>(mut self, function: F) -> Self
    where
        F: Fn(CallContext, A) -> Result<R, ToolError> + Send + Sync + 'static,
        A: DeserializeOwned + JsonSchema + 'static,
        R: Answers<Face>,
        Face: 'static,
    {
        self.input = input_schema_of::<A>();
        self.output = R::schema().or(self.output);
        self.handler = Some(Arc::new(Blocking::<F, A, Face>::new(function)));
        self
    }

    /// Replaces the whole policy.
    pub(crate) fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Runs something declared: its input schema, the defaults it fills in, its output schema.
    pub(crate) fn declared(
        mut self,
        input: Value,
        defaults: Arguments,
        output: Option<Value>,
        handler: Arc<dyn Handler>,
    ) -> Self {
        self.input = input;
        self.defaults = defaults;
        self.output = output;
        self.handler = Some(handler);
        self
    }
}
