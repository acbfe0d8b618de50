//! A call when its request arrives, and what it runs in.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Call, Pipeline};
use crate::record::Surface;
use crate::run::Scene;
use crate::tool::Client;
use crate::trace::Trace;

impl Pipeline {
    /// Opens a call when its request arrives.
    pub fn open(self: &Arc<Self>, surface: Surface) -> Call {
        Call {
            record: self.recorder.open(surface, self.generation),
            pipeline: Arc::clone(self),
            source: None,
            place: None,
        }
    }
}

impl Call {
    /// Says which address the request came from, where that is known and is the caller's own.
    pub fn from_address(mut self, source: Option<IpAddr>) -> Self {
        self.source = source;
        self.record.from_address(source);
        self
    }

    pub(super) fn scene<'a>(&'a self, client: Option<Arc<Client>>, trace: &'a Trace) -> Scene<'a> {
        Scene {
            call_id: self.record.call_id(),
            places: &self.pipeline.places,
            trace,
            client,
        }
    }
}
