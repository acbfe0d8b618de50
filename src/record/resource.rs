//! Who tells: the resource that everything sent to a collector carries.
//!
//! What the operator says in `OTEL_RESOURCE_ATTRIBUTES` goes first; the SDK reads it, and leaves values
//! percent-encoded, which OpenTelemetry has them be there. A reader would ask for the instance: replicas
//! of one name send series of their own, which a collector would mix up.

use std::sync::LazyLock;

use opentelemetry::{Key, KeyValue, Value};
use opentelemetry_sdk::Resource;
use percent_encoding::percent_decode_str;

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
    let unsaid = unsaid.map(|(name, value)| KeyValue::new(name, value));
    let named = said.iter().filter(|(name, _)| !name.as_str().is_empty());
    let named = named.map(|(name, value)| KeyValue::new(name.clone(), decoded(value)));
    Resource::builder_empty()
        .with_attributes(unsaid.chain(named))
        .with_service_name(service.to_owned())
        .build()
}

/// A text as it is meant; one that is no UTF-8 then stays as it is.
fn decoded(value: &Value) -> Value {
    let Value::String(text) = value else {
        return value.clone();
    };
    let meant = percent_decode_str(text.as_str()).decode_utf8();
    meant.map_or_else(|_| value.clone(), |meant| Value::from(meant.into_owned()))
}
