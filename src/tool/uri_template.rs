//! URI templates, RFC 6570 level 1: `customers://{customer_id}`.
//!
//! Matching is the reverse of simple expansion (RFC 6570 §3.2.2): a variable stands for one or
//! more unreserved or percent-encoded characters, so it never runs over a `/`. Each variable ends
//! at the first place where the literal after it begins; there is no backtracking, so matching is
//! linear in the URI (CVE-2026-0621 was a template compiled to a regular expression).

use std::borrow::Cow;

use serde_json::Value;

use super::Arguments;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriTemplate {
    text: String,
    /// The literal before each variable, with the variable's name.
    parts: Vec<(String, String)>,
    /// The literal after the last variable; the whole URI when there is none.
    tail: String,
}

/// Why a text is not a template we take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UriTemplateError {
    /// No scheme (RFC 3986 §3.1) before the first variable.
    #[error("must start with a scheme, such as `customers://`")]
    NoScheme,
    /// A brace without its partner.
    #[error("an opening or closing brace has no partner")]
    Brace,
    /// Not a level 1 expression, or a name that cannot be a parameter.
    #[error(
        "`{{{0}}}` is not a simple variable: letters, digits and `_`, no operators (RFC 6570 level 1)"
    )]
    Variable(String),
    /// The same variable twice.
    #[error("`{{{0}}}` stands twice")]
    Twice(String),
    /// Two variables with nothing between them.
    #[error("`{{{0}}}` follows another variable without text between them")]
    Adjacent(String),
    /// A character that no URI holds.
    #[error("holds a character that a URI cannot hold")]
    Character,
}

impl UriTemplate {
    /// Parses a template. A URI without variables is one, too.
    ///
    /// # Errors
    /// [`UriTemplateError`] for anything beyond level 1.
    ///
    /// ```
    /// use tollgate::tool::UriTemplate;
    ///
    /// let template = UriTemplate::parse("customers://{customer_id}")?;
    /// let found = template.matches("customers://c%2D42").expect("a match");
    /// assert_eq!(found["customer_id"], "c-42");
    /// assert!(template.matches("customers://c-42/orders").is_none());
    /// # Ok::<(), tollgate::tool::UriTemplateError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, UriTemplateError> {
        let mut parts: Vec<(String, String)> = Vec::new();
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or(UriTemplateError::Brace)?;
            if !is_variable(name) {
                return Err(UriTemplateError::Variable(name.to_owned()));
            }
            if parts.iter().any(|(_, known)| known == name) {
                return Err(UriTemplateError::Twice(name.to_owned()));
            }
            if literal.is_empty() && !parts.is_empty() {
                return Err(UriTemplateError::Adjacent(name.to_owned()));
            }
            parts.push((check_literal(literal)?, name.to_owned()));
            rest = after;
        }
        let tail = check_literal(rest)?;
        let head = parts.first().map_or(&tail, |(literal, _)| literal);
        if !starts_with_scheme(head) {
            return Err(UriTemplateError::NoScheme);
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
            tail,
        })
    }

    /// The template's text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(_, name)| name.as_str())
    }

    /// Whether the template is a plain URI.
    pub fn is_static(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether some URI may be an expansion of both, as far as their segments and how they begin and end tell:
    /// never `false` where one is.
    pub fn may_meet(&self, other: &Self) -> bool {
        let head = |template: &Self| match template.parts.first() {
            Some((literal, _)) => literal.clone(),
            None => template.tail.clone(),
        };
        let (one, two) = (head(self), head(other));
        let begin_alike = one.starts_with(&two) || two.starts_with(&one);
        let (one, two) = (&self.tail, &other.tail);
        let end_alike = one.ends_with(two.as_str()) || two.ends_with(one.as_str());
        // No variable runs over a `/`.
        let slashes = |template: &Self| template.text.matches('/').count();
        begin_alike && end_alike && slashes(self) == slashes(other)
    }

    /// The variables' values, percent-decoded, if `uri` is an expansion of this template.
    pub fn matches(&self, uri: &str) -> Option<Arguments> {
        let mut found = Arguments::new();
        let uri = plain(uri);
        let mut rest = &*uri;
        for (index, (literal, name)) in self.parts.iter().enumerate() {
            rest = rest.strip_prefix(literal.as_str())?;
            let next = self
                .parts
                .get(index + 1)
                .map_or(&self.tail, |(literal, _)| literal);
            let end = if next.is_empty() {
                rest.len()
            } else if index + 1 == self.parts.len() {
                // The tail ends the URI; looking from the end keeps `{name}.json` unambiguous.
                rest.len().checked_sub(next.len())?
            } else {
                rest.find(next.as_str())?
            };
            let (value, after) = rest.split_at_checked(end)?;
            found.insert(name.clone(), Value::String(decode(value)?));
            rest = after;
        }
        (rest == self.tail).then_some(found)
    }
}

