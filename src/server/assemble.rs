//! Settings become parts, and the parts a [`Server`].
//!
//! Beside the builder, so that what can be said and what is made of it are read apart. What outlasts
//! a configuration is made once; a configuration that takes another's place gets what that one had.

use std::mem::take;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::builder::ServerBuilder;
use super::fixed::Fixed;
use super::measure::Measuring;
use super::{Server, StartError};
use crate::audit::Log;
use crate::auth::{Authenticator, Issuer, LocalIdentity, NoRandomness, Principal, random_secret};
use crate::clock::Clock;
use crate::mcp::Mcp;
use crate::pipeline::{Lasting, Load, LogLevels, Pipeline, Reloads};
use crate::quota::{DenialLimit, FailureLimit, Quotas, StoreSettings};
use crate::record::{MetricReader, Recorder, Tracing, TracingError};
use crate::run::Places;
use crate::seal::Seal;
use crate::task::Tasks;
use crate::tool::{BoundLimit, Catalog, CatalogFault, Per, Questions, Terms};
use crate::transport::http::DevMint;

/// Who signs the demo's tokens, and whom they are for.
const DEV_ISSUER: &str = "urn:tollgate:dev";
const DEV_AUDIENCE: &str = "tollgate-dev";
/// What is shorter can be guessed by whoever holds something that it sealed.
const MIN_SECRET_BYTES: usize = 32;

impl ServerBuilder {
    /// A server, or what takes the place of `before` in one that runs.
    pub(super) fn assemble(
        mut self,
        before: Option<&Pipeline>,
        dev: Option<Arc<DevMint>>,
    ) -> Result<Server, StartError> {
        let wanted = Fixed::of(&self);
        let declared = take(&mut self.declared);
        let catalog = match before {
            Some(before) => before.catalog.followed_by(declared),
            None => Catalog::build(declared),
        };
        let placed = |faults| StartError::of_catalog(faults, &self.origins);
        let catalog = catalog.map_err(placed)?;
        if let Some(store) = &self.quota_store {
            check_slots(&catalog, store).map_err(placed)?;
        }
        let dev = match self.dev {
            true => Some(self.open_for_dev(&catalog, dev)?),
            false => None,
        };
        for source in &self.sources {
            source.tell_time_by(&self.clock);
        }
        let measuring = self.measuring(before.is_some())?;
        let serves_stdio = self.local.is_some();
        let authenticator = self.authenticator();
        let pipeline = match before {
            Some(before) => {
                before.followed_by(authenticator.with_keys_of(&before.authenticator), catalog)
            }
            None => Pipeline {
                places: Places::new(&catalog, half_of(self.max_in_flight)),
                authenticator,
                catalog,
                generation: 1,
                lasting: Arc::new(self.lasting()?),
            },
        };
        Ok(Server {
            mcp: Arc::new(Mcp::new(&pipeline, self.info, self.page_size)),
            pipeline: Arc::new(pipeline),
            sources: self.sources,
            http: self.http,
            admin: self.admin,
            measuring,
            shutdown_delay: self.shutdown_delay,
            shutdown_grace: self.shutdown_grace,
            serves_stdio,
            dev,
            wanted,
        })
    }

    pub(super) fn authenticator(&mut self) -> Authenticator {
        let mut authenticator = Authenticator::new(
            take(&mut self.issuers),
            take(&mut self.claims),
            take(&mut self.scope_inclusion),
            self.clock.clone(),
        )
        .with_api_keys(take(&mut self.api_keys), self.api_key_file.take());
        if let Some(introspection) = self.introspection.take() {
            authenticator = authenticator.with_introspection(introspection);
        }
        if let Some(identity) = self.local.take() {
            authenticator = authenticator.with_local(identity);
        }
        if let Some(principal) = self.anonymous.take() {
            authenticator = authenticator.with_anonymous(principal);
        }
        authenticator
    }

