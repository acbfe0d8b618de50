//! The admin listener beside the calls': where it goes, and what it counts.
//!
//! A reader would ask why the default address may be taken without an error: two servers on one
//! machine should both start, and nobody asked for that address. One that was asked for is another
//! matter.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use tokio::net::TcpListener;

use super::StartError;
use crate::pipeline::Standing;
use crate::record::{ConfigState, Metrics, SourceState, State, TargetState};
use crate::source::resilience::{BreakerState, Resilience};
use crate::transport::admin::Admin;
use crate::transport::http::HttpSurface;

/// How the sources of what is served take failures.
pub(super) type Sources = Arc<ArcSwap<Vec<Arc<Resilience>>>>;

/// Where the admin listener goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct AdminAddress {
    pub(super) address: SocketAddr,
    /// Whether the server should rather not start than go without.
    pub(super) is_required: bool,
}

/// An admin listener whose port is open, or the reason why it is not.
pub(super) struct BoundAdmin {
    address: SocketAddr,
    listening: io::Result<(TcpListener, Arc<Admin>)>,
}

impl BoundAdmin {
    /// Opens the port and starts to count.
    pub(super) async fn bind(
        wanted: AdminAddress,
        surface: &Arc<ArcSwap<HttpSurface>>,
        sources: Sources,
        service: &str,
    ) -> Result<Self, StartError> {
        let address = wanted.address;
        let bound = TcpListener::bind(address).await;
        let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = match bound {
            Ok(bound) => bound,
            Err(source) if wanted.is_required => {
                return Err(StartError::BindAdmin { address, source });
            }
            Err(source) => {
                return Ok(Self {
                    address,
                    listening: Err(source),
                });
            }
        };
        let observed = Arc::downgrade(surface);
        let pipeline = Arc::clone(surface.load().pipeline());
        let targets = pipeline.catalog.targets().len();
        let metrics = Metrics::new(service, targets, move || state(&observed, &sources));
        pipeline.recorder.measure(metrics?);
        let recorder = Arc::downgrade(&pipeline.recorder);
        pipeline.quotas.tell_store_latency(move |took| {
            if let Some(recorder) = recorder.upgrade() {
                recorder.store_answered(took);
            }
        });
        let admin = Arc::new(Admin::new(Arc::clone(surface)));
        Ok(Self {
            address,
            listening: Ok((listener, admin)),
        })
    }

    pub(super) fn local_addr(&self) -> Option<SocketAddr> {
        self.listening.is_ok().then_some(self.address)
    }

    /// Serves until it is dropped.
    pub(super) async fn serve(self) {
        match self.listening {
            Ok((listener, admin)) => admin.serve(listener).await,
            Err(error) => {
                tracing::warn!(
                    "no metrics are served, since {} cannot be listened on ({error}): \
                     set server.adminListen to another address, or to off",
                    self.address
                );
                pending().await
            }
        }
    }
}

/// Weak, since the pipeline holds the numbers that ask for it.
fn state(surface: &Weak<ArcSwap<HttpSurface>>, sources: &Sources) -> Option<State> {
    let surface = surface.upgrade()?.load_full();
    let pipeline = surface.pipeline();
    let reloads = pipeline.reloads.state();
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let targets = pipeline.places.states().into_iter();
    let targets = targets.map(|state| TargetState {
        target: state.target,
        running: count(state.running),
        waiting: count(state.waiting),
    });
    Some(State {
        in_flight: count(pipeline.load.running()),
        tenants: count(pipeline.load.tenants()),
        targets: targets.collect(),
        listeners: count(pipeline.listeners.count()),
        unsent: count(pipeline.load.unsent()),
        keys: pipeline.authenticator.key_states(),
        quota_store: pipeline.quotas.store_state(),
        failing_sources: count(pipeline.failures.sources()),
        uncounted_failures: pipeline.failures.uncounted(),
        config: ConfigState {
            generation: reloads.generation(),
            is_current: reloads.standing == Standing::Current,
            done: reloads.done,
            failed: reloads.failed,
        },
        denied_callers: count(pipeline.denials.callers()),
        uncounted_denials: pipeline.denials.uncounted(),
        sources: sources
            .load()
            .iter()
            .map(|source| source_state(source))
            .collect(),
    })
}

fn source_state(source: &Resilience) -> SourceState {
    let entered = |state| source.entered(state);
    SourceState {
        source: source.name().to_owned(),
        breaker: source.state().map(|state| match state {
            BreakerState::Closed => 0,
            BreakerState::HalfOpen => 1,
            BreakerState::Open => 2,
        }),
        opened: entered(BreakerState::Open),
        half_opened: entered(BreakerState::HalfOpen),
        closed: entered(BreakerState::Closed),
        retries: source.retries(),
    }
}
