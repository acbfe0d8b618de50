//! Wires the parts to one another: the only room that knows them all.
//!
//! [`ServerBuilder`] takes tools and settings, from code or from a [`Config`](crate::config::Config); [`Server`] is the
//! checked result, which listens on HTTP ([`BoundServer`]) or speaks on stdio. What must never be exposed (dev mode,
//! anonymous callers) is refused here, before a port is open.

mod admin;
mod assemble;
mod bound;
mod builder;
mod decider;
mod fixed;
mod from_config;
#[cfg(feature = "lambda")]
mod lambda;
mod measure;
mod reload;
mod start_error;
mod supervisor;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
pub use bound::BoundServer;
pub use builder::ServerBuilder;
pub use decider::{Decider, Decision};
pub(crate) use from_config::{audit_settings, claim_names, jws_algorithm};
pub use reload::{Reloaded, Reloader};
pub use start_error::StartError;
pub use supervisor::Supervisor;

use crate::mcp::Mcp;
use crate::pipeline::Pipeline;
use crate::source::resilience::Resilience;
use crate::transport::http::{DevMint, HttpSettings};
use crate::transport::stdio::{StdioFront, StdioSurface};
use admin::AdminAddress;
use fixed::Fixed;
use measure::{Measuring, Sources};
use reload::Current;

/// How long the last spans may take to leave.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// A server whose configuration is known to be good.
pub struct Server {
    pipeline: Arc<Pipeline>,
    mcp: Arc<Mcp>,
    sources: Vec<Arc<Resilience>>,
    http: HttpSettings,
    admin: Option<AdminAddress>,
    measuring: Measuring,
    shutdown_delay: Duration,
    shutdown_grace: Duration,
    serves_stdio: bool,
    dev: Option<Arc<DevMint>>,
    /// What of its description only a start carries out.
    wanted: Fixed,
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
        BoundServer::bind(self, address).await
    }

    /// A surface for one client on a pair of streams, which writes to `output`, and what reloads it.
    /// Where an issuer has public keys, run [`keep_fresh`](Reloader::keep_fresh) beside it.
    pub fn stdio<W: Write + Send + 'static>(&self, output: W) -> (StdioSurface<W>, Reloader) {
        let front = Arc::new(ArcSwap::from_pointee(self.front()));
        let sources: Sources = Arc::new(ArcSwap::from_pointee(self.sources.clone()));
        let readers = self.measuring.readers.without_prometheus();
        // Weak, since the pipeline holds the numbers that ask for it.
        let served = Arc::downgrade(&front);
        let served = move || Some(Arc::clone(&served.upgrade()?.load().pipeline));
        if let Err(error) = self
            .measuring
            .start(&readers, &self.pipeline, &sources, served)
        {
            tracing::error!(%error, "nothing is counted");
        }
        let current = Current::Stdio(Arc::clone(&front));
        let reloader = Reloader::new(current, sources, self.wanted.clone(), self.dev.clone());
        (StdioSurface::new(front, output), reloader)
    }

    /// Sends out the last spans, for at most `patience`.
    pub fn flush(&self, patience: Duration) {
        self.pipeline.recorder.flush(patience);
    }

    fn front(&self) -> StdioFront {
        StdioFront {
            pipeline: Arc::clone(&self.pipeline),
            mcp: Arc::clone(&self.mcp),
            max_line_bytes: self.http.max_body_bytes,
        }
    }

    /// Goes on with what is open already.
    fn keep(&mut self, fixed: &Fixed) {
        self.admin = fixed.admin;
        self.http.tls.clone_from(&fixed.tls);
        self.http.limits.clone_from(&fixed.limits);
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
            if self.http.proxies.is_some() {
                return Err(StartError::Proxied(open));
            }
        }
        if !address.ip().is_loopback() {
            if self.http.proxies.is_none() && self.http.tls.is_none() {
                return Err(StartError::Unprotected(address));
            }
            if self.http.public_url.is_none() {
                return Err(StartError::NoPublicUrl(address));
            }
        }
        Ok(())
    }
}
