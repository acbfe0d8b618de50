//! What a listener asks to hear (2026-07-28, basic/patterns/subscriptions, "Notification Filter").
//!
//! Prompts and single resources are read over: nothing of theirs ever changes here, so they are
//! left out of what is acknowledged, as the revision has it.

use serde::de::MapAccess;

use super::lenient::{Member, next_key, once, unread, value};
use crate::json::Keys;

/// The member `notifications` of `subscriptions/listen`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Filter {
    #[default]
    Absent,
    Is(Wanted),
    Wrong,
}

/// The notifications that are asked for and that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tools: bool,
    pub(crate) resources: bool,
}

/// A member that should be true or false.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Flag {
    #[default]
    No,
    Yes,
    Wrong,
}

impl Member<'_> for Flag {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn flag(is: bool) -> Option<Self> {
        Some(if is { Self::Yes } else { Self::No })
    }
}

impl<'de> Member<'de> for Filter {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let (mut tools, mut resources, mut prompts) = (Flag::No, Flag::No, Flag::No);
        let (mut seen, mut others) = (0, Keys::default());
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "toolsListChanged" => {
                    once(&mut seen, 1)?;
                    tools = value(&mut map)?;
                }
                "resourcesListChanged" => {
                    once(&mut seen, 2)?;
                    resources = value(&mut map)?;
                }
                "promptsListChanged" => {
                    once(&mut seen, 4)?;
                    prompts = value(&mut map)?;
                }
                _ => unread(&mut map, &mut others, key)?,
            }
        }
        if [tools, resources, prompts].contains(&Flag::Wrong) {
            return Ok(Self::Wrong);
        }
        Ok(Self::Is(Wanted {
            tools: tools == Flag::Yes,
            resources: resources == Flag::Yes,
        }))
    }
}
