//! What a `completion/complete` asks: for what, and what is typed so far.
//!
//! Read from the whole message again, which every other method need not carry members for. By hand,
//! since what derives its reading takes a list for an object whose members it names in their order.

use serde_json::{Map, Value};

use crate::tool::{TargetRef, Typing};

/// Whose argument is typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reference {
    Prompt(String),
    /// A URI template, or a URI.
    Resource(String),
}

impl Reference {
    pub(super) fn target(&self) -> TargetRef<'_> {
        match self {
            Self::Prompt(name) => TargetRef::Prompt(name),
            Self::Resource(uri) => TargetRef::Template(uri),
        }
    }

    fn of(reference: &Value) -> Option<Self> {
        let member = |name| text(reference, name);
        match reference.get("type")?.as_str()? {
            "ref/prompt" => member("name").map(Self::Prompt),
            "ref/resource" => member("uri").map(Self::Resource),
            _ => None,
        }
    }
}

/// `None` where the message does not say both.
pub(super) fn read(message: &[u8]) -> Option<(Reference, Typing)> {
    let message: Value = serde_json::from_slice(message).ok()?;
    let params = message.get("params")?;
    let argument = params.get("argument")?;
    let others = match params.get("context") {
        None => Map::new(),
        Some(context) => match context.as_object()?.get("arguments") {
            None => Map::new(),
            Some(arguments) => arguments.as_object()?.clone(),
        },
    };
    let typing = Typing {
        argument: text(argument, "name")?,
        value: text(argument, "value")?,
        others,
    };
    Some((Reference::of(params.get("ref")?)?, typing))
}

fn text(object: &Value, member: &str) -> Option<String> {
    object.get(member)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_params(params: &Value) -> Option<(Reference, Typing)> {
        read(json!({ "params": params }).to_string().as_bytes())
    }

    /// A value of a type that stands nowhere but in `context`.
    fn misfit() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            proptest::collection::vec(".{0,4}", 0..4).prop_map(Value::from),
        ]
    }

    proptest! {
        #[test]
        fn what_is_well_formed_is_read_as_it_stands(
            of_prompt: bool, target in ".*", name in ".*", value in ".*",
            others in proptest::option::of(proptest::collection::btree_map(".{0,5}", ".{0,5}", 0..4)),
        ) {
            let (reference, expected) = if of_prompt {
                (json!({"type": "ref/prompt", "name": target}), Reference::Prompt(target))
            } else {
                (json!({"type": "ref/resource", "uri": target}), Reference::Resource(target))
            };
            let mut params = json!({"ref": reference, "argument": {"name": name, "value": value}, "more": [1]});
            if let Some(others) = &others {
                params["context"] = json!({"arguments": others});
            }
            let (reference, typing) = read_params(&params).expect("well formed");
            prop_assert_eq!(reference, expected);
            prop_assert_eq!((typing.argument, typing.value), (name, value));
            prop_assert_eq!(json!(typing.others), json!(others.unwrap_or_default()));
        }

        #[test]
        fn a_member_of_another_type_anywhere_is_none(at in 0_usize..8, misfit in misfit()) {
            let mut params = json!({
                "ref": {"type": "ref/prompt", "name": "p"},
                "argument": {"name": "a", "value": "v"},
                "context": {"arguments": {"b": "w"}},
            });
            let place = ["", "/ref", "/ref/type", "/ref/name", "/argument", "/argument/name", "/argument/value",
                "/context"][at];
            *params.pointer_mut(place).expect("there") = misfit.clone();
            prop_assert!(read_params(&params).is_none(), "{} {}", place, misfit);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            read(&bytes);
        }
    }

    #[test]
    fn a_list_is_not_taken_for_an_object() {
        let (reference, argument) = (
            json!({"type": "ref/prompt", "name": "p"}),
            json!({"name": "a", "value": "v"}),
        );
        for params in [
            json!([reference, argument]),
            json!({"ref": ["ref/prompt", "p"], "argument": argument}),
            json!({"ref": reference, "argument": ["a", "v"]}),
            json!({"ref": reference, "argument": argument, "context": [{}]}),
            json!({"ref": reference, "argument": argument, "context": {"arguments": [["a", "v"]]}}),
        ] {
            assert!(read_params(&params).is_none(), "{params}");
        }
    }
}
