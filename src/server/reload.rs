//! A running server takes up a new configuration.
//!
//! Everything that a configuration makes is made beside what runs, checked, and then put in its
//! place by one store. A request keeps what it began with, so none is lost, and what it uses lives
//! until its end. What counts is handed on (`Pipeline::followed_by`).

use std::fmt::Display;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;

use super::fixed::Fixed;
use super::measure::Sources;
use super::{Server, ServerBuilder, StartError};
use crate::pipeline::{Pipeline, Standing};
use crate::source::resilience::Resilience;
use crate::transport::http::{DevMint, HttpSurface};
use crate::transport::stdio::StdioFront;

/// Gives a running server another configuration. Clones reload the same server.
#[derive(Clone)]
pub struct Reloader(Arc<Inner>);

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// The number of the configuration that is served now; the one of the start is 1.
    pub generation: u64,
    /// Keys whose values the server has otherwise until it is started again.
    pub needs_restart: Vec<&'static str>,
}

struct Inner {
    current: Current,
    /// What metrics tell of sources follows what is served.
    sources: Sources,
    fixed: Fixed,
    dev: Option<Arc<DevMint>>,
    /// Held by the reload that is on its way.
    turn: Mutex<()>,
    swaps: watch::Sender<u64>,
}

/// Where transports look up what they serve.
pub(super) enum Current {
    Http(Arc<ArcSwap<HttpSurface>>),
    Stdio(Arc<ArcSwap<StdioFront>>),
}

impl Reloader {
    pub(super) fn new(
        current: Current,
        sources: Sources,
        fixed: Fixed,
        dev: Option<Arc<DevMint>>,
    ) -> Self {
        Self(Arc::new(Inner {
            current,
            sources,
            fixed,
            dev,
            turn: Mutex::default(),
            swaps: watch::Sender::default(),
        }))
    }

    /// The governed path as it is now.
    pub fn pipeline(&self) -> Arc<Pipeline> {
        match &self.0.current {
            Current::Http(surface) => Arc::clone(surface.load().pipeline()),
            Current::Stdio(front) => Arc::clone(&front.load().pipeline),
        }
    }

    /// Whether the configuration that was last tried is served.
    pub fn is_current(&self) -> bool {
        self.pipeline().reloads.state().standing != Standing::Refused
    }

    /// Serves from now on what `builder` describes; requests that run end as they began. Keys of
    /// new issuers are loaded first, for a few seconds at most.
    ///
    /// # Errors
    /// Those of [`ServerBuilder::build`] and [`Server::bind`]: then nothing changes, and log,
    /// metrics and `/readyz` tell so.
    pub async fn reload(&self, builder: ServerBuilder) -> Result<Reloaded, StartError> {
        let _turn = self.0.turn.lock().await;
        match self.prepare(builder).await {
            Ok(next) => Ok(self.put(next)),
            Err(error) => {
                self.refuse(&error);
                Err(error)
            }
        }
    }

    /// Notes that there is a configuration which is none, for `reason`, a line for each fault.
    /// What is served is served on.
    pub fn refuse(&self, reason: impl Display) {
        self.pipeline().reloads.refused();
        for fault in reason.to_string().lines() {
            tracing::error!("{fault}");
        }
        tracing::error!(
            "the configuration could not be loaded: what was served before is served on"
        );
    }

    /// Keeps the public keys of issuers fresh, of the current ones always. Never ends; run it
    /// beside whatever serves calls.
    pub async fn keep_fresh(&self) {
        let mut swaps = self.0.swaps.subscribe();
        loop {
            let pipeline = self.pipeline();
            tokio::select! {
                () = pipeline.authenticator.keep_fresh() => {}
                _ = swaps.changed() => {}
            }
        }
    }

    async fn prepare(&self, builder: ServerBuilder) -> Result<Server, StartError> {
        let (before, dev) = (self.pipeline(), self.0.dev.clone());
        // Schemas and rules are compiled: not on a thread that serves calls.
        let built = spawn_blocking(move || builder.build_after(&before, dev)).await;
        let mut next = built.map_err(|_panicked| StartError::Aborted)??;
        if let Current::Http(surface) = &self.0.current {
            let bound = surface.load().bound();
            next.keep(&self.0.fixed);
            next.check_exposure(bound)?;
        }
        next.pipeline.authenticator.load_first_keys().await;
        Ok(next)
    }

    fn put(&self, next: Server) -> Reloaded {
        let inner = &*self.0;
        let needs_restart = inner.fixed.differences(&next.wanted);
        let pipeline = Arc::clone(&next.pipeline);
        follow(&inner.sources.load(), &next.sources);
        match &inner.current {
            Current::Http(surface) => {
                let before = surface.load_full();
                let after = before.followed_by(next.pipeline, next.mcp, &next.http, next.dev);
                surface.store(Arc::new(after));
            }
            Current::Stdio(front) => front.store(Arc::new(next.front())),
        }
        pipeline.places.take_effect();
        if let Some(audit) = &next.wanted.audit {
            pipeline.recorder.audit_follows(audit);
        }
        inner.sources.store(Arc::new(next.sources));
        let before = pipeline.reloads.done(!needs_restart.is_empty());
        inner.swaps.send_modify(|swaps| *swaps += 1);
        pipeline.changes.announce();
        let generation = pipeline.reloads.state().generation();
        match before.standing {
            Standing::Refused => tracing::info!(generation, "the configuration is good again"),
            _ => tracing::info!(generation, "the configuration was loaded again"),
        }
        if !needs_restart.is_empty() {
            let keys = needs_restart.join(", ");
            tracing::warn!(keys, "changes of these keys take a restart");
        }
        Reloaded {
            generation,
            needs_restart,
        }
    }
}

/// Sources of the same name go on where they stand: a source that fails is not asked anew because a file was read,
/// and what was counted is not counted back.
fn follow(before: &[Arc<Resilience>], next: &[Arc<Resilience>]) {
    for source in next {
        if let Some(before) = before.iter().find(|known| known.name() == source.name()) {
            source.follow(before);
        }
    }
}
