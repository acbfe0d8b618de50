//! Runs an admitted call: its place at the target, its deadline, its panics, its answer.
//!
//! A room of its own, because it demands evidence from the quota, the access rules and approvals. Cancellation is
//! by dropping the future: the deadline does it, and so does a transport whose client left.

mod gate;
mod places;

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt;
use uuid::Uuid;

use crate::approval::ApprovedArguments;
use crate::clock::{deadline_in, in_time};
use crate::error::CallError;
use crate::quota::Admission;
use crate::tool::{
    CallContext, Client, Suggestions, Target, TargetKind, ToolError, ToolOutput, Typing,
};
use crate::trace::{Kind, Span, Trace, attribute};
pub use places::{Places, PlacesState};

/// Runs the admitted tool. The call's time begins here, and a wait for a place is part of it.
///
/// # Errors
/// [`CallError::TooManyAtOnce`] when the tool's places are taken, [`CallError::TooManyOfTenant`]
/// when those of the caller's tenant are, [`CallError::DeadlineExceeded`]
/// when its time is up, [`CallError::Internal`] when it panics or answers off its own schema, and
/// whatever the tool itself says.
pub async fn run(
    admission: Admission,
    arguments: ApprovedArguments,
    scene: Scene<'_>,
) -> Result<ToolOutput, CallError> {
    let target = admission.target();
    let (arguments, approval) = arguments
        .for_call(target, admission.permit().principal())
        .ok_or_else(|| CallError::Internal("arguments of another call".to_owned()))?;
    let work = |context| target.handler().call(context, arguments);
    let output = match play(&admission, scene, work).await? {
        Err(ToolError::Asks(asked)) => return Ok(ToolOutput::asks(asked.approved(approval))),
        answer => answer.map_err(CallError::from)?,
    };
    if let Some(schema) = target.output() {
        let off = |error: &dyn std::fmt::Display| {
            CallError::Internal(format!(
                "the answer breaks the tool's output schema: {error}"
            ))
        };
        let value = output.structured().ok_or_else(|| off(&"no value"))?;
        schema.check_answer(value).map_err(|error| off(&error))?;
    }
    Ok(output)
}

/// Suggests values for an argument of the admitted target, within the bounds of its calls.
///
/// # Errors
/// Those of [`run`]; [`CallError::InvalidArguments`] when it has no such argument.
pub async fn suggest(
    admission: Admission,
    typing: Typing,
    scene: Scene<'_>,
) -> Result<Suggestions, CallError> {
    let target = admission.target();
    let unknown = || ToolError::InvalidArguments("there is no such argument".to_owned());
    let work = async |context| {
        let suggested = target.suggest(context, typing).await;
        suggested.unwrap_or_else(|| Err(unknown()))
    };
    play(&admission, scene, work)
        .await?
        .map_err(CallError::from)
}

/// What a call runs in.
pub struct Scene<'a> {
    /// The call's id.
    pub call_id: Uuid,
    /// How many run at once.
    pub places: &'a Places,
    /// The call's trace.
    pub trace: &'a Trace,
    /// What its client can do.
    pub client: Option<Arc<Client>>,
}

/// Runs code of a target's author: at a place, in its time, with its panics caught. The outer error is
/// ours, the inner one the code's own.
async fn play<T, Fut>(
    admission: &Admission,
    scene: Scene<'_>,
    work: impl FnOnce(CallContext) -> Fut,
) -> Result<Result<T, ToolError>, CallError>
where
    Fut: Future<Output = Result<T, ToolError>>,
{
    let (target, principal) = (admission.target(), admission.permit().principal());
    let timeout = target.policy().timeout;
    let deadline = deadline_in(timeout);
    let places = scene.places;
    let entering = pin!(places.enter(target, principal.tenant_key(), deadline));
    let waiting = scene.trace.if_it_waits("wait for a place", entering);
    let _held = waiting.await?;

    let mut span = span_of(target, scene.trace);
    let context = CallContext::new(principal.clone(), scene.call_id, deadline, timeout)
        .traced(span.trace().clone())
        .of_client(scene.client);
    // The deadline is inside, so that a panic while it drops the tool's future is caught as well.
    let work = AssertUnwindSafe(async {
        let work = pin!(async {
            if target.goes_on_at_once() {
                context.continue_as_task().await;
            }
            work(context).await
        });
        in_time(|| deadline, work).await
    });
    let answer = match work.catch_unwind().await {
        Err(panic) => Err(CallError::Internal(panic_text(&*panic))),
        Ok(None) => Err(CallError::DeadlineExceeded),
        Ok(Some(answer)) => Ok(answer),
    };
    match &answer {
        Err(error) => span.fail(error.row().kind),
        Ok(Err(ToolError::Asks(_)) | Ok(_)) => {}
        Ok(Err(error)) => span.fail(error.kind()),
    }
    answer
}

/// The time of the tool's own code (OpenTelemetry, "Execute tool span").
fn span_of(target: &Target, trace: &Trace) -> Span {
    let is_tool = matches!(target.kind(), TargetKind::Tool(_));
    let what = match target.kind() {
        TargetKind::Tool(_) => "execute_tool",
        TargetKind::Resource(..) => "read_resource",
        TargetKind::Prompt(_) => "get_prompt",
    };
    let name = target.known_as();
    let mut span = trace.child(Kind::Internal, || [what, " ", name].concat());
    if is_tool && span.is_recorded() {
        span.set(attribute::OPERATION, what);
        span.set(attribute::TOOL, Arc::clone(name));
    }
    span
}

/// A text from the program itself is told. One that was put together at run time may quote an
/// argument or a row, and the record goes to other machines; the panic hook has told it here.
fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&'static str>();
    format!(
        "the tool panicked: {}",
        text.unwrap_or(&"(its message may quote the call; standard error has it)")
    )
}
