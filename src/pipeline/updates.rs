//! Word that what a resource holds has changed, for those who subscribed to it.

use std::sync::Arc;

use tokio::sync::broadcast;

use super::{Call, Pipeline};
use crate::access::may_call;
use crate::auth::Principal;
use crate::tool::TargetRef;

/// Updates that a slow listener may leave unheard before it is told of all that it listens for.
const CAPACITY: usize = 1_024;

/// Tells subscribers that resources changed. Clones tell the same ones.
///
/// Make one, give it to [`ServerBuilder::resource_updates`](crate::server::ServerBuilder::resource_updates)
/// and to whatever changes what resources hold.
#[derive(Clone, Debug)]
pub struct ResourceUpdates(broadcast::Sender<Arc<str>>);

impl Default for ResourceUpdates {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl ResourceUpdates {
    /// The resource of this URI holds something else now. Cheap; nobody need listen.
    pub fn updated(&self, uri: &str) {
        // An error says that nobody listens.
        let _ = self.0.send(uri.into());
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
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