    pub(super) fn lasting(&mut self) -> Result<Lasting, StartError> {
        let audit = self.audit.take();
        let audit = audit
            .map(|audit| Log::open(audit, self.clock.clone()))
            .transpose()?;
        let tracing = self.make_tracing()?;
        let quotas = match self.quota_store.take() {
            Some(store) => Quotas::shared(store, self.max_quota_keys, self.clock.clone()),
            None => Quotas::in_memory(self.max_quota_keys, self.clock.clone()),
        };
        let tasks = Arc::new(Tasks::new(quotas.link(), self.clock.clone()));
        Ok(Lasting {
            failures: FailureLimit::new(self.failure_limit, self.clock.clone()),
            denials: DenialLimit::new(self.denial_limit, self.clock.clone()),
            quotas,
            tasks,
            load: self.load(),
            recorder: Arc::new(Recorder::new(self.clock.clone(), tracing, audit)),
            changes: Arc::default(),
            updates: self.updates.clone(),
            listeners: Arc::default(),
            cancellations: Arc::default(),
            questions: Questions::default(),
            log_levels: LogLevels::default(),
            seal: Seal::new(&self.known_secret()?, self.clock.clone()),
            list_lookups: Arc::default(),
            reloads: Reloads::default(),
        })
    }

    /// One that other replicas know, or else one that is forgotten with this process.
    fn known_secret(&mut self) -> Result<Vec<u8>, StartError> {
        match self.state_secret.take() {
            Some(secret) if secret.len() < MIN_SECRET_BYTES => {
                Err(StartError::ShortStateSecret(secret.len()))
            }
            Some(secret) => Ok(secret),
            None => Ok(random_secret()?.expose_secret().as_bytes().to_vec()),
        }
    }

    /// What only a start carries out: a reload goes on counting.
    fn measuring(&mut self, goes_on: bool) -> Result<Measuring, TracingError> {
        let readers = if goes_on {
            Vec::new()
        } else {
            self.metric_readers()
        };
        let tenants = self.tenant_label.take();
        Measuring::new(&readers, &self.metric_settings, &self.service, tenants)
    }

    /// Those that were named; without a word Prometheus, where it can ask.
    pub(crate) fn metric_readers(&self) -> Vec<MetricReader> {
        let usual = || self.admin.map(|_| MetricReader::Prometheus);
        let named = self.metrics.clone();
        named.unwrap_or_else(|| usual().into_iter().collect())
    }

    /// What was made by the embedding program, else what the exporters need.
    fn make_tracing(&mut self) -> Result<Option<Tracing>, TracingError> {
        match self.tracing.take() {
            Some(own) => Ok(Some(own)),
            None if self.exporters.is_empty() => Ok(None),
            None => Tracing::new(&self.service, &self.exporters, &self.tracing_settings).map(Some),
        }
    }

    fn load(&self) -> Arc<Load> {
        let per_tenant = self.max_in_flight_per_tenant;
        let per_tenant = per_tenant.unwrap_or_else(|| half_of(self.max_in_flight));
        let max_unsent = self.http.limits.max_unsent_bytes;
        Load::new(self.max_in_flight, per_tenant, max_unsent)
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

/// What a single tool or tenant may have of all places, unless told otherwise.
fn half_of(places: usize) -> usize {
    places.div_ceil(2).max(1)
}

/// In a cluster, the buckets of one call lie on one node: by the tenant, or by the target where a limit
/// counts all tenants together.
fn check_slots(catalog: &Catalog, store: &StoreSettings) -> Result<(), Vec<CatalogFault>> {
    let split = |terms: &Terms| {
        let per_target = |limit: &BoundLimit| limit.limit().counts_per() == Per::Target;
        let limits = terms.limits();
        limits.iter().any(per_target) && !limits.iter().all(per_target)
    };
    let targets = catalog.targets().iter();
    let faults: Vec<CatalogFault> = targets
        .filter(|target| store.address.is_cluster() && target.all_terms().any(split))
        .map(|target| CatalogFault {
            target: target.name().to_owned(),
            fault: "it has a limit over all tenants beside others, and a cluster cannot count both in one step: give it either, or use one quota store instead of a cluster".to_owned(),
        })
        .collect();
    if faults.is_empty() {
        Ok(())
    } else {
        Err(faults)
    }
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
