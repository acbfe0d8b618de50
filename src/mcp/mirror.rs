//! Arguments that must stand in `Mcp-Param-*` headers as well (2026-07-28, streamable-http, "Server
//! Behavior for Custom Headers").
//!
//! What is between us and the client may decide by these headers, so they say what the body says, or
//! the call does not take place. That holds for a header without a value in the body, too: it would
//! have been believed. Only for whom may call the tool: what it asks of headers is told by its schema,
//! which others do not see either. A call of a tool without such arguments costs one look-up, and
//! nothing where no tool has any.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde_json::{Number, Value};

use super::envelope::{Envelope, Object};
use super::front::{Header, McpHeaders, agree, decoded};
use crate::access::permits;
use crate::auth::Principal;
use crate::error::ProtocolError;
use crate::tool::{Arguments, Catalog, Mirrored, Target, TargetKind};

/// Whole numbers to here, up and down, are the same to everybody (RFC 8259 §6).
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// The tools that have such arguments, by name.
pub(super) struct Mirrors {
    tools: HashMap<String, Arc<Target>, RandomState>,
}

impl Mirrors {
    pub(super) fn new(catalog: &Catalog) -> Self {
        let has_any = |target: &&Arc<Target>| {
            matches!(target.kind(), TargetKind::Tool(_)) && !target.mirrored().is_empty()
        };
        let tools = catalog.targets().iter().filter(has_any);
        Self {
            tools: tools
                .map(|target| (target.name().to_owned(), Arc::clone(target)))
                .collect(),
        }
    }

    /// Compares the arguments of a call with their headers.
    ///
    /// # Errors
    /// [`ProtocolError::HeaderMismatch`].
    pub(super) fn check(
        &self,
        envelope: &Envelope<'_>,
        principal: &Principal,
        headers: &McpHeaders<'_>,
    ) -> Result<(), ProtocolError> {
        if self.tools.is_empty() || envelope.method.as_str() != Some("tools/call") {
            return Ok(());
        }
        let name = envelope.params.name.as_str().unwrap_or_default();
        let Some(target) = self
            .tools
            .get(name)
            .filter(|target| permits(target, principal))
        else {
            return Ok(());
        };
        let none = Arguments::new();
        let arguments = match &envelope.params.arguments {
            Object::Is(arguments) => arguments,
            Object::Absent => &none,
            // The parameters are at fault, and will be told so.
            Object::Wrong => return Ok(()),
        };
        target.mirrored().iter().try_for_each(|mirrored| {
            compare(
                mirrored,
                mirrored.value(arguments),
                headers.parameter(&mirrored.header),
            )
        })
    }
}

fn compare(
    mirrored: &Mirrored,
    value: Option<&Value>,
    header: Header<'_>,
) -> Result<(), ProtocolError> {
    let name = &mirrored.shown;
    match value {
        None if header == Header::Absent => Ok(()),
        None => mismatch(name, "stands for an argument that is not there"),
        Some(Value::String(text)) => agree(name, header, text, true),
        Some(Value::Bool(flag)) => agree(name, header, if *flag { "true" } else { "false" }, true),
        Some(Value::Number(number)) => compare_number(name, number, header),
        // Off its schema, and told so there.
        Some(Value::Null | Value::Array(_) | Value::Object(_)) => Ok(()),
    }
}

/// Numbers are compared as such: `42.0` is 42. A fraction is off its schema, and told so there.
fn compare_number(name: &str, number: &Number, header: Header<'_>) -> Result<(), ProtocolError> {
    let Some(number) = number.as_f64().filter(|number| number.fract() == 0.0) else {
        return Ok(());
    };
    if number.abs() > MAX_INTEGER as f64 {
        return mismatch(
            name,
            "cannot stand for an integer beyond 2^53-1, which not everybody reads alike",
        );
    }
    let whole = |text: &str| {
        let text = match text.split_once('.') {
            Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => whole,
            Some(_) => return None,
            None => text,
        };
        text.parse::<i64>().ok().filter(|_| !text.starts_with('+'))
    };
    let known = match header {
        Header::Is(value) => decoded(value).and_then(|value| whole(&value)),
        // Told what is wrong with it.
        Header::Absent | Header::Wrong => return agree(name, header, "", true),
    };
    if known == Some(number as i64) {
        Ok(())
    } else {
        mismatch(name, "differs from the body")
    }
}

fn mismatch(name: &str, what: &str) -> Result<(), ProtocolError> {
    Err(ProtocolError::HeaderMismatch(format!("{name} {what}")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn is_equal(number: &Value, header: &str) -> bool {
        let Value::Number(number) = number else {
            panic!("a number")
        };
        compare_number("Mcp-Param-N", number, Header::Is(header)).is_ok()
    }

    #[test]
    fn integers_are_compared_as_numbers_and_never_rounded() {
        for (number, header) in [
            (json!(42), "42"),
            (json!(42), "42.0"),
            (json!(42.0), "42"),
            (json!(-7), "-7"),
            (json!(-7), "-7.000"),
            (json!(0), "-0"),
            (json!(-0.0), "0"),
            (json!(42), "=?base64?NDI=?="),
            (json!(9_007_199_254_740_991_i64), "9007199254740991"),
        ] {
            assert!(is_equal(&number, header), "{number} {header}");
        }
        for (number, header) in [
            (json!(42), "43"),
            (json!(42), "+42"),
            (json!(42), "42."),
            (json!(42), ".42"),
            (json!(42), "42.00000000000000000001"),
            (json!(42), "4.2e1"),
            (json!(42), "0x2a"),
            (json!(42), "4 2"),
            (json!(42), ""),
            (json!(42), "true"),
            (json!(9_007_199_254_740_991_i64), "9007199254740992"),
            (json!(9_007_199_254_740_992_i64), "9007199254740992"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!(1e300), "1"),
        ] {
            assert!(!is_equal(&number, header), "{number} {header}");
        }
    }

    proptest! {
        #[test]
        fn a_number_equals_its_own_decimal_form_and_no_other(one in -MAX_INTEGER..=MAX_INTEGER, other in any::<i64>()) {
            prop_assert!(is_equal(&json!(one), &one.to_string()));
            prop_assert_eq!(is_equal(&json!(one), &other.to_string()), one == other);
        }

        #[test]
        fn no_header_makes_it_panic(header in ".{0,40}", number in any::<f64>()) {
            if let Some(number) = Number::from_f64(number) {
                let _ = compare_number("Mcp-Param-N", &number, Header::Is(&header));
            }
        }
    }
}
