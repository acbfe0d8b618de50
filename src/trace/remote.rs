//! The trace context that a caller sends (W3C Trace Context).
//!
//! Parsed by our own hand: OpenTelemetry's propagator takes ids and flags of any length, and allocates
//! for each caller that sends none of use. Baggage is not read: nothing here needs it, and passing on
//! what a caller wrote is how a caller reaches systems that it may not reach.

use std::str::FromStr;

use opentelemetry::trace::{Link, SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Longest `tracestate` that is read, in bytes; what every system should pass on (§3.3.1.5).
const MAX_STATE_BYTES: usize = 512;
/// Longest `traceparent` that is looked at: later versions may add to the 55 bytes of this one.
const MAX_PARENT_BYTES: usize = 128;

/// A span of the caller's.
#[derive(Clone, Debug)]
pub struct Remote(SpanContext);

impl Remote {
    /// Reads `traceparent` (§3.2.2) and `tracestate` (§3.3). `None` for what is not one; a bad
    /// `tracestate` is left out.
    pub fn parse(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let bytes = traceparent.as_bytes();
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if bytes.len() < 55 || bytes.len() > MAX_PARENT_BYTES {
            return None;
        }
        let are_fields = bytes[..55].iter().enumerate().all(|(at, byte)| match at {
            2 | 35 | 52 => *byte == b'-',
            _ => is_hex(byte),
        });
        let ends_well = match &bytes[..2] {
            b"ff" => false,
            b"00" => bytes.len() == 55,
            // Of a later version: more may follow, after another dash.
            _ => bytes.len() == 55 || bytes[55] == b'-',
        };
        if !are_fields || !ends_well {
            return None;
        }
        let flags = u8::from_str_radix(&traceparent[53..55], 16).ok()?;
        let state = tracestate.and_then(members);
        let state = state.and_then(|state| TraceState::from_str(&state).ok());
        let context = SpanContext::new(
            TraceId::from_hex(&traceparent[3..35]).ok()?,
            SpanId::from_hex(&traceparent[36..52]).ok()?,
            TraceFlags::new(flags) & TraceFlags::SAMPLED,
            true,
            state.unwrap_or_default(),
        );
        context.is_valid().then_some(Self(context))
    }

    /// Whether the caller records its side.
    pub(crate) fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    pub(super) fn context(&self) -> &SpanContext {
        &self.0
    }

    pub(super) fn link(&self) -> Link {
        Link::with_context(self.0.clone())
    }
}

/// The members of a list that is one, without those that are empty, which may stand in it (§3.3.1). Exact, since it
/// goes into headers of our own requests: one that fits into none would make them fail, and callers must not be
/// able to.
fn members(text: &str) -> Option<String> {
    let is_key =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(&byte);
    let is_value = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'=';
    let is_member = |member: &&str| {
        member.split_once('=').is_some_and(|(key, value)| {
            !key.is_empty()
                && key.bytes().all(is_key)
                && !value.is_empty()
                && value.bytes().all(is_value)
        })
    };
    if text.len() > MAX_STATE_BYTES {
        return None;
    }
    let members = text
        .split(',')
        .map(|member| member.trim_matches([' ', '\t']));
    let members: Vec<&str> = members.filter(|member| !member.is_empty()).collect();
    let is_list = !members.is_empty() && members.iter().all(is_member);
    is_list.then(|| members.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_four_fields_of_their_length() {
        let read = Remote::parse(GOOD, Some("vendor=1")).unwrap();
        assert!(read.is_sampled());
        assert_eq!(read.context().trace_state().get("vendor"), Some("1"));
        let later = GOOD.replacen("00", "cc", 1);
        for good in [
            later.clone(),
            format!("{later}-what-else"),
            GOOD.replace("-01", "-ff"),
        ] {
            assert!(Remote::parse(&good, None).is_some(), "{good}");
        }
        for bad in [
            String::new(),
            GOOD.to_uppercase(),
            GOOD.replacen("00", "ff", 1),
            format!("{GOOD}-more"),
            format!("{later}more"),
            GOOD.replace('-', "_"),
            GOOD.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            GOOD.replace("b7ad6b7169203331", &"0".repeat(16)),
            GOOD[..54].to_owned(),
            format!("00-+{}", &GOOD[4..]),
            format!("00-é{}", &GOOD[5..]),
            format!("{later}-{}", "x".repeat(128)),
        ] {
            assert!(Remote::parse(&bad, None).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_tracestate_that_is_none_or_too_long_is_left_out() {
        let good = Remote::parse(GOOD, Some("a=1, b@c=x y")).unwrap();
        assert_eq!(good.context().trace_state().get("b@c"), Some("x y"));
        let gaps = Remote::parse(GOOD, Some("a=1,, b=2 ,")).unwrap();
        assert_eq!(gaps.context().trace_state().header(), "a=1,b=2");
        let long = format!("vendor={}", "x".repeat(512));
        for bad in [
            "",
            "=",
            "a",
            "a=",
            "A=1",
            ",",
            "a=1,,b",
            "a=1\r\nx: y",
            "a=é",
            &long,
        ] {
            let read = Remote::parse(GOOD, Some(bad)).unwrap();
            assert_eq!(read.context().trace_state().header(), "", "{bad}");
        }
    }
}
