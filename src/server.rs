//! Wires the parts to one another: the only room that knows them all.
//!
//! [`ServerBuilder`] takes tools and settings, from code or from a [`Config`](crate::config::Config); [`Server`] is the
//! checked result, which listens on HTTP or speaks on stdio. What must never be exposed (dev mode,
//! anonymous callers) is refused here, before a port is open.

mod admin;
mod from_config;

use std::future::{Future, pending};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::error::OTelSdkError;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{interval, timeout};

use crate::auth::{
    ApiKey, ApiKeyFile, Authenticator, ClaimNames, Introspection, Issuer, IssuerError,
    LocalIdentity, NoRandomness, Principal, ScopeInclusion, random_secret,
};
use crate::clock::Clock;
use crate::mcp::{Mcp, ServerInfo};
use crate::pipeline::{Load, Pipeline};
use crate::quota::{FailureLimit, Quotas};
use crate::record::{Exporter, Recorder, Tracing, TracingError};
use crate::tool::{Catalog, CatalogFault, Quota, Resource, Tool};
use crate::transport::http::{DevMint, HttpSettings, HttpSurface, Limits, Tls, serve};
use crate::transport::stdio::StdioSurface;
use admin::{AdminAddress, BoundAdmin};

/// Who signs the demo's tokens, and whom they are for.
const DEV_ISSUER: &str = "urn:tollgate:dev";
/// Failed authentications per address.
const FAILURE_LIMIT: Quota = Quota::per_second(100).burst(5 * 100);
/// How often buckets of idle tenants are freed.
const EVICTION_PERIOD: Duration = Duration::from_secs(30);
/// How long the last spans may take to leave.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Why a server could not be made or started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Tools or resources that cannot be served; every one of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Catalog(Vec<CatalogFault>),
    /// Traces cannot be exported.
    #[error(transparent)]
    Tracing(#[from] TracingError),
    /// Dev mode signs its tokens with a random secret.
    #[error("dev mode needs a secret: {0}")]
    DevSecret(#[from] NoRandomness),
    /// An issuer that cannot be trusted as described.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// Dev mode or anonymous callers on an address that others can reach.
    #[error(
        "{0} is not a loopback address, and {1} must not be reachable from elsewhere: listen on 127.0.0.1"
    )]
    Exposed(SocketAddr, &'static str),
    /// Dev mode or anonymous callers behind a proxy, which others can reach.
    #[error(
        "a proxy stands in front, and {0} must not be reachable from elsewhere: remove `behindProxy: true`"
    )]
    Proxied(&'static str),
    /// Plain HTTP where others can reach it.
    #[error(
        "{0} is not a loopback address: set `tls`, or put a TLS-terminating proxy in front and say so with `behindProxy: true`"
    )]
    Unprotected(SocketAddr),
    /// Nobody knows the URL to publish.
    #[error("{0} is no address that clients can use: set `publicUrl` to the URL they know")]
    NoPublicUrl(SocketAddr),
    /// The numbers cannot be read out.
    #[error("metrics cannot be set up: {0}")]
    Metrics(#[from] OTelSdkError),
    /// The admin listener's address cannot be listened on.
    #[error("cannot listen on {address} (server.adminListen): {source}")]
    BindAdmin {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A server in the making.
pub struct ServerBuilder {
    tools: Vec<Tool>,
    resources: Vec<Resource>,
    issuers: Vec<Issuer>,
    claims: ClaimNames,
    scope_inclusion: ScopeInclusion,
    introspection: Option<Introspection>,
    api_keys: Vec<ApiKey>,
    api_key_file: Option<ApiKeyFile>,
    local: Option<LocalIdentity>,
    anonymous: Option<Principal>,
    http: HttpSettings,
    admin: Option<AdminAddress>,
    max_in_flight: usize,
    max_quota_keys: usize,
    failure_limit: Quota,
    shutdown_grace: Duration,
    service: String,
    exporters: Vec<Exporter>,
    tracing: Option<Tracing>,
    info: ServerInfo,
    clock: Clock,
    dev: bool,
}

impl Default for ServerBuilder {
    fn default() -> Self {
        Self {
            tools: Vec::new(),
            resources: Vec::new(),
            issuers: Vec::new(),
            claims: ClaimNames::default(),
            scope_inclusion: ScopeInclusion::default(),
            introspection: None,
            api_keys: Vec::new(),
            api_key_file: None,
            local: None,
            anonymous: None,
            http: HttpSettings {
                public_url: None,
                allowed_hosts: Vec::new(),
                allowed_origins: Vec::new(),
                max_body_bytes: 1024 * 1024,
                authorization_servers: Vec::new(),
                tls: None,
                behind_proxy: false,
                trusted_proxies: Vec::new(),
                limits: Limits::default(),
            },
            admin: None,
            max_in_flight: 1_024,
            max_quota_keys: 1_000_000,
            failure_limit: FAILURE_LIMIT,
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

    /// Checks everything.
    ///
    /// # Errors
    /// [`StartError`]: every fault of every tool at once, or tracing that cannot be set up.
    pub fn build(mut self) -> Result<Server, StartError> {
        let catalog = Catalog::build(self.tools, self.resources).map_err(StartError::Catalog)?;
        let dev = if self.dev {
            let dev = dev_mint(&self.clock)?;
            self.issuers
                .push(Issuer::hs256(DEV_ISSUER, [&dev.audience], &dev.secret)?);
            let principal = Principal::configured("acme", "local-dev", catalog.scopes());
            self.local = self.local.or(principal.ok().map(LocalIdentity::Principal));
            Some(dev)
        } else {
            None
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
        let tracing = match self.tracing {
            Some(tracing) => Some(tracing),
            None if self.exporters.is_empty() => None,
            None => Some(Tracing::new(&self.service, &self.exporters)?),
        };
        let pipeline = Arc::new(Pipeline {
            authenticator,
            catalog,
            failures: FailureLimit::new(self.failure_limit, self.clock.clone()),
            quotas: Quotas::in_memory(self.max_quota_keys, self.clock.clone()),
            load: Load::new(self.max_in_flight),
            recorder: Arc::new(Recorder::new(self.clock, tracing)),
        });
        Ok(Server {
            mcp: Arc::new(Mcp::new(&pipeline, self.info)),
            pipeline,
            http: self.http,
            admin: self.admin,
            service: self.service,
            shutdown_grace: self.shutdown_grace,
            serves_stdio,
            dev,
        })
    }
}

/// A server whose configuration is known to be good.
pub struct Server {
    pipeline: Arc<Pipeline>,
    mcp: Arc<Mcp>,
    http: HttpSettings,
    admin: Option<AdminAddress>,
    service: String,
    shutdown_grace: Duration,
    serves_stdio: bool,
    dev: Option<DevMint>,
}

impl Server {
    /// A server without tools yet.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// The governed path, for calls from this process.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// The protocol front, for messages that come some other way than HTTP and stdio.
    pub fn mcp(&self) -> &Arc<Mcp> {
        &self.mcp
    }

    /// Whether there is somebody whom stdio speaks for.
    pub fn serves_stdio(&self) -> bool {
        self.serves_stdio
    }

    /// Opens the port.
    ///
    /// # Errors
    /// An address that must not be listened on with these settings, or cannot be.
    pub async fn bind(self, address: SocketAddr) -> Result<BoundServer, StartError> {
        self.check_exposure(address)?;
        let failed = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let (hosts, pipeline) = (&self.http.allowed_hosts, Arc::clone(&self.pipeline));
        let admin = match self.admin {
            Some(wanted) => Some(BoundAdmin::bind(wanted, &pipeline, &self.service, hosts).await?),
            None => None,
        };
        let surface = HttpSurface::new(self.pipeline, self.mcp, &self.http, bound, self.dev);
        Ok(BoundServer {
            listener,
            bound,
            admin,
            http: self.http,
            pipeline,
            surface: Arc::new(surface),
            grace: self.shutdown_grace,
        })
    }

    fn check_exposure(&self, address: SocketAddr) -> Result<(), StartError> {
        let admin = self.admin.map(|admin| admin.address);
        if let Some(admin) = admin.filter(|admin| self.dev.is_some() && !admin.ip().is_loopback()) {
            return Err(StartError::Exposed(admin, "dev mode"));
        }
        let open = match &self.dev {
            Some(_) => Some("dev mode"),
            None if self.pipeline.authenticator.allows_anonymous() => {
                Some("a server for anonymous callers")
            }
            None => None,
        };
        if let Some(open) = open {
            if !address.ip().is_loopback() {
                return Err(StartError::Exposed(address, open));
            }
            if self.http.behind_proxy {
                return Err(StartError::Proxied(open));
            }
        }
        if !address.ip().is_loopback() {
            if !self.http.behind_proxy && self.http.tls.is_none() {
                return Err(StartError::Unprotected(address));
            }
            if self.http.public_url.is_none() {
                return Err(StartError::NoPublicUrl(address));
            }
        }
        Ok(())
    }

    /// A surface for one client on a pair of streams, which writes to `output`. Where an issuer has
    /// public keys, run [`keep_fresh`](Authenticator::keep_fresh) beside it.
    pub fn stdio<W: Write + Send + 'static>(&self, output: W) -> StdioSurface<W> {
        let (pipeline, mcp) = (Arc::clone(&self.pipeline), Arc::clone(&self.mcp));
        StdioSurface::new(pipeline, mcp, output, self.http.max_body_bytes)
    }

    /// Sends out the last spans, for at most `patience`.
    pub fn flush(&self, patience: Duration) {
        self.pipeline.recorder.flush(patience);
    }
}

/// A server whose port is open.
pub struct BoundServer {
    listener: TcpListener,
    bound: SocketAddr,
    admin: Option<BoundAdmin>,
    http: HttpSettings,
    pipeline: Arc<Pipeline>,
    surface: Arc<HttpSurface>,
    grace: Duration,
}

impl BoundServer {
    /// The address, with the port the system chose where none was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound
    }

    /// The admin listener's address, if there is one.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(BoundAdmin::local_addr)
    }

    /// The scheme and the address, such as `https://127.0.0.1:8443`.
    pub fn url(&self) -> String {
        self.http.local_url(self.bound)
    }

    /// Serves until `stop` resolves, then drains: `/readyz` says no at once, new calls are refused,
    /// running ones get the configured grace to finish, connections are closed, spans are sent out.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (close, closed) = oneshot::channel();
        // Without a sender there is nobody left to wait for.
        let listening = serve(
            self.listener,
            self.surface,
            self.http.tls,
            self.http.limits,
            async { closed.await.unwrap_or(true) },
        );
        let life = async {
            tokio::select! {
                () = stop => {}
                () = evict_idle_buckets(&self.pipeline) => {}
                () = self.pipeline.authenticator.keep_fresh() => {}
            }
            let drained = drain(&self.pipeline, self.grace).await;
            let _ = close.send(drained);
        };
        let admin = async {
            match self.admin {
                Some(admin) => admin.serve().await,
                None => pending().await,
            }
        };
        tokio::select! {
            _ = async { tokio::join!(listening, life) } => {}
            // To the last: `/readyz` tells that the server drains.
            () = admin => {}
        }
        let recorder = Arc::clone(&self.pipeline.recorder);
        // The exporter's last request blocks.
        let _ = tokio::task::spawn_blocking(move || recorder.flush(FLUSH_TIMEOUT)).await;
    }
}

/// Lets no new call in and waits up to `grace` for the running ones; whether all ended.
async fn drain(pipeline: &Pipeline, grace: Duration) -> bool {
    pipeline.load.close();
    let drained = timeout(grace, pipeline.load.emptied()).await.is_ok();
    if !drained {
        let running = pipeline.load.running();
        tracing::warn!(
            running,
            "calls did not finish within the grace and are cut off"
        );
    }
    drained
}

async fn evict_idle_buckets(pipeline: &Pipeline) {
    let mut period = interval(EVICTION_PERIOD);
    loop {
        period.tick().await;
        pipeline.quotas.evict_idle();
        pipeline.failures.evict_idle();
    }
}

/// A secret that no other process knows, so that a token minted by one demo is no key to another.
fn dev_mint(clock: &Clock) -> Result<DevMint, NoRandomness> {
    Ok(DevMint {
        issuer: DEV_ISSUER.to_owned(),
        audience: "tollgate-dev".to_owned(),
        secret: random_secret()?,
        clock: clock.clone(),
    })
}
