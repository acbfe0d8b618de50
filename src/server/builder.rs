//! Tools and settings, checked together, become a [`Server`].
//!
//! Every part has a default, so that code names only what differs; what a configuration says comes
//! through the same fields (`from_config`).

use std::collections::BTreeMap;
use std::mem::take;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::admin::AdminAddress;
use super::fixed::Fixed;
use super::{Server, StartError};
use crate::auth::{
    ApiKey, ApiKeyFile, Authenticator, ClaimNames, Introspection, Issuer, LocalIdentity,
    NoRandomness, Principal, ScopeInclusion, random_secret,
};
use crate::clock::Clock;
use crate::config::Origin;
use crate::mcp::{Mcp, ServerInfo};
use crate::pipeline::{Lasting, Load, Pipeline, Reloads};
use crate::quota::{DenialLimit, FailureLimit, Quotas};
use crate::record::{Exporter, Recorder, Tracing, TracingError};
use crate::run::Places;
use crate::tool::{Catalog, Quota, Resource, Tool};
use crate::transport::http::{DevMint, HttpSettings, Limits, Tls};

/// Who signs the demo's tokens, and whom they are for.
const DEV_ISSUER: &str = "urn:tollgate:dev";
const DEV_AUDIENCE: &str = "tollgate-dev";
/// Failed authentications per address.
const FAILURE_LIMIT: Quota = Quota::per_second(100).burst(5 * 100);
/// Refused calls per caller.
const DENIAL_LIMIT: Quota = Quota::per_minute(60);

/// A server in the making.
pub struct ServerBuilder {
    pub(super) tools: Vec<Tool>,
    pub(super) resources: Vec<Resource>,
    /// Where those of a configuration are declared.
    pub(super) places: BTreeMap<String, Origin>,
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
    pub(super) failure_limit: Quota,
    pub(super) shutdown_delay: Duration,
    pub(super) denial_limit: Option<Quota>,
    pub(super) shutdown_grace: Duration,
    pub(super) service: String,
    pub(super) exporters: Vec<Exporter>,
    pub(super) tracing: Option<Tracing>,
    pub(super) info: ServerInfo,
    pub(super) clock: Clock,
    pub(super) dev: bool,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            tools: Vec::new(),
            resources: Vec::new(),
            places: BTreeMap::new(),
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
            failure_limit: FAILURE_LIMIT,
            shutdown_delay: Duration::ZERO,
            denial_limit: Some(DENIAL_LIMIT),
            shutdown_grace: Duration::from_secs(10),
            service: "tollgate".to_owned(),
            exporters: Vec::new(),
            tracing: None,
            info: ServerInfo {
                name: "tollgate".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                instructions: None,
            },
            clock: Clock::system(),
            dev: false,
        }
    }
}

