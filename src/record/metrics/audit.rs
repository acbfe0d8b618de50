//! How it stands with the audit log.

use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::super::names;
use super::gauges::{Observe, of_state};
use crate::audit::AuditState;

pub(super) fn register(meter: &Meter, observe: &Observe) {
    meter
        .u64_observable_gauge(names::AUDIT_UP)
        .with_description("1 while the audit log can be written, else 0")
        .with_callback(of_log(observe, |audit| u64::from(audit.is_healthy)))
        .build();
    meter
        .u64_observable_gauge(names::AUDIT_QUEUED)
        .with_description("Lines that wait to be written to the audit log")
        .with_callback(of_log(observe, |audit| audit.queued))
        .build();
    meter
        .f64_observable_gauge(names::AUDIT_LAG)
        .with_unit("s")
        .with_description("How long the oldest line waits to be written to the audit log")
        .with_callback(of_log(observe, |audit| audit.lag.as_secs_f64()))
        .build();
    meter
        .u64_observable_gauge(names::AUDIT_SEQUENCE)
        .with_description("Sequence number of the last line of the audit log")
        .with_callback(of_log(observe, |audit| audit.sequence))
        .build();
    meter
        .u64_observable_counter(names::AUDIT_LINES)
        .with_description("Lines written to the audit log")
        .with_callback(of_log(observe, |audit| audit.written))
        .build();
    meter
        .u64_observable_counter(names::AUDIT_DROPPED)
        .with_description("Lines of the audit log that there was no room for")
        .with_callback(of_log(observe, |audit| audit.dropped))
        .build();
    meter
        .u64_observable_counter(names::AUDIT_SYNCS)
        .with_description("How often the audit log was synced to disk")
        .with_callback(of_log(observe, |audit| audit.syncs))
        .build();
    meter
        .f64_observable_counter(names::AUDIT_SYNCING)
        .with_unit("s")
        .with_description("How long syncing the audit log took, in all")
        .with_callback(of_log(observe, |audit| audit.syncing.as_secs_f64()))
        .build();
}

/// A number of the log, where there is one.
fn of_log<T: 'static>(
    observe: &Observe,
    number: fn(&AuditState) -> T,
) -> impl Fn(&dyn AsyncInstrument<T>) + Send + Sync + 'static {
    of_state(observe, move |state, instrument| {
        if let Some(audit) = &state.audit {
            instrument.observe(number(audit), &[]);
        }
    })
}
