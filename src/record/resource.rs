//! Who tells: the resource that everything sent to a collector carries.
//!
//! What the operator says in `OTEL_RESOURCE_ATTRIBUTES` goes first; the SDK reads it. A reader would
//! ask for the instance: replicas of one name send series of their own, which a collector would mix up.

use std::sync::LazyLock;

use opentelemetry::{Key, KeyValue};
use opentelemetry_sdk::Resource;

use super::call_id_at;
use crate::clock::Clock;

const INSTANCE: &str = "service.instance.id";
const VERSION: &str = "service.version";

/// Of this process, as long as it lives.
static INSTANCE_ID: LazyLock<String> =
    LazyLock::new(|| call_id_at(Clock::system().unix()).to_string());

/// The resource of `service`.
pub(super) fn of(service: &str) -> Resource {
    let said = Resource::builder().build();
    let ours = [
        (INSTANCE, INSTANCE_ID.as_str()),
        (VERSION, env!("CARGO_PKG_VERSION")),
    ];
    let unsaid = ours
        .into_iter()
        .filter(|(name, _)| said.get(&Key::from_static_str(name)).is_none());
    Resource::builder()
        .with_attributes(unsaid.map(|(name, value)| KeyValue::new(name, value)))
        .with_service_name(service.to_owned())
        .build()
}
