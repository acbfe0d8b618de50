//! A progress token: a string or an integer of the client's, given back as it was sent.

use serde::de::MapAccess;
use serde_json::value::RawValue;

use super::lenient::is_id;

/// The longest text of a client's that may be given back with each of many messages, in bytes: a long
/// one would be a small request with a giant answer.
pub(in crate::mcp) const MAX_ECHOED_BYTES: usize = 1 << 10;

/// The member `progressToken`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    #[default]
    Absent,
    /// As JSON.
    Is(&'a str),
    Wrong,
}

impl<'de> Token<'de> {
    pub(super) fn read<A: MapAccess<'de>>(map: &mut A) -> Result<Self, A::Error> {
        let text = map.next_value::<&RawValue>()?.get();
        Ok(if is_id(text) && text.len() <= MAX_ECHOED_BYTES {
            Self::Is(text)
        } else {
            Self::Wrong
        })
    }
}
