//! `GET /api/v1/calls/{callId}`: what became of a call, for dashboards and tools of operators.
//!
//! The work is bounded: two searches at once, each for a few seconds, on threads where reading a file
//! holds up no call. A reader would ask why arguments are left out even where they are recorded: who
//! may reach this port is decided by the network, and who may read arguments by the file's owner.
//! `tollgate explain` beside the log shows them.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::audit::{FoundCall, Unreadable, find, parse_call_id};
use crate::clock::{deadline_in, instant_now};
use crate::error::AdminError;
use crate::record::{Explanation, Recorder};

/// Where a call's id follows.
pub(super) const PATH: &str = "/api/v1/calls/";
/// Searches at once; further ones are refused.
const MAX_SEARCHES: usize = 2;
/// How long a search may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long lines that are not written yet are waited for.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Searches in the audit log.
pub(super) struct Calls {
    seats: Arc<Semaphore>,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self {
            seats: Arc::new(Semaphore::new(MAX_SEARCHES)),
        }
    }

    /// The explanation of a call as JSON.
    pub(super) async fn explain(
        &self,
        recorder: &Recorder,
        id: &str,
    ) -> Result<Vec<u8>, AdminError> {
        let id = parse_call_id(id).ok_or(AdminError::BadCallId)?;
        let log = recorder.audit_log().ok_or(AdminError::NoAuditLog)?;
        let file = log.file().ok_or(AdminError::NoAuditLog)?.to_owned();
        let seats = Arc::clone(&self.seats);
        let seat = seats.try_acquire_owned().map_err(|_| AdminError::Busy)?;
        // A refusal can be asked about before its line is written.
        let _ = timeout(CATCH_UP_TIMEOUT, log.caught_up()).await;
        let until = deadline_in(SEARCH_TIMEOUT);
        let log = file.clone();
        let searched = spawn_blocking(move || {
            // Kept until the search ends, also when nobody waits for it any more.
            let _seat = seat;
            find(&log, id, || instant_now() < until)
        });
        let searched = searched.await.unwrap_or_else(|error| {
            let error = error.into();
            Err(Unreadable { file, error })
        });
        told(searched)
    }
}

fn told(searched: Result<FoundCall, Unreadable>) -> Result<Vec<u8>, AdminError> {
    let found = match searched {
        Ok(found) if found.was_stopped => return Err(AdminError::TooSlow),
        Ok(found) => found,
        Err(unreadable) if unreadable.error.kind() == ErrorKind::NotFound => {
            return Err(AdminError::UnknownCall);
        }
        Err(unreadable) => {
            let (file, error) = (unreadable.file.display(), unreadable.error);
            tracing::error!(%file, %error, "the audit log cannot be read");
            return Err(AdminError::Unreadable);
        }
    };
    let Some(explanation) = Explanation::of(&found) else {
        let damaged = found.damaged.ok_or(AdminError::UnknownCall)?;
        let (file, line) = (damaged.file.display(), damaged.number);
        tracing::error!(%file, line, "a line of the audit log cannot be read");
        return Err(AdminError::Unreadable);
    };
    // Plain values into memory: this does not fail.
    Ok(serde_json::to_vec(&explanation.without_values()).unwrap_or_default())
}
