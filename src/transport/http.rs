//! HTTP: one listener, a closed list of routes, each with its policy.
//!
//! Built on hyper directly. The routes are few and exact, so a router would only add a layer that
//! normalises what must not be normalised; and nothing stands between a request and its checks.
//!
//! Order for governed routes: route, `Host`, `Origin`, method, authentication, media types, body,
//! and then the message. A client that goes away drops the future, and with it the call.

mod body;
mod cancellable;
mod detached;
mod dev;
mod edge;
mod events;
mod headers;
mod limits;
mod listener;
mod mcp_route;
mod metadata;
mod openapi;
mod outgoing;
mod rate_limit;
mod received;
mod respond;
mod rest;
mod settings;
mod speaking;
mod tls;
#[cfg(feature = "lambda")]
mod whole;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Method, Request, Response, Uri};

pub use dev::DevMint;
#[cfg(feature = "lambda")]
pub(super) use edge::address as forwarded_address;
pub use limits::Limits;
#[cfg(feature = "lambda")]
pub(super) use listener::MAX_HEADERS;
pub use listener::serve;
pub use settings::HttpSettings;
pub use tls::{Tls, TlsError};

use super::readiness::readiness;
use crate::error::EdgeError;
use crate::mcp::{Mcp, Served};
use crate::pipeline::Pipeline;
use edge::Edge;
use outgoing::Outgoing;
use received::Received;
use respond::Reply;

/// The HTTP surface of one configuration. What serves looks up the current one for each request,
/// which then keeps it to its end.
pub struct HttpSurface {
    pipeline: Arc<Pipeline>,
    mcp: Arc<Mcp>,
    edge: Edge,
    bound: SocketAddr,
    allowed_hosts: Vec<String>,
    max_body_bytes: usize,
    body_patience: Duration,
    base_url: String,
    metadata: Bytes,
    metadata_path: String,
    /// Value of `WWW-Authenticate` parameters that are the same for every challenge.
    challenge: respond::Challenge,
    quota_policies: rate_limit::QuotaPolicies,
    detached: Arc<detached::Detached>,
    /// What serves at the moment, for answers that go on: one for all surfaces of a server.
    served: Arc<ArcSwap<Served>>,
    dev: Option<Arc<DevMint>>,
}

/// A path that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'a> {
    Mcp,
    RestTool(&'a str),
    OpenApi,
    ResourceMetadata,
    Alive,
    Ready,
    MintDemoJwt,
}

impl<'a> Route<'a> {
    /// Exact paths, as they stand in the request: nothing is decoded, folded or tidied.
    fn of(path: &'a str) -> Option<Self> {
        Some(match path {
            "/mcp" => Self::Mcp,
            "/openapi.json" => Self::OpenApi,
            "/.well-known/oauth-protected-resource"
            | "/.well-known/oauth-protected-resource/mcp" => Self::ResourceMetadata,
            "/healthz" => Self::Alive,
            "/readyz" => Self::Ready,
            "/mint-demo-jwt" => Self::MintDemoJwt,
            _ => {
                let name = path.strip_prefix("/mcp/tool/")?;
                if name.is_empty() || name.contains('/') {
                    return None;
                }
                Self::RestTool(name)
            }
        })
    }

    /// The methods each route takes, and how `Allow` tells them.
    fn methods(self) -> (&'static [Method], &'static str) {
        match self {
            Self::Mcp | Self::RestTool(_) => (&[Method::POST], "POST"),
            // Some load balancers probe with HEAD.
            Self::Alive | Self::Ready => (&[Method::GET, Method::HEAD], "GET, HEAD"),
            Self::OpenApi | Self::ResourceMetadata | Self::MintDemoJwt => (&[Method::GET], "GET"),
        }
    }

    /// Probes reach us by address, under no name of ours; they tell nothing but that we live.
    fn checks_host(self) -> bool {
        !matches!(self, Self::Alive | Self::Ready)
    }
}

