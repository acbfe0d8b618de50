//! A call when its request arrives, and what it runs in.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use super::{Call, Pipeline};
use crate::error::CallError;
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
    pub fn from_address(&mut self, source: Option<IpAddr>) {
        self.source = source;
        self.record.from_address(source);
    }

    /// Closes the record with what the call came to, and waits until that is safe.
    pub(super) async fn closed<T>(&mut self, answer: Result<T, CallError>) -> Result<T, CallError> {
        match &answer {
            Ok(_) => self.record.close_ok(),
            Err(error) => self.record.close_error(error),
        }
        self.record.settle().await?;
        answer
    }

    /// What it runs in, of its own: a run may outlive its call.
    pub(super) fn setting(&mut self, client: Option<Arc<Client>>) -> Setting {
        Setting {
            pipeline: Arc::clone(&self.pipeline),
            call_id: self.record.call_id(),
            trace: self.record.trace(),
            client,
        }
    }
}

/// What a call runs in.
pub(super) struct Setting {
    pipeline: Arc<Pipeline>,
    call_id: Uuid,
    trace: Trace,
    client: Option<Arc<Client>>,
}

impl Setting {
    pub(super) fn scene(&self) -> Scene<'_> {
        Scene {
            call_id: self.call_id,
            places: &self.pipeline.places,
            trace: &self.trace,
            client: self.client.clone(),
        }
    }
}
