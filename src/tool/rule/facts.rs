//! What conditions read: the caller and the arguments of one call, as CEL values.
//!
//! Texts are borrowed, so that a value costs its number of parts and not its bytes. It is weighed
//! before it is made: arguments too large for a rule are refused for the price of counting them.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::Value;

use crate::auth::Principal;
use crate::tool::Arguments;

/// How large something is to a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Values, with those inside.
    pub(super) values: u64,
    /// Bytes of texts and names.
    pub(super) bytes: u64,
}

impl Weight {
    fn plus(self, other: Self) -> Self {
        Self {
            values: self.values + other.values,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// The variables of a condition.
pub struct Facts<'a> {
    caller: Box<dyn Val + 'a>,
    args: Option<&'a Arguments>,
    made: std::sync::OnceLock<Box<dyn Val + 'a>>,
    weight: Weight,
}

impl<'a> Facts<'a> {
    /// What is known before the arguments are: the caller.
    pub fn of_caller(principal: &'a Principal) -> Self {
        let scopes = principal.scopes();
        let texts = [principal.tenant(), principal.subject()];
        let bytes = scopes.iter().map(|scope| scope.len()).sum::<usize>()
            + texts.iter().map(|text| text.len()).sum::<usize>();
        Self {
            caller: caller(principal),
            args: None,
            made: std::sync::OnceLock::new(),
            weight: Weight {
                values: scopes.len() as u64 + 4,
                bytes: bytes as u64,
            },
        }
    }

    /// The arguments as well.
    pub fn with_arguments(mut self, arguments: &'a Arguments) -> Self {
        self.weight = self.weight.plus(weigh_object(arguments));
        self.args = Some(arguments);
        self
    }

    pub(super) fn weight(&self) -> Weight {
        self.weight
    }
}

impl VariableResolver for Facts<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "caller" => Some(CowVal::Borrowed(&*self.caller)),
            "args" => {
                let args = self.args?;
                Some(CowVal::Borrowed(&**self.made.get_or_init(|| object(args))))
            }
            _ => None,
        }
    }
}

fn caller<'a>(principal: &'a Principal) -> Box<dyn Val + 'a> {
    let scopes = principal.scopes().iter();
    let scopes: Vec<Box<dyn Val + 'a>> = scopes.map(|scope| text(scope)).collect();
    let members: [(&str, Box<dyn Val + 'a>); 3] = [
        ("tenant", text(principal.tenant())),
        ("subject", text(principal.subject())),
        ("scopes", Box::new(CelList::from(scopes))),
    ];
    let members = members.map(|(name, value)| (key(name), value));
    Box::new(CelMap::from(HashMap::from(members)))
}

fn text<'a>(text: &'a str) -> Box<dyn Val + 'a> {
    Box::new(CelString::from(text))
}

fn key(name: &str) -> CelMapKey<'_> {
    CelMapKey::String(CelString::from(name))
}

fn object<'a>(object: &'a Arguments) -> Box<dyn Val + 'a> {
    let members = object
        .iter()
        .map(|(name, member)| (key(name), value(member)));
    Box::new(CelMap::from(members.collect::<HashMap<_, _>>()))
}

/// Whole numbers are `int`, or `uint` beyond its range; others `double`.
fn value<'a>(json: &'a Value) -> Box<dyn Val + 'a> {
    match json {
        Value::Null => Box::new(CelNull),
        Value::Bool(truth) => Box::new(CelBool::from(*truth)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(string) => text(string),
        Value::Array(items) => {
            let items: Vec<Box<dyn Val + 'a>> = items.iter().map(value).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(members) => object(members),
    }
}

fn weigh(json: &Value) -> Weight {
    let inside = match json {
        Value::String(text) => Weight {
            values: 0,
            bytes: text.len() as u64,
        },
        Value::Array(items) => items
            .iter()
            .map(weigh)
            .fold(Weight::default(), Weight::plus),
        Value::Object(members) => return weigh_object(members),
        Value::Null | Value::Bool(_) | Value::Number(_) => Weight::default(),
    };
    Weight {
        values: inside.values + 1,
        ..inside
    }
}

fn weigh_object(members: &Arguments) -> Weight {
    let start = Weight {
        values: 1,
        bytes: 0,
    };
    members.iter().fold(start, |sum, (name, member)| {
        let name = Weight {
            values: 1,
            bytes: name.len() as u64,
        };
        sum.plus(name).plus(weigh(member))
    })
}
