//! Does the caller's user approve of this call?
//!
//! A tool's policy says which calls need that. Whoever approves is asked in the way of its surface:
//! by a question that ends the call, which the client makes again with the answer; by a question
//! while the call waits; or, where no protocol asks, by a text that the caller sends back. What goes
//! through others' hands in between is sealed (`ticket`), and an approval is used once.
//!
//! A reader would ask why a retry is asked anew, and not refused, when what it carries is too old or
//! was used: nobody has said no, and the user is the one who should know.

mod question;
mod ticket;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::access::AllowedArguments;
use crate::auth::Principal;
use crate::clock::Clock;
use crate::quota::{Admission, QuotaError, Quotas};
use crate::seal::Seal;
use crate::tool::{
    Action, Arguments, Asked, Asking, Capability, Client, Facts, Questions, Reply, RuleFailure,
    Target, ToolError,
};
use crate::trace::Trace;
use ticket::{About, Phase, Ticket};

/// How long a question, or the text to send back, is good for.
pub const VALID: Duration = Duration::from_secs(5 * 60);
/// What the question to the client is called.
const KEY: &str = "tollgate/confirm";

/// Allowed arguments of a call that needs no approval, or has it: what [`run`](crate::run) demands.
pub struct ApprovedArguments {
    arguments: AllowedArguments,
    /// Of which target it was asked whether approval is needed.
    target: u32,
    /// What the client carries on if the tool itself asks something.
    carried: Option<String>,
}

impl ApprovedArguments {
    /// The arguments, if they are of this call, and what of its approval goes on.
    pub(crate) fn for_call(
        self,
        target: &Target,
        principal: &Arc<Principal>,
    ) -> Option<(Arguments, Option<String>)> {
        let arguments = self.arguments.for_call(target, principal);
        let arguments = arguments.filter(|_| self.target == target.number())?;
        Some((arguments, self.carried))
    }
}

/// Whether approval is needed.
pub enum Review {
    /// It is not.
    Approved(ApprovedArguments),
    /// It is.
    Needed(Box<Demand>),
}

/// A call that needs approval.
pub struct Demand {
    principal: Arc<Principal>,
    target: Arc<Target>,
    arguments: AllowedArguments,
    condition: String,
    failure: Option<RuleFailure>,
}

impl Demand {
    /// The condition, or `always`.
    pub fn condition(&self) -> &str {
        &self.condition
    }

    /// Why the condition gave neither true nor false, if it did not.
    pub fn failure(&self) -> Option<RuleFailure> {
        self.failure
    }

    fn approved(self, carried: Option<String>) -> ApprovedArguments {
        ApprovedArguments {
            arguments: self.arguments,
            target: self.target.number(),
            carried,
        }
    }
}

/// Who approves of a call.
#[derive(Clone, Copy, Debug, Default)]
pub enum Approver<'a> {
    /// The user, whom the caller's client asks.
    #[default]
    User,
    /// The caller itself, by sending the call again with the confirmation that it was given.
    Caller(Option<&'a str>),
}

/// What became of a call that needs approval.
pub enum Approval {
    /// It has it.
    Given(ApprovedArguments),
    /// The client has to ask, and to make the call again.
    Asked(Box<Asked>, Option<Unusable>),
}

/// Why what came with a call does not approve of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It was used.
    Used,
    /// It has expired.
    Expired,
    /// It is of another call or caller, or was changed.
    Foreign,
}

impl Unusable {
    /// One of few words, for the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Foreign => "foreign",
        }
    }
}

/// After "the confirmation".
impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Used => "was used before",
            Self::Expired => "has expired",
            Self::Foreign => "is not of this call",
        })
    }
}

/// How a user does not approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotGiven {
    /// It said no.
    Declined,
    /// It closed the question.
    Dismissed,
    /// Nobody answered in time, or the client answered something else.
    Unanswered,
}

/// A call that its caller has to confirm.
#[derive(Debug)]
pub struct Unconfirmed {
    /// What to show to whoever decides.
    pub question: String,
    /// What to send back.
    pub confirmation: String,
    /// Why what was sent does not do.
    pub unusable: Option<Unusable>,
}

/// Why a call does not go on.
#[derive(Debug)]
pub enum ApprovalError {
    /// The client cannot ask its user.
    CannotAsk,
    /// The caller has to confirm.
    Unconfirmed(Box<Unconfirmed>),
    /// It is not approved of.
    NotGiven(NotGiven),
    /// Whether an approval was used cannot be told.
    Uncounted(QuotaError),
    /// There is no randomness to seal with.
    NoRandomness,
}

/// What approvals are checked with.
pub struct Desk<'a> {
    /// For what others carry.
    pub seal: &'a Seal,
    /// What remembers which approvals were used.
    pub quotas: &'a Quotas,
    /// How long a live question waits.
    pub clock: Clock,
    /// The call's trace.
    pub trace: &'a Trace,
}

