//! Runs an admitted call: its place at the target, its deadline, its panics, its answer.
//!
//! A room of its own, because it demands evidence from both the quota and the access rules. Cancellation is
//! by dropping the future: the deadline does it, and so does a transport whose client left.

mod gate;
mod places;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::time::timeout_at;
use uuid::Uuid;

use crate::access::AllowedArguments;
use crate::clock::deadline_in;
use crate::error::CallError;
use crate::quota::Admission;
use crate::tool::{CallContext, Target, TargetKind, ToolOutput};
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
    arguments: AllowedArguments,
    call_id: Uuid,
    places: &Places,
    trace: &Trace,
) -> Result<ToolOutput, CallError> {
    let target = admission.target();
    let principal = admission.permit().principal();
    let arguments = arguments
        .for_call(target, principal)
        .ok_or_else(|| CallError::Internal("arguments of another call".to_owned()))?;
    let timeout = target.policy().timeout;
    let deadline = deadline_in(timeout);
    let entering = places.enter(target, principal.tenant_key(), deadline);
    let _held = trace.if_it_waits("wait for a place", entering).await?;

    let mut span = span_of(target, trace);
    let context = CallContext::new(principal.clone(), call_id, deadline, timeout);
    let context = context.traced(span.trace().clone());
    // The deadline is inside, so that a panic while it drops the tool's future is caught as well.
    let work = AssertUnwindSafe(async {
        timeout_at(deadline.into(), target.handler().call(context, arguments)).await
    });
    let answer = match work.catch_unwind().await {
        Err(panic) => Err(CallError::Internal(panic_text(&*panic))),
        Ok(Err(_elapsed)) => Err(CallError::DeadlineExceeded),
        Ok(Ok(answer)) => answer.map_err(CallError::from),
    };
    if let Err(error) = &answer {
        span.fail(error.row().kind);
    }
    drop(span);
    let output = answer?;

    if let Some(schema) = target.output() {
        schema.check_answer(output.value()).map_err(|error| {
            CallError::Internal(format!(
                "the answer breaks the tool's output schema: {error}"
            ))
        })?;
    }
    Ok(output)
}

/// The time of the tool's own code (OpenTelemetry, "Execute tool span").
fn span_of(target: &Target, trace: &Trace) -> Span {
    let is_tool = matches!(target.kind(), TargetKind::Tool(_));
    let what = if is_tool {
        "execute_tool"
    } else {
        "read_resource"
    };
    let mut span = trace.child(Kind::Internal, || format!("{what} {}", target.name()));
    if is_tool && span.is_recorded() {
        span.set(attribute::OPERATION, what);
        span.set(attribute::TOOL, target.name().to_owned());
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
