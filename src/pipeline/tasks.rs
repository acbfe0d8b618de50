//! Calls that go on as tasks, and what their callers ask of those.
//!
//! A task passes every check of its call, and runs on with the call's place in the house, at its tool and
//! until its deadline; only the caller does not wait. Whatever is asked of a task later is a request of
//! its own: known caller, its own task, and a tool that it still may call. Another's task, a forgotten
//! one and none at all are one answer, and count towards the limit on refusals.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::load::Place;
use super::{Call, Pipeline};
use crate::access::permits;
use crate::auth::Principal;
use crate::error::CallError;
use crate::quota::Admission;
use crate::record::CallRecord;
use crate::task::{Attended, Ended, Held, NewTask, NoRoom, NotMade, Task, Tasks};
use crate::tool::{Capability, Client, Desk, Target, TargetRef, TaskPolicy, ToolOutput};

/// Writes how the run of a call ended, as its client will read it.
pub type WriteEnd =
    Arc<dyn Fn(&Target, Uuid, Result<ToolOutput, CallError>) -> Ended + Send + Sync>;

/// What a call came to.
pub enum Served {
    /// An answer.
    Output(ToolOutput),
    /// It goes on as the task of this handle.
    Task(String, Arc<Task>),
}

impl Served {
    /// The answer, where no task was asked for.
    ///
    /// # Errors
    /// There is a task all the same: a defect.
    pub fn output(self) -> Result<ToolOutput, CallError> {
        match self {
            Self::Output(output) => Ok(output),
            Self::Task(..) => Err(CallError::Internal("a task nobody asked for".to_owned())),
        }
    }
}

/// What is asked of a task.
pub enum TaskAsk {
    /// How it stands.
    Get,
    /// Here are answers to what it asks.
    Update(Map<String, Value>),
    /// It is not wanted any more.
    Cancel,
}

/// What a task is made with.
pub(super) struct Start {
    policy: TaskPolicy,
    target: Arc<Target>,
    principal: Arc<Principal>,
    desk: Arc<Desk>,
    write: WriteEnd,
}

impl Call {
    /// What a task would be made with, where the tool has some and the client may get one.
    pub(super) fn may_go_on(
        &self,
        admission: &Admission,
        client: Option<&Arc<Client>>,
        write: Option<WriteEnd>,
    ) -> Result<Option<Start>, CallError> {
        let Some(policy) = admission.target().policy().task else {
            return Ok(None);
        };
        let desk = client.and_then(|client| client.desk()).cloned();
        let (Some(write), Some(desk)) = (write, desk) else {
            return match policy.is_required {
                true => Err(CallError::ClientCannot(Capability::Tasks)),
                false => Ok(None),
            };
        };
        Ok(Some(Start {
            policy,
            target: Arc::clone(admission.permit().target()),
            principal: Arc::clone(admission.permit().principal()),
            desk,
            write,
        }))
    }

    /// Runs until there is an answer, or until the run is to go on as a task, which is found once this
    /// returns.
    pub(super) async fn run_as_task(
        &mut self,
        mut work: BoxFuture<'static, Result<ToolOutput, CallError>>,
        start: Start,
    ) -> Result<Served, CallError> {
        tokio::select! {
            biased;
            done = &mut work => {
                self.record.run_ended();
                return done.map(Served::Output);
            }
            () = start.desk.wanted() => {}
        }
        let tasks = Arc::clone(&self.pipeline.tasks);
        let millis =
            |span: std::time::Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let new = NewTask {
            principal: &start.principal,
            call_id: self.record.call_id(),
            tool: start.target.name(),
            ttl_ms: millis(start.policy.ttl).max(1),
            poll_ms: millis(start.policy.poll_every).max(1),
        };
        let (id, task) = tasks.make(&new).await.map_err(|error| match error {
            NotMade::Full(NoRoom::OfCaller | NoRoom::OfTenant) => CallError::TooManyTasks,
            NotMade::Full(NoRoom::AtAll) => CallError::Overloaded,
            NotMade::Failed(_) => CallError::TasksUnavailable,
        })?;
        self.record.run_ended();
        let run = Run {
            tasks: Arc::clone(&tasks),
            id: id.clone(),
            record: self.record.goes_on(),
            place: self.place.take(),
            start,
        };
        tasks.spawn(run.finish(work));
        Ok(Served::Task(id, task))
    }

