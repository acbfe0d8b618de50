//! The stage between the last check and the run: calls that need approval get it, or end.

use super::Call;
use crate::access::AllowedArguments;
use crate::approval::{Approval, Approver, Demand, Desk, Review, review};
use crate::error::CallError;
use crate::quota::Admission;
use crate::tool::Client;

impl Call {
    pub(super) async fn approve(
        &mut self,
        admission: &Admission,
        arguments: AllowedArguments,
        client: Option<&Client>,
        approver: Approver<'_>,
    ) -> Result<Approval, CallError> {
        match review(admission, arguments) {
            Review::Approved(arguments) => Ok(Approval::Given(arguments)),
            // Boxed, so that other calls do not carry its size.
            Review::Needed(demand) => Box::pin(self.settle(*demand, client, approver)).await,
        }
    }

    async fn settle(
        &mut self,
        demand: Demand,
        client: Option<&Client>,
        approver: Approver<'_>,
    ) -> Result<Approval, CallError> {
        self.record.needs_approval(&demand);
        let trace = self.record.trace();
        let desk = Desk {
            seal: &self.pipeline.seal,
            quotas: &self.pipeline.quotas,
            clock: self.record.clock(),
            trace: &trace,
        };
        let settled = demand.settle(client, approver, desk).await;
        self.record.approval(&settled);
        Ok(settled?)
    }
}
