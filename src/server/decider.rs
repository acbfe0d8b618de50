//! Decides calls as a server of a configuration would, and can run none.
//!
//! For policy tests and replays. It is the pipeline itself, up to where the tool would run
//! ([`Call::decide`](crate::pipeline::Call::decide)), on a clock that its user turns; but it has no
//! sources, keys, ports, exporters or quota store, so that it needs no secret and touches nothing.

use std::mem::take;
use std::sync::Arc;

use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::{ServerBuilder, StartError};
use crate::access::WouldDeny;
use crate::auth::{IdentityError, Principal};
use crate::clock::Clock;
use crate::config::Config;
use crate::error::CallError;
use crate::pipeline::{CallRequest, Pipeline};
use crate::record::Surface;
use crate::run::Places;
use crate::tool::Catalog;

/// The checks of a configuration, without a server.
pub struct Decider {
    settings: ServerBuilder,
    pipeline: Arc<Pipeline>,
}

/// What would become of a call.
#[derive(Debug)]
pub struct Decision {
    /// Why it is refused; `None`: the tool would run, once the call is approved of where it needs that.
    pub refusal: Option<CallError>,
    /// The condition by which it needs approval, or `always`; `None`: it needs none.
    pub confirm: Option<String>,
    /// What in shadow mode would have refused it.
    pub would_deny: Vec<WouldDeny>,
}

impl Decider {
    /// The checks that a configuration describes, with nothing counted yet.
    ///
    /// # Errors
    /// [`StartError`]: whatever of the policies a server would refuse to start with.
    pub fn new(config: &Config) -> Result<Self, StartError> {
        let mut settings = ServerBuilder::deciding(config)?.clock(Clock::turned());
        let catalog = Catalog::build(take(&mut settings.declared));
        let catalog =
            catalog.map_err(|faults| StartError::of_catalog(faults, &settings.origins))?;
        Self::of(settings, catalog)
    }

    /// One with the same policies that counts for itself, on a clock of its own. It knows no scopes that include
    /// others: callers are the first one's.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn beside(&self) -> Result<Self, StartError> {
        let settings = ServerBuilder {
            max_quota_keys: self.settings.max_quota_keys,
            denial_limit: self.settings.denial_limit,
            ..ServerBuilder::default()
        };
        Self::of(settings.clock(Clock::turned()), self.catalog().clone())
    }

    fn of(mut settings: ServerBuilder, catalog: Catalog) -> Result<Self, StartError> {
        let pipeline = Pipeline {
            places: Places::new(&catalog, settings.max_in_flight),
            authenticator: settings.authenticator(),
            catalog,
            generation: 1,
            lasting: Arc::new(settings.lasting()?),
        };
        Ok(Self {
            pipeline: Arc::new(pipeline),
            settings,
        })
    }

    /// The time of all decisions; it stands still until it is turned.
    pub fn clock(&self) -> &Clock {
        &self.settings.clock
    }

    /// What can be called.
    pub fn catalog(&self) -> &Catalog {
        &self.pipeline.catalog
    }

    /// Forgets all that was counted: every bucket is full again.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn forget(&mut self) -> Result<(), StartError> {
        let fresh = Arc::new(self.settings.lasting()?);
        // Always: only a call holds another, and none outlives `decide`.
        if let Some(pipeline) = Arc::get_mut(&mut self.pipeline) {
            pipeline.lasting = fresh;
        }
        Ok(())
    }

    /// Frees the buckets that are full again, which changes no decision.
    pub fn evict_idle(&self) {
        self.pipeline.quotas.evict_idle();
        self.pipeline.denials.evict_idle();
    }

    /// A caller, as cases or the record have it, with what its scopes include.
    ///
    /// # Errors
    /// [`IdentityError`] for texts that no caller can have.
    pub fn caller(
        &self,
        tenant: &str,
        subject: &str,
        scopes: &[String],
    ) -> Result<Arc<Principal>, IdentityError> {
        let principal = Principal::recorded(tenant, subject, scopes)?;
        Ok(self.pipeline.authenticator.including(principal))
    }

    /// Decides one call now, and counts it.
    pub async fn decide(&self, caller: &Arc<Principal>, request: CallRequest<'_>) -> Decision {
        let mut call = self.pipeline.open(Surface::Cli);
        call.record.identify(caller);
        // What is decided here happens to nobody, so no log need hear of it.
        let decided = call.decide(caller, request);
        let decided = decided.with_subscriber(NoSubscriber::default()).await;
        let (refusal, confirm) = match decided {
            Ok(demand) => (None, demand.map(|demand| demand.condition().to_owned())),
            Err(refusal) => (Some(refusal), None),
        };
        Decision {
            refusal,
            confirm,
            would_deny: call.record.would_deny().to_vec(),
        }
    }
}
