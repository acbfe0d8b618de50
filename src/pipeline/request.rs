//! What a call asks for, before anything of it is checked.

use std::sync::Arc;

use super::tasks::WriteEnd;
use crate::approval::Approver;
use crate::tool::{Arguments, Client, TargetRef};

/// What a caller asks for.
pub struct CallRequest<'a> {
    /// The tool or resource.
    pub target: TargetRef<'a>,
    /// The tool's or prompt's arguments; a resource's come from its URI.
    pub arguments: Arguments,
    /// What the caller's client can do besides reading the answer; none: nothing.
    pub client: Option<Arc<Client>>,
    /// Who approves, where that is needed.
    pub approver: Approver<'a>,
    /// How the end of its run is written, where its client may get a task instead of an answer.
    pub task: Option<WriteEnd>,
}

impl<'a> CallRequest<'a> {
    /// Asks for a target with these arguments.
    pub fn new(target: TargetRef<'a>, arguments: Arguments) -> Self {
        Self {
            target,
            arguments,
            client: None,
            approver: Approver::User,
            task: None,
        }
    }

    /// The client may get a task instead of an answer.
    pub fn or_task(self, task: Option<WriteEnd>) -> Self {
        Self { task, ..self }
    }

    /// From a client that can do more than read the answer.
    pub fn of_client(self, client: Option<Arc<Client>>) -> Self {
        Self { client, ..self }
    }

    /// From a caller that confirms calls itself, where that is needed, and does so with this text.
    pub fn confirmed_with(self, confirmation: Option<&'a str>) -> Self {
        Self {
            approver: Approver::Caller(confirmation),
            ..self
        }
    }
}
