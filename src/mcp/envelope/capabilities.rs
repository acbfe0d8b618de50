//! What a client says that it can do (2026-07-28, basic/index, "Client Capabilities").
//!
//! Only what makes a difference here is kept. A member of a wrong type is one that is not there.

use serde::de::MapAccess;

use super::Shape;
use super::lenient::{Member, next_key, once, unread, value};
use crate::json::Keys;
use crate::mcp::tasks::TASKS;
use crate::tool::{Capabilities, Capability};

/// The capabilities of a client, in `_meta` or in `initialize`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Declared {
    #[default]
    Absent,
    Is(Capabilities),
    Wrong,
}

impl Declared {
    pub(crate) fn get(self) -> Capabilities {
        match self {
            Self::Is(capabilities) => capabilities,
            Self::Absent | Self::Wrong => Capabilities::default(),
        }
    }
}

impl<'de> Member<'de> for Declared {
    fn wrong() -> Option<Self> {
        Some(Self::Wrong)
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let (mut elicitation, mut sampling, mut roots) =
            (Elicitation::default(), Shape::Absent, Shape::Absent);
        let mut extensions = Extensions::default();
        let (mut seen, mut others) = (0, Keys::default());
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "elicitation" => {
                    once(&mut seen, 1)?;
                    elicitation = value(&mut map)?;
                }
                "sampling" => {
                    once(&mut seen, 2)?;
                    sampling = value(&mut map)?;
                }
                "roots" => {
                    once(&mut seen, 4)?;
                    roots = value(&mut map)?;
                }
                "extensions" => {
                    once(&mut seen, 8)?;
                    extensions = value(&mut map)?;
                }
                _ => unread(&mut map, &mut others, key)?,
            }
        }
        let all = [
            (elicitation.form, Capability::Elicitation),
            (elicitation.url, Capability::ElicitationUrl),
            (sampling == Shape::Object, Capability::Sampling),
            (roots == Shape::Object, Capability::Roots),
            (extensions.tasks, Capability::Tasks),
        ];
        let can = all
            .into_iter()
            .filter_map(|(can, what)| can.then_some(what));
        Ok(Self::Is(Capabilities::of(can)))
    }
}

/// The extensions of the protocol that a client knows (2026-07-28, extensions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Extensions {
    tasks: bool,
}

impl<'de> Member<'de> for Extensions {
    fn wrong() -> Option<Self> {
        Some(Self::default())
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let mut tasks = Shape::Absent;
        let (mut seen, mut others) = (0, Keys::default());
        while let Some(key) = next_key(&mut map)? {
            if &*key == TASKS {
                once(&mut seen, 1)?;
                tasks = value(&mut map)?;
            } else {
                unread(&mut map, &mut others, key)?;
            }
        }
        Ok(Self {
            tasks: tasks == Shape::Object,
        })
    }
}

/// The modes of elicitation; an empty object means forms (2025-11-25, client/elicitation).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Elicitation {
    form: bool,
    url: bool,
}

impl<'de> Member<'de> for Elicitation {
    fn wrong() -> Option<Self> {
        Some(Self::default())
    }

    fn object<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        let (mut form, mut url) = (Shape::Absent, Shape::Absent);
        let (mut seen, mut others) = (0, Keys::default());
        while let Some(key) = next_key(&mut map)? {
            match &*key {
                "form" => {
                    once(&mut seen, 1)?;
                    form = value(&mut map)?;
                }
                "url" => {
                    once(&mut seen, 2)?;
                    url = value(&mut map)?;
                }
                _ => unread(&mut map, &mut others, key)?,
            }
        }
        Ok(Self {
            form: form == Shape::Object || url == Shape::Absent,
            url: url == Shape::Object,
        })
    }
}