/// Asks the policy of an admitted call whether it needs approval.
pub fn review(admission: &Admission, arguments: AllowedArguments) -> Review {
    let (principal, target) = (admission.permit().principal(), admission.permit().target());
    let approved = |arguments| ApprovedArguments {
        arguments,
        target: target.number(),
        carried: None,
    };
    let Some(confirm) = target.terms(principal.tenant_key()).confirm() else {
        return Review::Approved(approved(arguments));
    };
    let facts = Facts::of_caller(principal).with_arguments(arguments.get());
    let failure = match confirm.asks(&facts) {
        Ok(false) => {
            drop(facts);
            return Review::Approved(approved(arguments));
        }
        Ok(true) => None,
        // Fail closed.
        Err(failure) => Some(failure),
    };
    drop(facts);
    Review::Needed(Box::new(Demand {
        principal: Arc::clone(principal),
        target: Arc::clone(target),
        arguments,
        condition: confirm.condition().to_owned(),
        failure,
    }))
}

impl Demand {
    /// Gets the approval, or what it takes to get it.
    ///
    /// # Errors
    /// [`ApprovalError`].
    pub async fn settle(
        self,
        client: Option<&Client>,
        approver: Approver<'_>,
        desk: Desk<'_>,
    ) -> Result<Approval, ApprovalError> {
        let about = About::new(&self.principal, self.target.name(), self.arguments.get());
        let carried = match approver {
            Approver::User => client.and_then(|client| client.approval.as_deref()),
            Approver::Caller(sent) => sent,
        };
        let unusable = match carried.map(|text| about.open(desk.seal, text)) {
            None => None,
            Some(Err(unusable)) => Some(unusable),
            Some(Ok(ticket)) => match self.said(&ticket, client, approver) {
                None => None,
                Some(action) => {
                    let tenant = self.principal.tenant_key();
                    let used =
                        desk.quotas
                            .use_once(ticket.nonce, tenant, ticket::LONGEST, desk.trace);
                    let first = used.await;
                    not_given(action)?;
                    if first.map_err(ApprovalError::Uncounted)? {
                        let is_retry = client.is_some_and(|client| client.given().is_some());
                        let carried = is_retry.then(|| about.seal(desk.seal, Phase::Given));
                        return Ok(Approval::Given(self.approved(carried.flatten())));
                    }
                    Some(Unusable::Used)
                }
            },
        };
        self.ask(client, approver, desk, unusable).await
    }

    /// What was said to a question that was asked before; nothing where no answer fits.
    fn said(
        &self,
        ticket: &Ticket,
        client: Option<&Client>,
        approver: Approver<'_>,
    ) -> Option<Action> {
        if ticket.phase == Phase::Given || matches!(approver, Approver::Caller(_)) {
            return Some(Action::Accept);
        }
        let given = client?.given()?.get(KEY)?;
        let question = question::form(&self.target, self.arguments.get());
        let reply = question.read(given).ok().flatten();
        action(reply)
    }

    async fn ask(
        self,
        client: Option<&Client>,
        approver: Approver<'_>,
        desk: Desk<'_>,
        unusable: Option<Unusable>,
    ) -> Result<Approval, ApprovalError> {
        let about = About::new(&self.principal, self.target.name(), self.arguments.get());
        let ticket = || {
            let ticket = about.seal(desk.seal, Phase::Asked);
            ticket.ok_or(ApprovalError::NoRandomness)
        };
        if let Approver::Caller(_) = approver {
            return Err(ApprovalError::Unconfirmed(Box::new(Unconfirmed {
                question: question::text(&self.target, self.arguments.get()),
                confirmation: ticket()?,
                unusable,
            })));
        }
        let can = |client: &&Client| client.capabilities.has(Capability::Elicitation);
        let client = client.filter(can).ok_or(ApprovalError::CannotAsk)?;
        let question = question::form(&self.target, self.arguments.get());
        match &client.asking {
            Asking::Retry { .. } | Asking::Task { .. } => {
                let asked = Asked {
                    questions: vec![(KEY.to_owned(), question)],
                    remembered: client.note(),
                    approval: Some(ticket()?),
                };
                Ok(Approval::Asked(Box::new(asked), unusable))
            }
            Asking::Live(waiting) => self.ask_live(client, waiting, &desk.clock).await,
            Asking::No => Err(ApprovalError::CannotAsk),
        }
    }

    /// Waits for the answer; the time of the tool has not begun.
    async fn ask_live(
        self,
        client: &Client,
        waiting: &Questions,
        clock: &Clock,
    ) -> Result<Approval, ApprovalError> {
        let question = question::form(&self.target, self.arguments.get());
        let asking = client.ask_live(&self.principal, waiting, vec![(KEY.to_owned(), question)]);
        let replies = tokio::select! {
            replies = asking => replies,
            () = clock.reached(clock.monotonic() + VALID) => {
                return Err(ApprovalError::NotGiven(NotGiven::Unanswered));
            }
        };
        let action = match replies {
            Ok(replies) => action(replies.only()),
            Err(ToolError::ClientCannot(_)) => return Err(ApprovalError::CannotAsk),
            Err(_) => None,
        };
        not_given(action.ok_or(ApprovalError::NotGiven(NotGiven::Unanswered))?)?;
        Ok(Approval::Given(self.approved(None)))
    }
}

fn action(reply: Option<Reply>) -> Option<Action> {
    match reply {
        Some(Reply::Form(form)) => Some(form.action),
        _ => None,
    }
}

fn not_given(action: Action) -> Result<(), ApprovalError> {
    match action {
        Action::Accept => Ok(()),
        Action::Decline => Err(ApprovalError::NotGiven(NotGiven::Declined)),
        Action::Cancel => Err(ApprovalError::NotGiven(NotGiven::Dismissed)),
    }
}