impl HttpSurface {
    /// The surface of a server that listens on `bound`. `dev` adds `/mint-demo-jwt`.
    pub fn new(
        pipeline: Arc<Pipeline>,
        mcp: Arc<Mcp>,
        settings: &HttpSettings,
        bound: SocketAddr,
        dev: Option<Arc<DevMint>>,
    ) -> Self {
        let base_url = match &settings.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => settings.local_url(bound),
        };
        Self {
            edge: Edge::new(&base_url, bound, settings),
            bound,
            allowed_hosts: settings.allowed_hosts.clone(),
            max_body_bytes: settings.max_body_bytes,
            body_patience: settings.limits.body,
            metadata_path: metadata::path(&base_url),
            metadata: metadata::document(
                &base_url,
                &pipeline.catalog,
                &settings.authorization_servers,
            ),
            challenge: respond::Challenge::new(&base_url, &pipeline.catalog),
            quota_policies: rate_limit::QuotaPolicies::new(&pipeline.catalog),
            served: Arc::new(ArcSwap::from_pointee(Served {
                pipeline: Arc::clone(&pipeline),
                mcp: Arc::clone(&mcp),
            })),
            pipeline,
            mcp,
            base_url,
            detached: Arc::default(),
            dev,
        }
    }

    /// The surface that takes this one's place, with the calls that go on without their clients.
    pub fn followed_by(
        &self,
        pipeline: Arc<Pipeline>,
        mcp: Arc<Mcp>,
        settings: &HttpSettings,
        dev: Option<Arc<DevMint>>,
    ) -> Self {
        let next = Self::new(pipeline, mcp, settings, self.bound, dev);
        self.served.store(next.served.load_full());
        Self {
            detached: Arc::clone(&self.detached),
            served: Arc::clone(&self.served),
            ..next
        }
    }

    /// The governed path behind it.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// The address that is listened on.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Names that it goes by besides those of its URL, as `host` or `host:port`.
    pub(super) fn allowed_hosts(&self) -> &[String] {
        &self.allowed_hosts
    }

    /// Answers one request of a connection from `peer`. By reference, here and further in: what is
    /// passed by value has its place in the future of each function on the way, and these are
    /// copied for each request.
    async fn answer(
        self: &Arc<Self>,
        request: &mut Request<Received>,
        peer: SocketAddr,
    ) -> Response<Outgoing> {
        let source = self.edge.caller_address(peer, request.headers());
        self.answer_from(request, source).await
    }

    /// Answers one request of whom `source` stands for.
    async fn answer_from(
        self: &Arc<Self>,
        request: &mut Request<Received>,
        source: Option<IpAddr>,
    ) -> Response<Outgoing> {
        let origin = edge::origin(request).map(str::to_owned);
        let origin = origin.as_deref();
        let mut response = self.routed(request, source, origin).await;
        if let Some(origin) = origin.filter(|origin| self.edge.allows_origin(origin)) {
            respond::allow_origin(&mut response, origin);
        }
        response
    }

    async fn routed(
        self: &Arc<Self>,
        request: &mut Request<Received>,
        source: Option<IpAddr>,
        origin: Option<&str>,
    ) -> Response<Outgoing> {
        let route = self.route(request.uri());
        let Some(route) = route else {
            return self.edge_problem(EdgeError::NoRoute);
        };
        let refusal = self.refusal(route, request, origin);
        if let (Some(EdgeError::MethodNotAllowed(_)), Some(_)) = (refusal, origin)
            && is_preflight(request)
        {
            return respond::preflight();
        }
        match (route, refusal) {
            (Route::Mcp, _) => self.answer_mcp(request, source, refusal).await,
            (Route::RestTool(name), _) => {
                let name = name.to_owned();
                self.answer_rest(request, source, &name, refusal).await
            }
            (_, Some(error)) => self.edge_problem(error),
            (_, None) => self.answer_open(route, request, source).await,
        }
    }

    fn route<'u>(&self, uri: &'u Uri) -> Option<Route<'u>> {
        // In the absolute form, or in HTTP/2: what is spoken here.
        if uri
            .scheme_str()
            .is_some_and(|scheme| !matches!(scheme, "http" | "https"))
        {
            return None;
        }
        if uri.path() == self.metadata_path {
            return Some(Route::ResourceMetadata);
        }
        let route = Route::of(uri.path());
        route.filter(|route| *route != Route::MintDemoJwt || self.dev.is_some())
    }

    /// What the edge holds against the request, before anything is opened.
    fn refusal(
        &self,
        route: Route<'_>,
        request: &Request<Received>,
        origin: Option<&str>,
    ) -> Option<EdgeError> {
        if route.checks_host() && !self.edge.allows_host(request) {
            return Some(EdgeError::ForbiddenHost);
        }
        if let Some(origin) = origin
            && !self.edge.allows_origin(origin)
        {
            return Some(EdgeError::ForbiddenOrigin);
        }
        let (methods, allow) = route.methods();
        (!methods.contains(request.method())).then_some(EdgeError::MethodNotAllowed(allow))
    }

    /// Routes that no call passes.
    async fn answer_open(
        &self,
        route: Route<'_>,
        request: &Request<Received>,
        source: Option<IpAddr>,
    ) -> Response<Outgoing> {
        match route {
            Route::Alive => Reply::ok(Bytes::from_static(b"{\"status\":\"alive\"}")).build(),
            Route::Ready => {
                let (status, body) = readiness(&self.pipeline);
                Reply::json(status, body).build()
            }
            Route::ResourceMetadata => Reply::ok(self.metadata.clone()).build(),
            Route::OpenApi => self.answer_openapi(request, source).await,
            Route::MintDemoJwt => self.answer_mint(request),
            Route::Mcp | Route::RestTool(_) => self.edge_problem(EdgeError::NoRoute),
        }
    }

    /// A problem document for a request that no call was opened for.
    fn edge_problem(&self, error: EdgeError) -> Response<Outgoing> {
        self.pipeline.recorder.refused_at_edge(error);
        let id = self.pipeline.recorder.new_call_id();
        respond::problem(error.row(), error.row().rest_status, &error.detail(), id)
            .allow(error)
            .build()
    }
}

/// A browser asks whether a page may send the real request (Fetch standard, "CORS-preflight request").
fn is_preflight(request: &Request<Received>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD)
}
