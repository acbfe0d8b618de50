//! A progress token: a string or an integer of the client's, given back as it was sent.

use serde::de::MapAccess;
use serde_json::value::RawValue;

use super::lenient::is_id;

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
        Ok(if is_id(text) {
            Self::Is(text)
        } else {
            Self::Wrong
        })
    }
}
