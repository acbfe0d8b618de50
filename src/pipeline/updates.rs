//! Word that what a resource holds has changed, for those who subscribed to it.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::{Call, Pipeline};
use crate::access::may_call;
use crate::auth::{Principal, TenantKey};
use crate::tool::TargetRef;

/// Updates that a slow listener may leave unheard before it is told of all that it listens for.
const CAPACITY: usize = 1_024;

/// Tells subscribers that resources changed. Clones tell the same ones.
///
/// Make one, give it to [`ServerBuilder::resource_updates`](crate::server::ServerBuilder::resource_updates)
/// and to whatever changes what resources hold.
///
/// ```
/// use tollgate::ResourceUpdates;
/// use tollgate::server::Server;
///
/// let updates = ResourceUpdates::default();
/// let server = Server::builder().resource_updates(updates.clone()).build()?;
/// // Wherever a note is written:
/// updates.updated("news://today");
/// // The same URI is another note of each tenant: only acme's callers hear of it.
/// updates.updated_for("acme", "notes://4711");
/// # Ok::<(), tollgate::server::StartError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ResourceUpdates(broadcast::Sender<Update>);

/// A resource changed.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) uri: Arc<str>,
    /// Whose it is; nobody's, or everybody's, otherwise.
    tenant: Option<TenantKey>,
}

impl Update {
    /// Whether this caller is one of those who may be told.
    pub(crate) fn is_for(&self, principal: &Principal) -> bool {
        self.tenant
            .is_none_or(|tenant| tenant == principal.tenant_key())
    }
}

impl Default for ResourceUpdates {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl ResourceUpdates {
    /// The resource of this URI holds something else now, for whoever may read it. Cheap; nobody need
    /// listen.
    pub fn updated(&self, uri: &str) {
        self.announce(uri, None);
    }

    /// The same for the callers of one tenant, where one URI is other data for each: others who may
    /// read the URI hear nothing, and so do not learn when this tenant's data changes.
    pub fn updated_for(&self, tenant: &str, uri: &str) {
        self.announce(uri, Some(TenantKey::of(tenant)));
    }

    fn announce(&self, uri: &str, tenant: Option<TenantKey>) {
        let uri = uri.into();
        // An error says that nobody listens.
        let _ = self.0.send(Update { uri, tenant });
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Update> {
        self.0.subscribe()
    }
}

impl Call {
    /// Whether its caller may read a resource.
    pub(crate) fn may_read(&self, principal: &Arc<Principal>, uri: &str) -> bool {
        self.pipeline.may_read(principal, uri)
    }
}

impl Pipeline {
    /// Whether this caller may read a resource: by the same rules as a call, but counted nowhere.
    pub(crate) fn may_read(&self, principal: &Arc<Principal>, uri: &str) -> bool {
        let target = TargetRef::Resource(uri);
        let found = self.catalog.find(&target, principal.tenant_key());
        found.is_some_and(|found| {
            let arguments = found.uri_arguments.unwrap_or_default();
            may_call(&found.target, principal, arguments)
        })
    }
}
