//! The governed path of every call. Read it from top to bottom: this is the promise.
//!
//! Each check returns the evidence that the next one demands, so a skipped or reordered check does
//! not compile. Whatever happens, the record is closed exactly once; a dropped future closes it as
//! cancelled. Transports call [`Call::authenticate`] before they read a body and [`Call::serve`]
//! after; nobody else turns a principal into a running tool.

mod approve;
pub(crate) mod cancellations;
mod changes;
mod complete;
mod decide;
mod denials;
mod identify;
mod lasting;
pub(crate) mod listeners;
mod load;
mod log_levels;
mod opened;
mod reloads;
mod request;
mod tasks;
mod tenants;
mod updates;

use std::net::IpAddr;
use std::sync::Arc;

use crate::access::{AllowedArguments, authorize};
use crate::approval::Approval;
use crate::auth::Principal;
use crate::error::CallError;
use crate::quota::Admission;
use crate::record::CallRecord;
use crate::run::run;
use crate::tool::{Arguments, TargetRef, ToolOutput};
pub use cancellations::Cancellations;
pub use changes::Changes;
pub use lasting::{Lasting, Pipeline};
pub use listeners::Listeners;
use load::Place;
pub use load::{Life, Load};
pub use log_levels::LogLevels;
pub use reloads::{ReloadState, Reloads, Standing};
pub use request::CallRequest;
pub use tasks::{Served, TaskAsk, WriteEnd};
pub use updates::ResourceUpdates;
pub(crate) use updates::Update;

/// One call on its way through the pipeline.
pub struct Call {
    /// What is known of it so far.
    pub record: CallRecord,
    pipeline: Arc<Pipeline>,
    source: Option<IpAddr>,
    place: Option<Place>,
}

impl Call {
    /// All further checks, then the tool. Closes the record.
    ///
    /// # Errors
    /// Any [`CallError`] but [`CallError::Unauthenticated`].
    pub async fn serve(
        &mut self,
        principal: &Arc<Principal>,
        request: CallRequest<'_>,
    ) -> Result<Served, CallError> {
        let answer = self.govern(principal, request).await;
        self.closed(answer).await
    }

    async fn govern(
        &mut self,
        principal: &Arc<Principal>,
        request: CallRequest<'_>,
    ) -> Result<Served, CallError> {
        let (client, approver) = (request.client.clone(), request.approver);
        let write = request.task.clone();
        let (admission, arguments) = self.clear(principal, request).await?;
        let approval = self.approve(&admission, arguments, client.as_deref(), approver);
        let arguments = match approval.await? {
            Approval::Given(arguments) => arguments,
            Approval::Asked(asked, _) => return Ok(Served::Output(ToolOutput::asks(*asked))),
        };
        let start = self.may_go_on(&admission, client.as_ref(), write)?;
        self.record.begin().await?;
        self.record.run_started();
        let setting = self.setting(client);
        if let Some(start) = start {
            let work = async move { run(admission, arguments, setting.scene()).await };
            // Rare, and of some size.
            let going_on = self.run_as_task(Box::pin(work), start);
            return Box::pin(going_on).await;
        }
        let output = run(admission, arguments, setting.scene()).await;
        self.record.run_ended();
        output.map(Served::Output)
    }

    /// Every check, in its order.
    async fn clear(
        &mut self,
        principal: &Arc<Principal>,
        request: CallRequest<'_>,
    ) -> Result<(Admission, AllowedArguments), CallError> {
        let (target, arguments) = (request.target, request.arguments);
        let (admission, of_uri) = self.let_in(principal, &target, &arguments).await?;
        let arguments = of_uri.unwrap_or(arguments);
        let arguments = admission.target().validate(arguments)?;
        self.record.validated();
        let arguments = admission.permit().allow(arguments)?;
        self.record.allowed(&arguments);
        Ok((admission, arguments))
    }

    /// The checks that do not look at arguments, and those that the target's URI holds.
    async fn let_in(
        &mut self,
        principal: &Arc<Principal>,
        target: &TargetRef<'_>,
        arguments: &Arguments,
    ) -> Result<(Admission, Option<Arguments>), CallError> {
        self.record.asked(target, arguments);
        // Only now: a body that trickles in must not take a place from calls that are ready to run.
        self.place = Some(self.pipeline.load.enter(principal.tenant_key())?);
        let (catalog, tenant) = (&self.pipeline.catalog, principal.tenant_key());
        let found = catalog.find(target, tenant);
        let unknown = || self.denied(principal, CallError::unknown(target));
        let found = found.ok_or_else(unknown)?;
        self.record.target(&found.target);
        self.record.called_with(target, arguments);
        let permit = authorize(principal, found.target);
        let permit = permit.map_err(|error| self.denied(principal, error))?;
        self.record.permitted(&permit);
        let trace = self.record.trace();
        let admitted = self.pipeline.quotas.admit(permit, &trace).await;
        self.record.admission(&admitted);
        Ok((admitted?, found.uri_arguments))
    }
}
