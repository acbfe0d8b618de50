//! What a listener asks to hear (2026-07-28, basic/patterns/subscriptions, "Notification Filter").

use std::borrow::Cow;

use serde::de::{MapAccess, SeqAccess};

use super::Text;
use super::lenient::{Lenient, Member, next_key, once, unread, value};
use crate::json::Keys;

/// The member `notifications` of `subscriptions/listen`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Filter {
    #[default]
    Absent,
    Is(Wanted),
    Wrong,
}

/// The notifications that are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) tools: bool,
    pub(crate) resources: bool,
    pub(crate) prompts: bool,
    /// URIs of single resources.
    pub(crate) uris: Vec<String>,
    /// Handles of tasks.
    pub(crate) tasks: Vec<String>,
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

/// A member that should be a list of texts.
enum Texts {
    Are(Vec<String>),
    Wrong,
}

impl<'de> Member<'de> for Texts {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn list<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        let (mut texts, mut wrong) = (Vec::new(), false);
        while let Some(Lenient(text)) = seq.next_element::<Lenient<Text<'de>>>()? {
            match text {
                Text::Is(text) => texts.push(Cow::into_owned(text)),
                Text::Absent | Text::Wrong => wrong = true,
            }
        }
        Ok(if wrong { Self::Wrong } else { Self::Are(texts) })
    }
}

impl<'de> Member<'de> for Filter {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let (mut tools, mut resources, mut prompts) = (Flag::No, Flag::No, Flag::No);
        let (mut uris, mut tasks) = (Texts::Are(Vec::new()), Texts::Are(Vec::new()));
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
                "resourceSubscriptions" => {
                    once(&mut seen, 8)?;
                    uris = value(&mut map)?;
                }
                "taskIds" => {
                    once(&mut seen, 16)?;
                    tasks = value(&mut map)?;
                }
                _ => unread(&mut map, &mut others, key)?,
            }
        }
        let (Texts::Are(uris), Texts::Are(task_ids)) = (uris, tasks) else {
            return Ok(Self::Wrong);
        };
        if [tools, resources, prompts].contains(&Flag::Wrong) {
            return Ok(Self::Wrong);
        }
        Ok(Self::Is(Wanted {
            tools: tools == Flag::Yes,
            resources: resources == Flag::Yes,
            prompts: prompts == Flag::Yes,
            uris,
            tasks: task_ids,
        }))
    }
}
