//! JSON as we accept it: every object key once.
//!
//! `serde_json` keeps the last of two equal keys. Two readers that keep different ones see two
//! different requests (CVE-2026-27896), so whatever an outsider sends is read through here and a
//! doubled key is an error. Depth is bounded by `serde_json` itself, at 128.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

/// A JSON value none of whose objects holds a key twice.
pub(crate) struct Strict(pub(crate) Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

/// A JSON object none of whose keys, at any depth, stands twice.
pub(crate) struct StrictObject(pub(crate) Map<String, Value>);

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(StrictVisitor)? {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(de::Error::custom("expected an object")),
        }
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let Entry::Vacant(room) = object.entry(key) else {
                return Err(de::Error::custom("an object holds the same key twice"));
            };
            let Strict(value) = map.next_value()?;
            room.insert(value);
        }
        Ok(Value::Object(object))
    }
}

/// The key of an object's member, borrowed where it holds no escapes.
pub(crate) struct Key<'de>(pub(crate) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

/// Keys of one object that were met so far.
#[derive(Default)]
pub(crate) struct Keys<'de> {
    few: Vec<Cow<'de, str>>,
    /// Used from [`FEW`](Self::FEW) on, so that a wide object costs no comparison of all with all.
    many: Option<HashSet<Cow<'de, str>>>,
}

impl<'de> Keys<'de> {
    const FEW: usize = 16;

    /// Fails when `key` was there before.
    pub(crate) fn once<E: de::Error>(&mut self, key: Cow<'de, str>) -> Result<(), E> {
        let is_new = if self.few.contains(&key) {
            false
        } else if self.few.len() < Self::FEW {
            self.few.push(key);
            true
        } else {
            self.many.get_or_insert_default().insert(key)
        };
        let fault = || E::custom("an object holds the same key twice");
        is_new.then_some(()).ok_or_else(fault)
    }
}

/// A value that nobody reads. Its objects hold each key once all the same: another reader of the
/// same text may look at them.
pub(crate) struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SkippedVisitor)
    }
}

struct SkippedVisitor;

impl<'de> Visitor<'de> for SkippedVisitor {
    type Value = Skipped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_str<E>(self, _: &str) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_unit<E>(self) -> Result<Skipped, E> {
        Ok(Skipped)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Skipped, A::Error> {
        while seq.next_element::<Skipped>()?.is_some() {}
        Ok(Skipped)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Skipped, A::Error> {
        let mut keys = Keys::default();
        while let Some(Key(key)) = map.next_key()? {
            keys.once(key)?;
            map.next_value::<Skipped>()?;
        }
        Ok(Skipped)
    }
}

/// Writes an object in the one form that equal objects share: members sorted, no white space.
pub(crate) fn canonical_object(members: &Map<String, Value>, out: &mut Vec<u8>) {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(name, _)| *name);
    out.push(b'{');
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        // Into memory: this does not fail.
        let _ = serde_json::to_writer(&mut *out, name);
        out.push(b':');
        canonical(value, out);
    }
    out.push(b'}');
}

fn canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(members) => canonical_object(members, out),
        Value::Array(entries) => {
            out.push(b'[');
            for (at, entry) in entries.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                canonical(entry, out);
            }
            out.push(b']');
        }
        other => drop(serde_json::to_writer(out, other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_stands_twice_is_refused_at_any_depth() {
        for text in [r#"{"a":1,"a":1}"#, r#"[{"x":{"a":1,"\u0061":2}}]"#] {
            assert!(serde_json::from_str::<Strict>(text).is_err(), "{text}");
            assert!(serde_json::from_str::<Skipped>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_doubled_key_is_found_among_many() {
        let member = |key: usize| format!("\"k{key}\":1");
        for doubled in [0, 15, 16, 99] {
            let all = (0..100).chain([doubled]).map(member).collect::<Vec<_>>();
            let text = |count| format!("{{{}}}", all[..count].join(","));
            assert!(serde_json::from_str::<Skipped>(&text(100)).is_ok());
            assert!(
                serde_json::from_str::<Skipped>(&text(101)).is_err(),
                "{doubled}"
            );
        }
    }

    #[test]
    fn everything_else_reads_as_serde_json_reads_it() {
        for text in [
            r#"{"a":[1,-2,3.5,true,null,"é\n"],"A":{}}"#,
            "18446744073709551615",
            "\"\"",
        ] {
            let Strict(strict) = serde_json::from_str(text).expect("valid");
            assert_eq!(strict, serde_json::from_str::<Value>(text).expect("valid"));
            assert!(serde_json::from_str::<Skipped>(text).is_ok());
        }
    }

    #[test]
    fn a_depth_bomb_is_an_error_not_a_stack_overflow() {
        let bomb = "[".repeat(100_000);
        assert!(serde_json::from_str::<Strict>(&bomb).is_err());
        assert!(serde_json::from_str::<Skipped>(&bomb).is_err());
    }
}
