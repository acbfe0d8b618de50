//! Reading JSON members whatever their type, and noting those of a wrong one.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{Key, Keys, Skipped};

/// Fails on a member that stands twice.
pub(super) fn once<E: de::Error>(seen: &mut u16, member: u16) -> Result<(), E> {
    if *seen & member != 0 {
        return Err(E::custom("a member stands twice"));
    }
    *seen |= member;
    Ok(())
}

/// A string, or an integer (MCP 2026-07-28, basic/index, "Requests"); `text` is valid JSON.
pub(super) fn is_id(text: &str) -> bool {
    text.starts_with('"')
        || text
            .strip_prefix('-')
            .unwrap_or(text)
            .bytes()
            .all(|b| b.is_ascii_digit())
}

/// Something read leniently: what a JSON value of another type than the wanted one becomes.
pub(super) trait Member<'de>: Sized {
    /// What a value of another type becomes; `None` fails the message.
    fn wrong() -> Option<Self> {
        None
    }

    /// What a string becomes.
    fn text(_: Cow<'de, str>) -> Option<Self> {
        Self::wrong()
    }

    /// What `true` or `false` becomes.
    fn flag(_: bool) -> Option<Self> {
        Self::wrong()
    }

    /// What a list becomes.
    fn list<A: SeqAccess<'de>>(mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Skipped>()?.is_some() {}
        Self::wrong().ok_or_else(another_type)
    }

    /// What an object becomes.
    fn object<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        skip(map)?;
        Self::wrong().ok_or_else(another_type)
    }
}

pub(super) fn skip<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    let mut keys = Keys::default();
    while let Some(key) = next_key(&mut map)? {
        unread(&mut map, &mut keys, key)?;
    }
    Ok(())
}

/// Passes over the member `key`, which nobody reads.
pub(super) fn unread<'de, A: MapAccess<'de>>(
    map: &mut A,
    others: &mut Keys<'de>,
    key: Cow<'de, str>,
) -> Result<(), A::Error> {
    others.once(key)?;
    map.next_value::<Skipped>().map(|Skipped| ())
}

pub(super) fn value<'de, T: Member<'de>, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value::<Lenient<T>>().map(|Lenient(value)| value)
}

pub(super) fn next_key<'de, A: MapAccess<'de>>(
    map: &mut A,
) -> Result<Option<Cow<'de, str>>, A::Error> {
    Ok(map.next_key()?.map(|Key(key)| key))
}

pub(super) fn id<'de, A: MapAccess<'de>>(map: &mut A) -> Result<&'de str, A::Error> {
    let id = map.next_value::<&RawValue>()?.get();
    if is_id(id) {
        Ok(id)
    } else {
        Err(de::Error::custom("an id is a string or an integer"))
    }
}

/// An id, or nothing where another value stands.
pub(super) fn id_if_any<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Option<&'de str>, A::Error> {
    let text = map.next_value::<&RawValue>()?.get();
    Ok(is_id(text).then_some(text))
}

pub(super) struct Lenient<T>(pub(super) T);

impl<'de, T: Member<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_any(LenientVisitor(PhantomData))
            .map(Self)
    }
}

struct LenientVisitor<T>(PhantomData<T>);

impl<T> LenientVisitor<T> {
    fn wrong<'de, E: de::Error>(self) -> Result<T, E>
    where
        T: Member<'de>,
    {
        T::wrong().ok_or_else(another_type)
    }
}

fn another_type<E: de::Error>() -> E {
    E::custom("a value of another type was expected")
}

/// Values that nobody here wants.
macro_rules! are_wrong {
    ($($visit:ident: $value:ty),*) => {
        $(fn $visit<E: de::Error>(self, _: $value) -> Result<Self::Value, E> {
            self.wrong()
        })*

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            self.wrong()
        }
    };
}

impl<'de, T: Member<'de>> Visitor<'de> for LenientVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    are_wrong!(visit_i64: i64, visit_u64: u64, visit_f64: f64);

    fn visit_bool<E: de::Error>(self, is: bool) -> Result<T, E> {
        T::flag(is).map_or_else(|| self.wrong(), Ok)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<T, A::Error> {
        T::list(seq)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<T, E> {
        T::text(Cow::Borrowed(text)).map_or_else(|| self.wrong(), Ok)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        T::text(Cow::Owned(text.to_owned())).map_or_else(|| self.wrong(), Ok)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::object(map)
    }
}

/// An object whose members are read into where it stands: the large ones would be moved several times
/// on their way up.
pub(super) trait Members<'de> {
    /// Notes a value of another type; `false` fails the message.
    fn is_wrong(&mut self) -> bool {
        false
    }

    /// Reads the members.
    fn read<A: MapAccess<'de>>(&mut self, map: A) -> Result<(), A::Error>;
}

/// Reads the next value into `members`.
pub(super) fn members<'de, T: Members<'de>, A: MapAccess<'de>>(
    map: &mut A,
    members: &mut T,
) -> Result<(), A::Error> {
    map.next_value_seed(Filling(members))
}

pub(super) struct Filling<'a, T>(pub(super) &'a mut T);

impl<'de, T: Members<'de>> DeserializeSeed<'de> for Filling<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<T> Filling<'_, T> {
    fn wrong<'de, E: de::Error>(self) -> Result<(), E>
    where
        T: Members<'de>,
    {
        self.0.is_wrong().then_some(()).ok_or_else(another_type)
    }
}

impl<'de, T: Members<'de>> Visitor<'de> for Filling<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    are_wrong!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<Skipped>()?.is_some() {}
        self.wrong()
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.read(map)
    }
}
