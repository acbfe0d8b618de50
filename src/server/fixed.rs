//! What only a restart changes: what is opened, sized or set up once.
//!
//! A reader would ask why a reload does not refuse a file that changes one of these: the file is as
//! good as any, and what else it says may be urgent. So the rest is applied and these are named.

use std::net::SocketAddr;
use std::time::Duration;

use super::ServerBuilder;
use super::admin::AdminAddress;
use crate::audit::AuditSettings;
use crate::quota::StoreSettings;
use crate::record::{Exporter, MetricReader, TenantLabel};
use crate::tool::Quota;
use crate::transport::http::{Limits, Tls};

/// The settings that a server has until it ends.
#[derive(Clone)]
pub(super) struct Fixed {
    pub(super) listen: Option<SocketAddr>,
    pub(super) admin: Option<AdminAddress>,
    pub(super) tls: Option<Tls>,
    pub(super) limits: Limits,
    max_in_flight: usize,
    max_in_flight_per_tenant: Option<usize>,
    max_quota_keys: usize,
    quota_store: Option<StoreSettings>,
    failure_limit: Quota,
    denial_limit: Option<Quota>,
    shutdown_delay: Duration,
    shutdown_grace: Duration,
    state_secret: Option<Vec<u8>>,
    pub(super) audit: Option<AuditSettings>,
    service: String,
    exporters: Vec<Exporter>,
    metrics: Option<Vec<MetricReader>>,
    tenant_label: Option<TenantLabel>,
    sampling: Option<f64>,
}

impl Fixed {
    pub(super) fn of(builder: &ServerBuilder) -> Self {
        Self {
            listen: builder.listen,
            admin: builder.admin,
            tls: builder.http.tls.clone(),
            limits: builder.http.limits.clone(),
            max_in_flight: builder.max_in_flight,
            max_in_flight_per_tenant: builder.max_in_flight_per_tenant,
            max_quota_keys: builder.max_quota_keys,
            quota_store: builder.quota_store.clone(),
            failure_limit: builder.failure_limit,
            denial_limit: builder.denial_limit,
            shutdown_delay: builder.shutdown_delay,
            shutdown_grace: builder.shutdown_grace,
            state_secret: builder.state_secret.clone(),
            audit: builder.audit.clone(),
            service: builder.service.clone(),
            exporters: builder.exporters.clone(),
            metrics: builder.metrics.clone(),
            tenant_label: builder.tenant_label.clone(),
            sampling: builder.tracing_settings.sampling,
        }
    }

    /// The keys of the configuration whose values `other` has otherwise.
    pub(super) fn differences(&self, other: &Self) -> Vec<&'static str> {
        let (limits, others) = (&self.limits, &other.limits);
        let same_tls = match (&self.tls, &other.tls) {
            (Some(own), Some(other)) => own.has_files_of(other),
            (None, None) => true,
            _ => false,
        };
        let keys = [
            ("server.listen", self.listen == other.listen),
            ("server.adminListen", self.admin == other.admin),
            ("server.tls", same_tls),
            (
                "server.maxConnections",
                limits.max_connections == others.max_connections,
            ),
            (
                "server.maxConnectionsPerAddress",
                limits.max_connections_per_address == others.max_connections_per_address,
            ),
            (
                "server.maxInFlight",
                self.max_in_flight == other.max_in_flight,
            ),
            (
                "server.maxInFlightPerTenant",
                self.max_in_flight_per_tenant == other.max_in_flight_per_tenant,
            ),
            (
                "server.shutdownDelay",
                self.shutdown_delay == other.shutdown_delay,
            ),
            (
                "server.shutdownGrace",
                self.shutdown_grace == other.shutdown_grace,
            ),
            (
                "server.stateSecret",
                self.state_secret == other.state_secret,
            ),
        ];
        let changed = keys.into_iter().filter(|(_, is_same)| !is_same);
        let changed = changed.map(|(key, _)| key);
        changed
            .chain(self.counting_differences(other))
            .chain(self.audit_differences(other))
            .chain(self.telemetry_differences(other))
            .chain(self.store_differences(other))
            .collect()
    }

    fn counting_differences(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        let keys = [
            (
                "quotas.maxKeys",
                self.max_quota_keys == other.max_quota_keys,
            ),
            (
                "auth.failureLimit",
                self.failure_limit == other.failure_limit,
            ),
            (
                "quotas.denialLimit",
                self.denial_limit == other.denial_limit,
            ),
        ];
        let changed = keys.into_iter().filter(|(_, is_same)| !is_same);
        changed.map(|(key, _)| key)
    }

    fn telemetry_differences(&self, other: &Self) -> impl Iterator<Item = &'static str> {
        // Whom the file names may change; they get their labels as others do.
        let max = |fixed: &Self| fixed.tenant_label.as_ref().map(|label| label.max);
        let keys = [
            ("telemetry.service", self.service == other.service),
            ("telemetry.traces", self.exporters == other.exporters),
            ("telemetry.sampling", self.sampling == other.sampling),
            ("telemetry.metrics", self.metrics == other.metrics),
            ("telemetry.tenantLabel", max(self) == max(other)),
        ];
        let changed = keys.into_iter().filter(|(_, is_same)| !is_same);
        changed.map(|(key, _)| key)
    }

    fn audit_differences(&self, other: &Self) -> Vec<&'static str> {
        match (&self.audit, &other.audit) {
            (Some(own), Some(other)) => own.differences(other).collect(),
            (None, None) => Vec::new(),
            _ => vec!["audit"],
        }
    }

    fn store_differences(&self, other: &Self) -> Vec<&'static str> {
        let (own, other) = match (&self.quota_store, &other.quota_store) {
            (Some(own), Some(other)) => (own, other),
            (None, None) => return Vec::new(),
            _ => return vec!["quotas.store"],
        };
        let keys = [
            ("quotas.store", own.address == other.address),
            ("quotas.onStoreFailure", own.on_failure == other.on_failure),
            ("quotas.storeTimeout", own.timeout == other.timeout),
            ("quotas.storeCa", own.roots == other.roots),
            ("quotas.keyPrefix", own.key_prefix == other.key_prefix),
        ];
        let changed = keys.into_iter().filter(|(_, is_same)| !is_same);
        changed.map(|(key, _)| key).collect()
    }
}
