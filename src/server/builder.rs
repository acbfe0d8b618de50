//! Tools and settings, checked together, become a [`Server`].
//!
//! Every part has a default, so that code names only what differs; what a configuration says comes
//! through the same fields (`from_config`).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::admin::AdminAddress;
use super::{Server, StartError};
use crate::audit::AuditSettings;
use crate::auth::{
    ApiKey, ApiKeyFile, ClaimNames, Introspection, Issuer, LocalIdentity, Principal, ScopeInclusion,
};
use crate::clock::Clock;
use crate::config::Origin;
use crate::mcp::ServerInfo;
use crate::pipeline::{Pipeline, ResourceUpdates};
use crate::quota::StoreSettings;
use crate::record::{
    Exporter, MetricReader, MetricSettings, TenantLabel, Tracing, TracingSettings,
};
use crate::source::resilience::Resilience;
use crate::tool::{Declared, Prompt, Quota, Resource, Tool};
use crate::transport::http::{DevMint, HttpSettings, Limits, Tls};

/// Failed authentications per address.
const FAILURE_LIMIT: Quota = Quota::per_second(100).burst(5 * 100);
/// Refused calls per caller.
const DENIAL_LIMIT: Quota = Quota::per_minute(60);

/// A server in the making.
pub struct ServerBuilder {
    pub(super) declared: Declared,
    /// Where those of a configuration are declared.
    pub(super) origins: BTreeMap<String, Origin>,
    /// How the sources of declared tools and resources take failures.
    pub(super) sources: Vec<Arc<Resilience>>,
    pub(super) issuers: Vec<Issuer>,
    pub(super) claims: ClaimNames,
    pub(super) scope_inclusion: ScopeInclusion,
    pub(super) introspection: Option<Introspection>,
    pub(super) api_keys: Vec<ApiKey>,
    pub(super) api_key_file: Option<ApiKeyFile>,
    pub(super) local: Option<LocalIdentity>,
    pub(super) anonymous: Option<Principal>,
    pub(super) http: HttpSettings,
    /// What the configuration says; who binds says where.
    pub(super) listen: Option<SocketAddr>,
    pub(super) admin: Option<AdminAddress>,
    pub(super) max_in_flight: usize,
    pub(super) max_in_flight_per_tenant: Option<usize>,
    pub(super) max_quota_keys: usize,
    pub(super) quota_store: Option<StoreSettings>,
    pub(super) failure_limit: Quota,
    pub(super) denial_limit: Option<Quota>,
    pub(super) shutdown_delay: Duration,
    pub(super) shutdown_grace: Duration,
    pub(super) service: String,
    pub(super) exporters: Vec<Exporter>,
    pub(super) tracing: Option<Tracing>,
    pub(super) audit: Option<AuditSettings>,
    /// `None`: Prometheus, where there is an admin listener.
    pub(super) metrics: Option<Vec<MetricReader>>,
    pub(super) metric_settings: MetricSettings,
    pub(super) tenant_label: Option<TenantLabel>,
    pub(super) tracing_settings: TracingSettings,
    pub(super) state_secret: Option<Vec<u8>>,
    pub(super) updates: ResourceUpdates,
    pub(super) info: ServerInfo,
    pub(super) page_size: usize,
    pub(super) clock: Clock,
    pub(super) dev: bool,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            declared: Declared::default(),
            origins: BTreeMap::new(),
            sources: Vec::new(),
            issuers: Vec::new(),
            claims: ClaimNames::default(),
            scope_inclusion: ScopeInclusion::default(),
            introspection: None,
            api_keys: Vec::new(),
            api_key_file: None,
            local: None,
            anonymous: None,
            http: HttpSettings::default(),
            listen: None,
            admin: None,
            max_in_flight: 1_024,
            max_in_flight_per_tenant: None,
            max_quota_keys: 1_000_000,
            quota_store: None,
            failure_limit: FAILURE_LIMIT,
            denial_limit: Some(DENIAL_LIMIT),
            shutdown_delay: Duration::ZERO,
            shutdown_grace: Duration::from_secs(10),
            service: "tollgate".to_owned(),
            exporters: Vec::new(),
            tracing: None,
            audit: None,
            metrics: None,
            metric_settings: MetricSettings::default(),
            tenant_label: None,
            tracing_settings: TracingSettings::default(),
            state_secret: None,
            updates: ResourceUpdates::default(),
            info: ServerInfo {
                name: "tollgate".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                instructions: None,
            },
            page_size: 1_000,
            clock: Clock::system(),
            dev: false,
        }
    }
}