    /// What a caller asks of its task; how that stands afterwards. Closes the record.
    ///
    /// # Errors
    /// [`CallError::UnknownTask`], [`CallError::TasksUnavailable`], or what any call gets that is refused.
    pub async fn task(
        &mut self,
        principal: &Arc<Principal>,
        id: &str,
        ask: TaskAsk,
    ) -> Result<Arc<Task>, CallError> {
        let answer = self.ask_task(principal, id, ask).await;
        self.closed(answer).await
    }

    async fn ask_task(
        &mut self,
        principal: &Arc<Principal>,
        id: &str,
        ask: TaskAsk,
    ) -> Result<Arc<Task>, CallError> {
        let pipeline = Arc::clone(&self.pipeline);
        self.place = Some(pipeline.load.enter(principal.tenant_key())?);
        let Some(held) = pipeline.task_of(principal, id).await? else {
            return Err(self.denied(principal, CallError::UnknownTask));
        };
        self.record.about_task(held.task.call_id);
        let done = match ask {
            TaskAsk::Get => Ok(()),
            TaskAsk::Update(given) => pipeline.tasks.answer(id, &given).await,
            TaskAsk::Cancel => pipeline.tasks.cancel(id).await,
        };
        done.map_err(|_| CallError::TasksUnavailable)?;
        Ok(held.task)
    }

    /// The caller's task of this handle, for a subscription.
    pub(crate) async fn may_hear_of(&self, principal: &Principal, id: &str) -> Option<Held> {
        let held = self.pipeline.task_of(principal, id).await;
        held.ok().flatten()
    }
}

impl Pipeline {
    /// The task of this handle, if it is this caller's and of a tool that it may call.
    ///
    /// # Errors
    /// [`CallError::TasksUnavailable`].
    pub(crate) async fn task_of(
        &self,
        principal: &Principal,
        id: &str,
    ) -> Result<Option<Held>, CallError> {
        let held = self.tasks.look(id).await;
        let held = held.map_err(|_| CallError::TasksUnavailable)?;
        Ok(held.filter(|held| {
            let tool = TargetRef::Tool(&held.task.tool);
            let found = self.catalog.find(&tool, principal.tenant_key());
            held.task.is_of(principal)
                && found.is_some_and(|found| permits(&found.target, principal))
        }))
    }

    /// Whether calls of any tool may become tasks.
    pub(crate) fn has_tasks(&self) -> bool {
        let mut targets = self.catalog.targets().iter();
        targets.any(|target| target.policy().task.is_some())
    }
}

/// A run that outlives its call.
struct Run {
    tasks: Arc<Tasks>,
    id: String,
    record: CallRecord,
    /// Held until all is told.
    place: Option<Place>,
    start: Start,
}

impl Run {
    async fn finish(mut self, work: BoxFuture<'static, Result<ToolOutput, CallError>>) {
        let (tasks, start) = (Arc::clone(&self.tasks), &self.start);
        let (target, call_id) = (&*start.target, self.record.call_id());
        let write = |end| (start.write)(target, call_id, end);
        self.record.run_started();
        start.desk.made();
        let attended = tasks.attend(&self.id, &start.desk, work).await;
        self.record.run_ended();
        let ended = match attended {
            Attended::Done(Ok(output)) => {
                self.record.close_ok();
                write(Ok(output))
            }
            Attended::Done(Err(error)) => {
                self.record.close_error(&error);
                write(Err(error))
            }
            Attended::CutOff => {
                self.record.close_error(&CallError::Draining);
                write(Err(CallError::Draining))
            }
            // The record closes as cancelled.
            Attended::Unwanted => return,
        };
        let ended = match self.record.settle().await {
            Ok(()) => ended,
            Err(error) => write(Err(error)),
        };
        let too_large = || {
            let cause = "its result is larger than what is kept of tasks".to_owned();
            write(Err(CallError::Internal(cause)))
        };
        tasks.end(&self.id, ended, too_large).await;
        drop(self.place);
    }
}
