//! The numbers of ended calls: a histogram and a counter for each way that calls of a target end.
//!
//! Which series there are is known only as calls come, so each is bound at its first call and found
//! by a lookup in a lock-free map after that.

use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::RandomState;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, BoundHistogram, Counter, Histogram, Meter};
use papaya::HashMap;

use super::super::{CallRecord, Surface, names};
use super::tenants::{TenantLabel, Tenants};
use crate::error::{Outcome, Row};

/// The conventions' boundaries, in seconds, and finer ones below: most calls take less than 10 ms.
const BOUNDARIES: [f64; 18] = [
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0,
];

/// What counts as a call: the methods that run something of a target's.
const CALLS: [&str; 4] = [
    "tools/call",
    "resources/read",
    "prompts/get",
    "completion/complete",
];

pub(super) struct Series {
    bound: HashMap<Key, Bound, RandomState>,
    duration: Histogram<f64>,
    calls: Counter<u64>,
    tenants: Option<Tenants>,
}

/// What tells series apart. The outcome follows from the reason.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    method: &'static str,
    target: Option<u32>,
    surface: Surface,
    reason: &'static str,
    /// Where tenants are told apart.
    tenant: Option<u32>,
}

struct Bound {
    duration: BoundHistogram<f64>,
    /// Where the request is a call of something, and not a list or a handshake.
    calls: Option<BoundCounter<u64>>,
}

impl Series {
    pub(super) fn new(meter: &Meter, tenants: Option<&TenantLabel>) -> Self {
        Self {
            tenants: tenants.map(Tenants::new),
            bound: HashMap::with_hasher(RandomState::default()),
            duration: meter
                .f64_histogram(names::DURATION)
                .with_unit("s")
                .with_description("How long requests of identified callers took")
                .with_boundaries(BOUNDARIES.to_vec())
                .build(),
            calls: meter
                .u64_counter(names::CALLS)
                .with_description("Calls of tools, resources and prompts by identified callers")
                .build(),
        }
    }

    pub(super) fn add(
        &self,
        record: &CallRecord,
        took: Duration,
        outcome: Outcome,
        error: Option<Row>,
    ) {
        let key = Key {
            method: names::method(record.method).unwrap_or(names::OTHER),
            target: record.target.as_ref().map(|target| target.number()),
            surface: record.surface,
            reason: match (error, outcome) {
                (Some(row), _) => row.kind,
                (None, Outcome::Ok) => "none",
                (None, outcome) => outcome.as_str(),
            },
            tenant: self.tenant(record, outcome),
        };
        let bound = self.bound.pin();
        let bound = match bound.get(&key) {
            Some(bound) => bound,
            None => bound.get_or_insert_with(key, || self.bind(&key, record, outcome)),
        };
        bound.duration.record(took.as_secs_f64());
        if let Some(calls) = &bound.calls {
            calls.add(1);
        }
    }

    /// A list or a handshake gives nobody a label: everybody may have those.
    fn tenant(&self, record: &CallRecord, outcome: Outcome) -> Option<u32> {
        let (tenants, caller) = (self.tenants.as_ref()?, record.principal.as_ref()?);
        let is_served = outcome == Outcome::Ok && record.target.is_some();
        Some(tenants.number(caller.tenant(), is_served))
    }

    fn bind(&self, key: &Key, record: &CallRecord, outcome: Outcome) -> Bound {
        let surface = KeyValue::new(names::SURFACE, key.surface.name());
        let mut labels = vec![KeyValue::new(names::METHOD, key.method), surface.clone()];
        if let Some((label, name)) = record.named_target() {
            labels.push(KeyValue::new(label, Arc::clone(name)));
        }
        if record.is_tool() {
            labels.push(KeyValue::new(names::OPERATION, "execute_tool"));
        }
        let tenant = key.tenant.map(|number| {
            let name = record
                .principal
                .as_ref()
                .map_or("", |caller| caller.tenant());
            KeyValue::new(names::TENANT, Tenants::label(name, number).to_owned())
        });
        labels.extend(tenant.clone());
        if outcome != Outcome::Ok {
            labels.push(KeyValue::new(names::ERROR_TYPE, key.reason));
        }
        let is_call = CALLS.contains(&key.method);
        let target = record.target.as_ref().map(|target| target.name());
        let calls = is_call.then(|| {
            let mut labels = vec![
                KeyValue::new(names::TARGET, target.unwrap_or(names::OTHER).to_owned()),
                KeyValue::new(names::OUTCOME, outcome.as_str()),
                KeyValue::new(names::REASON, key.reason),
                surface,
            ];
            labels.extend(tenant);
            self.calls.bind(&labels)
        });
        Bound {
            duration: self.duration.bind(&labels),
            calls,
        }
    }
}