/// The URI with every unreserved character as itself: encoded it means the same (RFC 3986 §6.2.2.2),
/// so it must not lead round a resource to a template with another policy. A URI with a broken escape
/// stays as it is.
pub(super) fn plain(uri: &str) -> Cow<'_, str> {
    let mut plain = String::new();
    let mut rest = uri;
    while let Some((before, after)) = rest.split_once('%') {
        let byte = match after.as_bytes() {
            [high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        let Some((high, low)) = byte else {
            return Cow::Borrowed(uri);
        };
        let (escape, behind) = after.split_at(2);
        plain.push_str(before);
        match high << 4 | low {
            byte if is_unreserved(byte) => plain.push(char::from(byte)),
            _ => {
                plain.push('%');
                plain.push_str(escape);
            }
        }
        rest = behind;
    }
    if plain.is_empty() {
        return Cow::Borrowed(uri);
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// Percent-decodes one or more unreserved characters (RFC 3986 §2.3); `None` for any other
/// character, a broken escape, or bytes that are not UTF-8.
fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    loop {
        rest = match rest {
            [] => break,
            [b'%', high, low, after @ ..] => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                after
            }
            [byte, after @ ..] if is_unreserved(*byte) => {
                bytes.push(*byte);
                after
            }
            _ => return None,
        };
    }
    if bytes.is_empty() {
        return None;
    }
    String::from_utf8(bytes).ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn starts_with_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    })
}

fn check_literal(text: &str) -> Result<String, UriTemplateError> {
    if text.contains('}') {
        return Err(UriTemplateError::Brace);
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&b);
    if !text.bytes().all(allowed) {
        return Err(UriTemplateError::Character);
    }
    Ok(plain(text).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> UriTemplate {
        UriTemplate::parse(text).expect("a good template")
    }

    #[test]
    fn variables_take_unreserved_and_encoded_characters_only() {
        let template = parse("shop://{tenant_name}/orders/{id}.json");
        let found = template
            .matches("shop://a-b/orders/o%20%C3%A9.json")
            .expect("a match");
        assert_eq!(found["tenant_name"], "a-b");
        assert_eq!(found["id"], "o é");
        for miss in [
            "shop:///orders/1.json",
            "shop://a/b/orders/1.json",
            "shop://a/orders/1.jsonx",
            "shop://a/orders/%zz.json",
            "shop://a/orders/%ff.json",
            "shop://a/orders/1%2.json",
            "SHOP://a/orders/1.json",
            "shop://a/orders/.json",
        ] {
            assert_eq!(template.matches(miss), None, "{miss}");
        }
    }

    #[test]
    fn templates_beyond_level_1_are_refused() {
        for bad in [
            "x://{+a}",
            "x://{a,b}",
            "x://{a*}",
            "x://{}",
            "x://{a",
            "x://a}",
            "{a}",
            "nope",
            "x://{a}{b}",
            "x://{a}/{a}",
            "x://\u{e9}",
        ] {
            assert!(UriTemplate::parse(bad).is_err(), "{bad}");
        }
    }

    /// Simple expansion (RFC 6570 §3.2.2): everything but unreserved characters is encoded.
    fn expand(value: &str) -> String {
        value
            .bytes()
            .map(|b| match b {
                b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
                b => format!("%{b:02X}"),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn what_was_expanded_is_matched_back(a in ".{1,20}", b in ".{1,20}") {
            let uri = format!("x://{}/y/{}", expand(&a), expand(&b));
            let found = parse("x://{a}/y/{b}").matches(&uri).expect("a match");
            prop_assert_eq!(found["a"].as_str(), Some(a.as_str()));
            prop_assert_eq!(found["b"].as_str(), Some(b.as_str()));
        }

        #[test]
        fn no_text_makes_parsing_or_matching_panic(template in ".*", uri in ".*") {
            if let Ok(template) = UriTemplate::parse(&template) {
                let _ = template.matches(&uri);
            }
            let _ = parse("x://{a}-{b}.json").matches(&uri);
        }
    }
}