impl ServerBuilder {
    /// Adds a tool.
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds a resource.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
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
    /// tokens. Default: nowhere, and nothing is counted.
    pub fn admin_listen(mut self, address: SocketAddr) -> Self {
        self.admin = Some(AdminAddress {
            address,
            is_required: true,
        });
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

    /// Sends traces through `tracing` alone.
    pub fn tracing(mut self, tracing: Tracing) -> Self {
        self.tracing = Some(tracing);
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

    fn load(&self) -> Arc<Load> {
        let per_tenant = self.max_in_flight_per_tenant;
        let per_tenant = per_tenant.unwrap_or_else(|| half_of(self.max_in_flight));
        let max_unsent = self.http.limits.max_unsent_bytes;
        Load::new(self.max_in_flight, per_tenant, max_unsent)
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

    fn assemble(
        mut self,
        before: Option<&Pipeline>,
        dev: Option<Arc<DevMint>>,
    ) -> Result<Server, StartError> {
        let (wanted, load) = (Fixed::of(&self), self.load());
        let (tools, resources) = (take(&mut self.tools), take(&mut self.resources));
        let catalog = match before {
            Some(before) => before.catalog.followed_by(tools, resources),
            None => Catalog::build(tools, resources),
        };
        let catalog = catalog.map_err(|faults| StartError::of_catalog(faults, &self.places))?;
        let dev = match self.dev {
            true => Some(self.open_for_dev(&catalog, dev)?),
            false => None,
        };
        let serves_stdio = self.local.is_some();
        let mut authenticator = Authenticator::new(
            self.issuers,
            self.claims,
            self.scope_inclusion,
            self.clock.clone(),
        )
        .with_api_keys(self.api_keys, self.api_key_file);
        if let Some(introspection) = self.introspection {
            authenticator = authenticator.with_introspection(introspection);
        }
        if let Some(identity) = self.local {
            authenticator = authenticator.with_local(identity);
        }
        if let Some(principal) = self.anonymous {
            authenticator = authenticator.with_anonymous(principal);
        }
        let pipeline = if let Some(before) = before {
            before.followed_by(authenticator.with_keys_of(&before.authenticator), catalog)
        } else {
            let tracing = tracing(self.tracing, &self.service, &self.exporters)?;
            Pipeline {
                places: Places::new(&catalog, half_of(self.max_in_flight)),
                authenticator,
                catalog,
                lasting: Arc::new(Lasting {
                    failures: FailureLimit::new(self.failure_limit, self.clock.clone()),
                    denials: DenialLimit::new(self.denial_limit, self.clock.clone()),
                    quotas: Quotas::in_memory(self.max_quota_keys, self.clock.clone()),
                    load,
                    recorder: Arc::new(Recorder::new(self.clock, tracing)),
                    changes: Arc::default(),
                    listeners: Arc::default(),
                    cancellations: Arc::default(),
                    reloads: Reloads::default(),
                }),
            }
        };
        Ok(Server {
            mcp: Arc::new(Mcp::new(&pipeline, self.info)),
            pipeline: Arc::new(pipeline),
            http: self.http,
            admin: self.admin,
            service: self.service,
            shutdown_delay: self.shutdown_delay,
            shutdown_grace: self.shutdown_grace,
            serves_stdio,
            dev,
            wanted,
        })
    }

    /// Trusts the demo's tokens, and lets stdio speak for somebody. Tokens that `before` handed out
    /// stay good.
    fn open_for_dev(
        &mut self,
        catalog: &Catalog,
        before: Option<Arc<DevMint>>,
    ) -> Result<Arc<DevMint>, StartError> {
        let dev = match before {
            Some(before) => before,
            None => Arc::new(dev_mint(&self.clock)?),
        };
        let issuer = Issuer::hs256(DEV_ISSUER, [&dev.audience], &dev.secret)?;
        self.issuers.push(issuer);
        if self.local.is_none() {
            let principal = Principal::configured("acme", "local-dev", catalog.scopes());
            self.local = principal.ok().map(LocalIdentity::Principal);
        }
        Ok(dev)
    }
}

/// What was made by the embedding program, else what the exporters need.
fn tracing(
    own: Option<Tracing>,
    service: &str,
    exporters: &[Exporter],
) -> Result<Option<Tracing>, TracingError> {
    match own {
        Some(own) => Ok(Some(own)),
        None if exporters.is_empty() => Ok(None),
        None => Tracing::new(service, exporters).map(Some),
    }
}

/// What a single tool or tenant may have of all places, unless told otherwise.
fn half_of(places: usize) -> usize {
    places.div_ceil(2).max(1)
}

/// A secret that no other process knows, so that a token minted by one demo is no key to another.
fn dev_mint(clock: &Clock) -> Result<DevMint, NoRandomness> {
    Ok(DevMint {
        issuer: DEV_ISSUER.to_owned(),
        audience: DEV_AUDIENCE.to_owned(),
        secret: random_secret()?,
        clock: clock.clone(),
    })
}
