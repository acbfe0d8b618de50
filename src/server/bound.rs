//! A server from its open port to its end.
//!
//! The order of the end: `/readyz` says no, calls are taken for a delay, no new one is let in, running ones finish,
//! connections are closed, spans are sent. The admin listener goes last, so that `/readyz` can say no all the while.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::{interval, sleep, timeout};

use super::admin::BoundAdmin;
use super::reload::Current;
use super::{FLUSH_TIMEOUT, Reloader, Server, StartError};
use crate::pipeline::Pipeline;
use crate::record::Metrics;
use crate::transport::http::{HttpSettings, HttpSurface, serve};

/// How often buckets of idle tenants and addresses are freed.
const EVICTION_PERIOD: Duration = Duration::from_secs(30);

/// A server whose port is open.
pub struct BoundServer {
    listener: TcpListener,
    bound: SocketAddr,
    admin: Option<BoundAdmin>,
    http: HttpSettings,
    surface: Arc<ArcSwap<HttpSurface>>,
    reloader: Reloader,
    delay: Duration,
    grace: Duration,
}

impl BoundServer {
    pub(super) async fn bind(server: Server, address: SocketAddr) -> Result<Self, StartError> {
        let failed = |source| StartError::Bind { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let (http, dev) = (server.http, server.dev.clone());
        let surface = HttpSurface::new(server.pipeline, server.mcp, &http, bound, dev);
        let surface = Arc::new(ArcSwap::from_pointee(surface));
        let sources = Arc::new(ArcSwap::from_pointee(server.sources));
        let admin = match server.admin {
            Some(wanted) => Some(BoundAdmin::bind(wanted, &surface).await?),
            None => None,
        };
        let readers = match admin.as_ref().and_then(BoundAdmin::local_addr) {
            Some(_) => server.measuring.readers.clone(),
            None => server.measuring.readers.without_prometheus(),
        };
        let pipeline = Arc::clone(surface.load().pipeline());
        // Weak, since the pipeline holds the numbers that ask for it.
        let served = Arc::downgrade(&surface);
        let current = move || Some(Arc::clone(served.upgrade()?.load().pipeline()));
        let measuring = server.measuring;
        measuring.start(&readers, &pipeline, &sources, current)?;
        let current = Current::Http(Arc::clone(&surface));
        Ok(Self {
            listener,
            bound,
            admin,
            http,
            surface,
            reloader: Reloader::new(current, sources, server.wanted, server.dev),
            delay: server.shutdown_delay,
            grace: server.shutdown_grace,
        })
    }

    /// Whether `/metrics` on the admin listener has numbers.
    pub fn serves_metrics(&self) -> bool {
        let recorder = &self.reloader.pipeline().recorder;
        self.admin_addr().is_some() && recorder.metrics().is_some_and(Metrics::are_served)
    }

    /// The address, with the port the system chose where none was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound
    }

    /// The admin listener's address, if there is one.
    pub fn admin_addr(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(BoundAdmin::local_addr)
    }

    /// What gives it another configuration while it serves.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// The scheme and the address, such as `https://127.0.0.1:8443`.
    pub fn url(&self) -> String {
        self.http.local_url(self.bound)
    }

    /// Serves until `stop` resolves, then drains: `/readyz` says no at once, calls are taken for the
    /// configured delay, then new ones are refused, running ones get the configured grace to finish,
    /// connections are closed, spans are sent out.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (close, closed) = oneshot::channel();
        self.reloader.pipeline().quotas.connect();
        // Without a sender there is nobody left to wait for.
        let listening = serve(
            self.listener,
            self.surface,
            self.http.tls,
            self.http.limits,
            async { closed.await.unwrap_or(true) },
        );
        // Keys stay fresh during the delay as well: calls are still served.
        let told_to_stop = async {
            stop.await;
            self.reloader.pipeline().load.announce_end();
            sleep(self.delay).await;
        };
        let life = async {
            tokio::select! {
                () = told_to_stop => {}
                () = evict_idle_buckets(&self.reloader) => {}
                () = self.reloader.keep_fresh() => {}
            }
            let drained = drain(&self.reloader.pipeline(), self.grace).await;
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
        let recorder = Arc::clone(&self.reloader.pipeline().recorder);
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
    pipeline.tasks.cut().await;
    drained
}

pub(super) async fn evict_idle_buckets(reloader: &Reloader) {
    let mut period = interval(EVICTION_PERIOD);
    loop {
        period.tick().await;
        let pipeline = reloader.pipeline();
        pipeline.quotas.evict_idle();
        pipeline.failures.evict_idle();
        pipeline.denials.evict_idle();
        pipeline.tasks.evict();
    }
}
