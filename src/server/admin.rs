//! The admin listener beside the calls': where it goes, and what it counts.
//!
//! A reader would ask why the default address may be taken without an error: two servers on one
//! machine should both start, and nobody asked for that address. One that was asked for is another
//! matter.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::net::TcpListener;

use super::StartError;
use crate::pipeline::Pipeline;
use crate::record::{Metrics, SourceState, State};
use crate::source::resilience::{BreakerState, Resilience};
use crate::transport::admin::Admin;

/// Where the admin listener goes.
#[derive(Clone, Copy)]
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
    /// Opens the port and starts to count. `hosts` are names that it goes by.
    pub(super) async fn bind(
        wanted: AdminAddress,
        pipeline: &Arc<Pipeline>,
        sources: Vec<Arc<Resilience>>,
        service: &str,
        hosts: &[String],
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
        let observed = Arc::downgrade(pipeline);
        let targets = pipeline.catalog.targets().len();
        let metrics = Metrics::new(service, targets, move || state(&observed, &sources));
        pipeline.recorder.measure(metrics?);
        let admin = Arc::new(Admin::new(Arc::clone(pipeline), hosts));
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
fn state(pipeline: &Weak<Pipeline>, sources: &[Arc<Resilience>]) -> Option<State> {
    let pipeline = pipeline.upgrade()?;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Some(State {
        in_flight: count(pipeline.load.running()),
        unsent: count(pipeline.load.unsent()),
        keys: pipeline.authenticator.key_states(),
        failing_sources: count(pipeline.failures.sources()),
        uncounted_failures: pipeline.failures.uncounted(),
        sources: sources.iter().map(|source| source_state(source)).collect(),
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
