//! The record of a task's run, and what others tell of a task.
//!
//! A run that goes on as a task has a line of its own when it ends, under the id of the call that made it:
//! by then that call is answered, and its own line says that it made a task. Its span belongs to the
//! trace of that call.

use uuid::Uuid;

use super::root::Origin;
use super::trail::Trail;
use super::{CallRecord, RequestFacts};
use crate::audit::TASK_METHOD;
use crate::quota::QuotaStates;
use crate::trace::Remote;

impl CallRecord {
    /// It is about the task that this call made.
    pub fn about_task(&mut self, made_by: Uuid) {
        self.task = Some(made_by);
    }

    /// It made a task: the record of what goes on.
    pub fn goes_on(&mut self) -> Self {
        self.task = Some(self.call_id);
        let recorder = &self.recorder;
        let (started, started_unix) = (recorder.clock.monotonic(), recorder.clock.unix());
        let trail = self.trail.as_ref();
        let trail =
            trail.map(|trail| Box::new(Trail::new(trail.log(), trail.generation(), started)));
        let parent = self.trace().traceparent();
        Self {
            recorder: std::sync::Arc::clone(&self.recorder),
            call_id: self.call_id,
            surface: self.surface,
            method: TASK_METHOD,
            started,
            started_unix,
            request: RequestFacts::default(),
            principal: self.principal.clone(),
            target: self.target.clone(),
            approval: None,
            quota: QuotaStates::new(),
            uncounted: false,
            would_deny: Vec::new(),
            is_running: false,
            task: Some(self.call_id),
            trail,
            origin: Origin {
                message: parent.and_then(|parent| Remote::parse(&parent, None).map(Box::new)),
                address: self.origin.address,
                ..Origin::default()
            },
            root: None,
            closed: false,
        }
    }
}
