//! The template of a path: literal text, and names in braces, at most one in a segment.
//!
//! Whatever stands for a name stays within its segment. Percent-encoding alone does not see to that:
//! many servers and proxies decode `%2F` before they resolve `..` (and some twice, or cut at `;` or `?`), so
//! a value that would climb after any of that is refused, and so are control characters.

use super::request::RequestError;

/// How often a value may be encoded.
const LAYERS: usize = 4;

/// A part of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it is.
    Literal(String),
    /// What stands for this name.
    Name(String),
}

/// Splits a template into its pieces.
pub(super) fn parse(template: &str) -> Result<Vec<Piece>, RequestError> {
    let Some(path) = template.strip_prefix('/') else {
        return Err(RequestError::Path("must start with `/`"));
    };
    let mut pieces = Vec::new();
    let segments: Vec<&str> = path.split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        if matches!(*segment, "." | "..") || (segment.is_empty() && !is_last) {
            return Err(RequestError::Path(
                "has an empty segment, or one that is `.` or `..`",
            ));
        }
        pieces.push(Piece::Literal("/".to_owned()));
        let (before, name, after) = match segment.split_once('{') {
            None => (*segment, None, ""),
            Some((before, rest)) => {
                let (name, after) = rest
                    .split_once('}')
                    .ok_or(RequestError::Path("has a `{` without its `}`"))?;
                (before, Some(name), after)
            }
        };
        for literal in [before, after] {
            if literal.contains(['{', '}']) {
                return Err(RequestError::Path(
                    "has more than one name in a segment, or a stray brace",
                ));
            }
            if !literal.bytes().all(is_literal) {
                let message = "holds a character that cannot stand in a path as it is: letters, digits and -._~!$&'()*+,;=:@ can";
                return Err(RequestError::Path(message));
            }
        }
        pieces.push(Piece::Literal(before.to_owned()));
        pieces.extend(name.map(|name| Piece::Name(name.to_owned())));
        pieces.push(Piece::Literal(after.to_owned()));
    }
    Ok(pieces)
}

/// Whether a value may stand for a name in a path.
pub(super) fn may_be_segment(value: &str) -> bool {
    !value.is_empty() && !value.chars().any(char::is_control) && !climbs(value)
}

/// Adds `text` to `target`, everything but unreserved characters (RFC 3986 §2.3) encoded.
pub(super) fn encode(text: &str, target: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            target.push(char::from(byte));
        } else {
            target.push('%');
            target.push(char::from(DIGITS[usize::from(byte >> 4)]));
            target.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// A character of a segment (RFC 3986 §3.3), other than an encoded one.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

/// Whether the value, decoded once or more often, has a part that is `.` or `..`. One that is encoded
/// over and over counts as such.
fn climbs(value: &str) -> bool {
    let mut text = value.as_bytes().to_vec();
    for _ in 0..LAYERS {
        let mut parts = text.split(|byte| matches!(byte, b'/' | b'\\'));
        let is_dots = |part: &[u8]| {
            let end = |byte: &u8| matches!(byte, b';' | b'?' | b'#');
            let name = part.split(end).next().unwrap_or(part);
            matches!(name.trim_ascii(), b"." | b"..")
        };
        if parts.any(is_dots) || text.iter().any(u8::is_ascii_control) {
            return true;
        }
        let decoded = decode(&text);
        if decoded.len() == text.len() {
            return false;
        }
        text = decoded;
    }
    true
}

/// Undoes one layer of percent-encoding.
fn decode(text: &[u8]) -> Vec<u8> {
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let (mut decoded, mut rest) = (Vec::with_capacity(text.len()), text);
    while let [first, tail @ ..] = rest {
        let encoded = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match encoded {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::Url;

    use super::*;

    #[test]
    fn a_template_has_one_name_a_segment_and_plain_text() {
        let text = |text: &str| Piece::Literal(text.to_owned());
        let name = Piece::Name("id".to_owned());
        assert_eq!(
            parse("/a/v{id}:cancel").unwrap(),
            [
                text("/"),
                text("a"),
                text(""),
                text("/"),
                text("v"),
                name,
                text(":cancel")
            ]
        );
        assert!(parse("/").is_ok() && parse("/a/").is_ok());
        for bad in [
            "", "a", "//a", "/a//b", "/../a", "/.", "/{a}{b}", "/{a", "/a}", "/a?b", "/a#b",
            "/a%2fb", "/a b", "/é", "/{{a}}",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_would_climb_out_of_its_segment_for_anybody_is_refused() {
        for value in [
            "",
            ".",
            "..",
            "../admin",
            "a/../b",
            "..\\admin",
            "..%2fadmin",
            "%2e%2e",
            "%2E%2e/x",
            "%252e%252e%252fx",
            "..;/admin",
            "..;a=b",
            "..?a=b",
            "a/..#b",
            "..%3f",
            "a/..",
            "a\0b",
            "a%00b",
            "a\nb",
            "a\r\nHost: b",
            "\u{85}",
            "%25252525252525252e",
            " .. ",
        ] {
            assert!(!may_be_segment(value), "{value:?}");
        }
        for value in [
            "c-42",
            "...",
            "a..b",
            "group/project",
            "50%",
            "100%25",
            "?x=1",
            "#top",
            "日本語",
            "a b",
            "..a",
        ] {
            assert!(may_be_segment(value), "{value:?}");
        }
    }

    #[test]
    fn a_long_value_costs_little() {
        for part in ["%25", "%", "/", "a", "25"] {
            let _ = may_be_segment(&format!("%{}", part.repeat(1 << 17)));
        }
    }

    proptest! {
        #[test]
        fn an_encoded_value_is_one_segment_and_comes_back(value in "(?s).{0,40}|[./%\\\\;?#2ef]{0,12}") {
            prop_assume!(may_be_segment(&value));
            let mut text = "https://crm.example.com/a/".to_owned();
            encode(&value, &mut text);
            text.push_str("/b?c=");
            encode(&value, &mut text);
            let url = Url::parse(&text).unwrap();
            prop_assert_eq!(url.as_str(), &text);
            let segments: Vec<&str> = url.path_segments().unwrap().collect();
            prop_assert_eq!((segments.len(), segments[0], segments[2]), (3, "a", "b"));
            prop_assert_eq!(decode(segments[1].as_bytes()), value.as_bytes());
            let pairs: Vec<_> = url.query_pairs().collect();
            prop_assert_eq!((pairs.len(), pairs[0].1.as_ref()), (1, value.as_str()));
            prop_assert_eq!(url.fragment(), None);
        }
    }
}
