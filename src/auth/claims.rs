//! Reading claims out of a payload whose signature is already known to be good.
//!
//! A claim of the wrong type refuses the token; it never falls back to "none given". That is the
//! difference between a token without scopes and a token whose `scopes: null` skips every check.

use serde_json::{Map, Value};

use super::AuthError;
use super::principal::Principal;

/// Which claims hold the identity. Defaults: `sub`, `tenant`, and the first present of `scope`,
/// `scopes`, `scp`.
#[derive(Clone, Debug)]
pub struct ClaimNames {
    /// The claim with the subject, a string.
    pub subject: String,
    /// The claim with the tenant, a string.
    pub tenant: String,
    /// Claims that may hold the scopes, in order; the first one present counts. Each is a
    /// space-separated string (RFC 8693 §4.2) or an array of strings.
    pub scopes: Vec<String>,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".to_owned(),
            tenant: "tenant".to_owned(),
            scopes: ["scope", "scopes", "scp"].map(str::to_owned).to_vec(),
        }
    }
}

pub(super) type Claims = Map<String, Value>;

impl ClaimNames {
    /// Makes the principal the claims describe.
    pub(super) fn principal(&self, claims: &Claims) -> Result<Principal, AuthError> {
        let subject = text(
            claims,
            &self.subject,
            "the subject claim is missing or no string",
        )?;
        let tenant = text(
            claims,
            &self.tenant,
            "the tenant claim is missing or no string",
        )?;
        let scopes = self.scopes(claims)?;
        Principal::new(tenant, subject, scopes).map_err(|_| AuthError::Invalid {
            cause: "subject, tenant or scopes are empty, too long or hold forbidden characters",
        })
    }

    /// Every scopes claim there is must be well-formed, also one that an earlier claim overrides.
    fn scopes<'c>(&self, claims: &'c Claims) -> Result<Vec<&'c str>, AuthError> {
        let present = self.scopes.iter().filter_map(|name| claims.get(name));
        let mut lists = present.map(scope_list).collect::<Result<Vec<_>, _>>()?;
        Ok(if lists.is_empty() {
            Vec::new()
        } else {
            lists.swap_remove(0)
        })
    }
}

fn scope_list(claim: &Value) -> Result<Vec<&str>, AuthError> {
    let list = match claim {
        Value::String(list) => Some(list.split(' ').filter(|scope| !scope.is_empty()).collect()),
        Value::Array(list) => list.iter().map(Value::as_str).collect(),
        _ => None,
    };
    list.ok_or(AuthError::Invalid {
        cause: "a scopes claim is neither a string nor an array of strings",
    })
}

fn text<'c>(claims: &'c Claims, name: &str, cause: &'static str) -> Result<&'c str, AuthError> {
    claims
        .get(name)
        .and_then(Value::as_str)
        .ok_or(AuthError::Invalid { cause })
}

/// RFC 7519 §4.1.3: `aud` is one string or an array of strings; one of them must name us.
pub(super) fn audience_matches(claims: &Claims, ours: &[String]) -> bool {
    let names_us = |value: &Value| {
        value
            .as_str()
            .is_some_and(|aud| ours.iter().any(|our| same_audience(aud, our)))
    };
    match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().all(Value::is_string) && list.iter().any(names_us),
        Some(one) => names_us(one),
        None => false,
    }
}

/// Equal texts, or the same origin with and without its root slash: `https://h` is `https://h/`
/// (RFC 3986 §6.2.3), but `https://h/a` is not `https://h/a/`.
fn same_audience(left: &str, right: &str) -> bool {
    left == right
        || [(left, right), (right, left)].iter().any(|(short, long)| {
            long.strip_suffix('/') == Some(short)
                && short
                    .split_once("://")
                    .is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'))
        })
}

/// A NumericDate (RFC 7519 §2) in whole seconds: a JSON number, not negative. Absent is `None`.
pub(super) fn numeric_date(claims: &Claims, name: &str) -> Result<Option<u64>, AuthError> {
    let wrong = AuthError::Invalid {
        cause: "exp, nbf and iat must be numbers of seconds since 1970",
    };
    match claims.get(name) {
        None => Ok(None),
        Some(value) => match (value.as_u64(), value.as_f64()) {
            (Some(whole), _) => Ok(Some(whole)),
            // Saturates; a date past the end of u64 is as far away as one can say.
            (None, Some(part)) if part >= 0.0 => Ok(Some(part as u64)),
            _ => Err(wrong),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        value.as_object().expect("an object").clone()
    }

    #[test]
    fn scopes_come_in_three_shapes() {
        for shape in [
            json!({"scope": "a b"}),
            json!({"scopes": ["a", "b"]}),
            json!({"scp": ["a", "b"]}),
        ] {
            let mut all = claims(json!({"sub": "s", "tenant": "t"}));
            all.extend(claims(shape.clone()));
            let principal = ClaimNames::default().principal(&all).expect("good");
            assert!(
                principal.has_scope("a") && principal.has_scope("b"),
                "{shape}"
            );
        }
    }

    #[test]
    fn a_scopes_claim_of_another_type_refuses_the_token() {
        let both = claims(json!({"sub": "s", "tenant": "t", "scope": "a", "scopes": null}));
        assert!(ClaimNames::default().principal(&both).is_err());
        for scopes in [
            json!(null),
            json!({"a": true}),
            json!(7),
            json!(["a", 1]),
            json!([null]),
        ] {
            let all = claims(json!({"sub": "s", "tenant": "t", "scopes": scopes}));
            assert!(ClaimNames::default().principal(&all).is_err(), "{scopes}");
        }
    }

    #[test]
    fn a_missing_or_null_tenant_is_never_a_default_tenant() {
        for all in [
            json!({"sub": "s"}),
            json!({"sub": "s", "tenant": null}),
            json!({"tenant": "t"}),
        ] {
            assert!(ClaimNames::default().principal(&claims(all)).is_err());
        }
    }

    #[test]
    fn an_audience_matches_exactly_but_for_the_root_slash() {
        let ours = ["https://h/".to_owned(), "https://h/mcp".to_owned()];
        for good in [
            json!("https://h"),
            json!(["x", "https://h/mcp"]),
            json!("https://h/"),
        ] {
            assert!(
                audience_matches(&claims(json!({ "aud": good })), &ours),
                "{good}"
            );
        }
        for bad in [
            json!("https://h/mcp/"),
            json!("https://H"),
            json!([]),
            json!(null),
            json!([1, "https://h"]),
        ] {
            assert!(
                !audience_matches(&claims(json!({ "aud": bad })), &ours),
                "{bad}"
            );
        }
        assert!(!audience_matches(&claims(json!({})), &ours));
    }

    #[test]
    fn dates_are_numbers_not_texts() {
        let all = claims(json!({"a": 5, "b": 5.9, "c": "5", "d": -1, "e": null, "f": 1e300}));
        assert_eq!(numeric_date(&all, "a").ok(), Some(Some(5)));
        assert_eq!(numeric_date(&all, "b").ok(), Some(Some(5)));
        assert_eq!(numeric_date(&all, "f").ok(), Some(Some(u64::MAX)));
        for bad in ["c", "d", "e"] {
            assert!(numeric_date(&all, bad).is_err(), "{bad}");
        }
    }
}
