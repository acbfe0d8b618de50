//! A server on AWS Lambda: no port, no file to follow, and a life between events that it does not see.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::bound::evict_idle_buckets;
use super::measure::Sources;
use super::reload::Current;
use super::{FLUSH_TIMEOUT, Reloader, Server, StartError};
use crate::transport::http::HttpSurface;
use crate::transport::lambda::serve;

/// No address is listened on; this one is no loopback address, so that no local name is let in.
const NO_ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Server {
    /// Serves the HTTP requests that come as events of AWS Lambda, until `stop` resolves or the Lambda Runtime API is
    /// gone. Public keys of issuers are loaded first, in the time that Lambda gives a function to start.
    ///
    /// # Errors
    /// A server that must not be reached by others, one without a public URL, and those of the Lambda Runtime API.
    ///
    /// # Panics
    /// Where the variables that Lambda sets are missing.
    pub async fn serve_lambda(self, stop: impl Future<Output = ()>) -> Result<(), StartError> {
        if self.dev.is_some() || self.pipeline.authenticator.allows_anonymous() {
            let open = "a server without credentials";
            return Err(StartError::Exposed(NO_ADDRESS, open));
        }
        if self.http.public_url.is_none() {
            return Err(StartError::NoPublicUrl(NO_ADDRESS));
        }
        let mut http = self.http;
        // Some proxy it would be, of which nobody said the address: the service in front says it.
        http.proxies = http.proxies.filter(|proxies| !proxies.is_empty());
        let clock = self.pipeline.recorder.clock().clone();
        let surface = HttpSurface::new(self.pipeline, self.mcp, &http, NO_ADDRESS, None);
        let surface = Arc::new(ArcSwap::from_pointee(surface));
        let pipeline = Arc::clone(surface.load().pipeline());
        let sources: Sources = Arc::new(ArcSwap::from_pointee(self.sources));
        let readers = self.measuring.readers.without_prometheus();
        // Weak, since the pipeline holds the numbers that ask for it.
        let served = Arc::downgrade(&surface);
        let served = move || Some(Arc::clone(served.upgrade()?.load().pipeline()));
        self.measuring
            .start(&readers, &pipeline, &sources, served)?;
        let current = Current::Http(Arc::clone(&surface));
        let reloader = Reloader::new(current, sources, self.wanted, None);
        pipeline.quotas.connect();
        pipeline.authenticator.load_first_keys().await;
        let ended = tokio::select! {
            ended = serve(Arc::clone(&surface), clock) => ended.map_err(StartError::Lambda),
            () = stop => Ok(()),
            () = reloader.keep_fresh() => Ok(()),
            () = evict_idle_buckets(&reloader) => Ok(()),
        };
        surface.load().cut_detached().await;
        let recorder = Arc::clone(&pipeline.recorder);
        // The exporter's last request blocks.
        let _ = tokio::task::spawn_blocking(move || recorder.flush(FLUSH_TIMEOUT)).await;
        ended
    }
}