impl ServerBuilder {
    /// Adds a tool.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.declared.tools.push(tool);
        self
    }

    /// Adds a resource.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.declared.resources.push(resource);
        self
    }

    /// Adds a prompt.
    ///
    /// ```
    /// use schemars::JsonSchema;
    /// use serde::Deserialize;
    /// use tollgate::server::Server;
    /// use tollgate::{CallContext, Prompt, ToolError};
    ///
    /// #[derive(Deserialize, JsonSchema)]
    /// struct Args {
    ///     /// What to explain.
    ///     topic: String,
    /// }
    ///
    /// async fn explain(_call: CallContext, args: Args) -> Result<String, ToolError> {
    ///     Ok(format!("Explain {} to a child.", args.topic))
    /// }
    ///
    /// let prompt = Prompt::new("explain", "Explains something.").any_authenticated();
    /// let server = Server::builder().prompt(prompt.handler(explain)).build()?;
    /// # Ok::<(), tollgate::server::StartError>(())
    /// ```
    pub fn prompt(mut self, prompt: Prompt) -> Self {
        self.declared.prompts.push(prompt);
        self
    }

    /// Hears by these updates what resources changed, and tells subscribers. A reload goes on with
    /// those of the start. See [`ResourceUpdates`] for an example.
    pub fn resource_updates(mut self, updates: ResourceUpdates) -> Self {
        self.updates = updates;
        self
    }

    /// Seals what clients carry between requests (what calls [remember](crate::CallContext::remember),
    /// session ids of the `initialize` era), so that replicas with the same secret, of at least 32
    /// bytes (else [`build`](Self::build) refuses it), serve each other's. Random bytes, not a
    /// password. Default: one that ends with the process.
    ///
    /// ```no_run
    /// use tollgate::server::Server;
    ///
    /// let secret = std::fs::read("/run/secrets/state")?;
    /// let server = Server::builder().state_secret(secret).build()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state_secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.state_secret = Some(secret.into());
        self
    }

    /// Trusts an issuer's tokens. Without any, HTTP serves nobody.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.issuers.push(issuer);
        self
    }

    /// Asks an issuer about opaque tokens; instead of one named before.
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.introspection = Some(introspection);
        self
    }

    /// Accepts an API key.
    pub fn api_key(mut self, key: ApiKey) -> Self {
        self.api_keys.push(key);
        self
    }

    /// Accepts the API keys in a file that may change; instead of one named before.
    pub fn api_key_file(mut self, file: ApiKeyFile) -> Self {
        self.api_key_file = Some(file);
        self
    }

    /// Says which scopes include others. Without it, none does.
    pub fn scope_inclusion(mut self, inclusion: ScopeInclusion) -> Self {
        self.scope_inclusion = inclusion;
        self
    }

    /// Says who stdio and local calls speak for. Without it, stdio serves nobody.
    pub fn local(mut self, identity: LocalIdentity) -> Self {
        self.local = Some(identity);
        self
    }

    /// Serves callers without any credential as `principal`; on loopback only.
    pub fn anonymous(mut self, principal: Principal) -> Self {
        self.anonymous = Some(principal);
        self
    }

    /// Serves `/metrics`, `/healthz` and `/readyz` on an address of their own, without TLS and
    /// tokens. Default: nowhere.
    pub fn admin_listen(mut self, address: SocketAddr) -> Self {
        self.admin = Some(AdminAddress {
            address,
            is_required: true,
        });
        self
    }

    /// Counts calls in a store that replicas share. Default: in this process.
    pub fn quota_store(mut self, store: StoreSettings) -> Self {
        self.quota_store = Some(store);
        self
    }

    /// Failed authentications that one source address may cause (an IPv6 network of 64 bits counts
    /// as one) before its unknown credentials are refused unread. Default 100 a second, 500 at once.
    pub fn failure_limit(mut self, limit: Quota) -> Self {
        self.failure_limit = limit;
        self
    }

    /// Calls that may run at once, over all tools and tenants. Default 1024. A tool without a limit
    /// of its own gets half of them.
    pub fn max_in_flight(mut self, calls: usize) -> Self {
        self.max_in_flight = calls;
        self
    }

    /// How many of them may be one tenant's. Default half.
    pub fn max_in_flight_per_tenant(mut self, calls: usize) -> Self {
        self.max_in_flight_per_tenant = Some(calls);
        self
    }

    /// Calls that one caller may have refused, for scopes, for rules on the caller and for names that
    /// are not there, before all that would be refused is answered with 429, so that trying things out
    /// teaches nothing. `None`: as many as it likes. Default 60 a minute.
    pub fn denial_limit(mut self, limit: impl Into<Option<Quota>>) -> Self {
        self.denial_limit = limit.into();
        self
    }

    /// The scheme, host and path prefix that clients know the server by.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.http.public_url = Some(url.into());
        self
    }

    /// Ends TLS with this certificate. Without it the server speaks plain HTTP.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.http.tls = Some(tls);
        self
    }

    /// Caps and deadlines of HTTP connections.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.http.limits = limits;
        self
    }

    /// Advice for models on how to use the server.
    pub fn instructions(mut self, text: impl Into<String>) -> Self {
        self.info.instructions = Some(text.into());
        self
    }

    /// How many tools, resources, templates or prompts a page of an MCP list holds, at least 1. Default
    /// 1000: many clients never ask for a second page.
    pub fn page_size(mut self, entries: usize) -> Self {
        self.page_size = entries;
        self
    }

    /// The name that traces carry (`service.name`). Default `tollgate`.
    pub fn service_name(mut self, name: impl Into<String>) -> Self {
        self.service = name.into();
        self
    }

    /// Sends traces to an exporter, besides those named already.
    pub fn trace(mut self, exporter: Exporter) -> Self {
        if !self.exporters.contains(&exporter) {
            self.exporters.push(exporter);
        }
        self
    }

    /// Sends traces to these exporters and to no others.
    pub fn trace_only(mut self, exporters: Vec<Exporter>) -> Self {
        self.exporters = exporters;
        self
    }

    /// Which spans there are, and how they get to the exporters.
    pub fn tracing_settings(mut self, settings: TracingSettings) -> Self {
        self.tracing_settings = settings;
        self
    }

    /// Sends traces through `tracing` alone.
    pub fn tracing(mut self, tracing: Tracing) -> Self {
        self.tracing = Some(tracing);
        self
    }

    /// How long running calls and tasks may take to finish once the server is told to stop. Default 10 s.
    pub fn shutdown_grace(mut self, grace: Duration) -> Self {
        self.shutdown_grace = grace;
        self
    }

    /// Puts every request on record. Default: none is.
    pub fn audit(mut self, settings: AuditSettings) -> Self {
        self.audit = Some(settings);
        self
    }

    /// Counts for these readers and no others. Default: for Prometheus, where there is an admin
    /// listener. Without it, [`MetricReader::Prometheus`] has nobody to ask it.
    pub fn metrics(mut self, readers: impl IntoIterator<Item = MetricReader>) -> Self {
        self.metrics = Some(readers.into_iter().collect());
        self
    }

    /// When metrics are sent to a collector, and how.
    pub fn metric_settings(mut self, settings: MetricSettings) -> Self {
        self.metric_settings = settings;
        self
    }

    /// Tells tenants apart in metrics. Default: none is named.
    pub fn tenant_label(mut self, label: TenantLabel) -> Self {
        self.tenant_label = Some(label);
        self
    }

    /// Tells the time by `clock`; for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Convenient and not to be exposed: `/mint-demo-jwt` hands out tokens, stdio speaks for a demo
    /// principal, each call is traced on the console. Refuses to listen on anything but loopback.
    pub fn dev_mode(mut self) -> Self {
        self.dev = true;
        self.trace(Exporter::Console)
    }

    /// Checks everything.
    ///
    /// # Errors
    /// [`StartError`]: every fault of every tool at once, or tracing that cannot be set up.
    pub fn build(self) -> Result<Server, StartError> {
        self.assemble(None, None)
    }

    /// Like [`build`](Self::build), for what takes the place of `before` in a server that runs.
    pub(super) fn build_after(
        self,
        before: &Pipeline,
        dev: Option<Arc<DevMint>>,
    ) -> Result<Server, StartError> {
        self.assemble(Some(before), dev)
    }
}
