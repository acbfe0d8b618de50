//! An entry as the body of a line, byte by byte.
//!
//! Every call pays for this, so the names of members stand here as they stand in a line, and a text that
//! needs no escape is copied as it is. A reader would ask why serde does not do it: it gives the same text,
//! which a test holds, in several times the time, since it writes each quote and comma on its own.

use std::borrow::Cow;

use serde::Serialize;
use uuid::Uuid;

use super::{Arguments, Bucket, Entry, Kind, Stages};

/// A member's name with what stands around it.
macro_rules! name {
    ($name:literal) => {
        concat!(",\"", $name, "\":").as_bytes()
    };
}

impl Entry<'_> {
    /// Appends it to `line`: a JSON object, without a newline.
    pub fn compose(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(match self.kind {
            Kind::Begun => b"{\"kind\":\"begun\"",
            _ => b"{\"kind\":\"call\"",
        });
        text(line, name!("time"), &self.time);
        id(line, name!("callId"), self.call_id);
        text(line, name!("surface"), &self.surface);
        text(line, name!("method"), &self.method);
        text_if(line, name!("target"), self.target.as_deref());
        text_if(line, name!("asked"), self.asked.as_deref());
        text_if(line, name!("tenant"), self.tenant.as_deref());
        text_if(line, name!("subject"), self.subject.as_deref());
        texts(line, name!("scopes"), &self.scopes);
        text_if(line, name!("address"), self.address.as_deref());
        if let Some(task) = self.task {
            id(line, name!("task"), task);
        }
        if let Some(arguments) = &self.arguments {
            arguments.compose(line);
        }
        text_if(line, name!("outcome"), self.outcome.as_deref());
        text_if(line, name!("error"), self.error.as_deref());
        text_if(line, name!("cause"), self.cause.as_deref());
        texts(line, name!("missing"), &self.missing);
        texts(line, name!("missingAnyOf"), &self.missing_any_of);
        value_if(line, name!("rule"), self.rule.as_ref());
        value_if(line, name!("approval"), self.approval.as_ref());
        buckets(line, &self.quota);
        number_if(line, name!("retryAfterMs"), self.retry_after_ms);
        if self.uncounted {
            line.extend_from_slice(b",\"uncounted\":true");
        }
        texts(line, name!("wouldDeny"), &self.would_deny);
        self.stages.compose(line);
        number_if(line, name!("durationUs"), self.duration_us);
        number_if(line, name!("generation"), self.generation);
        text_if(line, name!("trace"), self.trace.as_deref());
        line.push(b'}');
    }
}

impl Arguments<'_> {
    fn compose(&self, line: &mut Vec<u8>) {
        let Self {
            digest,
            values,
            redacted,
        } = self;
        line.extend_from_slice(b",\"arguments\":{\"digest\":");
        quoted(line, digest);
        if let Some(values) = values {
            line.extend_from_slice(name!("values"));
            line.extend_from_slice(values.get().as_bytes());
        }
        texts(line, name!("redacted"), redacted);
        line.push(b'}');
    }
}

impl Stages {
    fn compose(&self, line: &mut Vec<u8>) {
        let mut before: &[u8] = b",\"stages\":{\"";
        for (name, micros) in self.in_order() {
            if let Some(micros) = micros {
                line.extend_from_slice(before);
                line.extend_from_slice(name.as_bytes());
                line.extend_from_slice(b"\":");
                number(line, micros);
                before = b",\"";
            }
        }
        if !self.is_empty() {
            line.push(b'}');
        }
    }
}

fn buckets(line: &mut Vec<u8>, buckets: &[Bucket<'_>]) {
    if buckets.is_empty() {
        return;
    }
    line.extend_from_slice(b",\"quota\":[");
    for (at, bucket) in buckets.iter().enumerate() {
        let Bucket {
            limit,
            remaining,
            reset_ms,
        } = bucket;
        let opens: &[u8] = if at == 0 { b"{" } else { b",{" };
        line.extend_from_slice(opens);
        line.extend_from_slice(b"\"limit\":");
        quoted(line, limit);
        line.extend_from_slice(name!("remaining"));
        number(line, (*remaining).into());
        line.extend_from_slice(name!("resetMs"));
        number(line, *reset_ms);
        line.push(b'}');
    }
    line.push(b']');
}

fn text(line: &mut Vec<u8>, name: &[u8], text: &str) {
    line.extend_from_slice(name);
    quoted(line, text);
}

fn text_if(line: &mut Vec<u8>, name: &[u8], value: Option<&str>) {
    if let Some(value) = value {
        text(line, name, value);
    }
}

fn texts(line: &mut Vec<u8>, name: &[u8], texts: &[Cow<'_, str>]) {
    if texts.is_empty() {
        return;
    }
    line.extend_from_slice(name);
    for (at, text) in texts.iter().enumerate() {
        line.push(if at == 0 { b'[' } else { b',' });
        quoted(line, text);
    }
    line.push(b']');
}

fn number_if(line: &mut Vec<u8>, name: &[u8], value: Option<u64>) {
    if let Some(value) = value {
        line.extend_from_slice(name);
        number(line, value);
    }
}

fn number(line: &mut Vec<u8>, value: u64) {
    line.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn id(line: &mut Vec<u8>, name: &[u8], id: Uuid) {
    let hyphenated = id.hyphenated();
    text(
        line,
        name,
        hyphenated.encode_lower(&mut Uuid::encode_buffer()),
    );
}

/// A member that few calls have.
fn value_if(line: &mut Vec<u8>, name: &[u8], value: Option<&impl Serialize>) {
    if let Some(value) = value {
        line.extend_from_slice(name);
        // Into memory, and all keys are texts: this does not fail.
        let _ = serde_json::to_writer(line, value);
    }
}

/// A JSON string.
fn quoted(line: &mut Vec<u8>, text: &str) {
    // No early end, so that the compiler takes many bytes at once.
    let is_escaped = text.bytes().fold(false, |found, byte| {
        found | (byte < b' ') | (byte == b'"') | (byte == b'\\')
    });
    if is_escaped {
        let _ = serde_json::to_writer(line, text);
        return;
    }
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::audit::{ApprovalTrail, RuleTrail};

    /// Has the members whose bit is set in `mask`.
    fn entry<'a>(mask: u32, said: &'a [String], number: u64, values: &'a str) -> Entry<'a> {
        let has = |bit: u32| mask >> bit & 1 == 1;
        let said = |at: usize| Cow::Borrowed(&*said[at % said.len()]);
        let said_if = |bit: u32| has(bit).then(|| said(bit as usize));
        let all = |bit: u32| (0..if has(bit) { number as usize % 3 } else { 0 }).map(said);
        let stage = |bit: u32| has(bit).then_some(number >> bit);
        Entry {
            kind: if has(0) { Kind::Call } else { Kind::Begun },
            time: said(0),
            call_id: Uuid::from_u128(number.into()),
            surface: said(1),
            method: said(2),
            target: said_if(1),
            asked: said_if(2),
            tenant: said_if(3),
            subject: said_if(4),
            scopes: all(5).collect(),
            address: said_if(6),
            task: has(7).then(|| Uuid::from_u128(number.into())),
            arguments: has(8)
                .then(|| arguments(said(3), has(9).then_some(values), all(10).collect())),
            outcome: said_if(11),
            error: said_if(12),
            cause: said_if(13),
            missing: all(14).collect(),
            missing_any_of: all(15).collect(),
            rule: has(16).then(|| RuleTrail {
                index: 1,
                effect: said(4),
                condition: said(5),
            }),
            approval: has(17).then(|| ApprovalTrail {
                condition: said(4),
                failure: said_if(18),
                state: said(5),
                unusable: said_if(19),
            }),
            quota: all(20).map(|limit| bucket(limit, number)).collect(),
            retry_after_ms: has(21).then_some(number),
            uncounted: has(22),
            would_deny: all(23).collect(),
            stages: Stages {
                authenticate: stage(24),
                authorize: stage(25),
                admit: stage(26),
                validate: stage(27),
                allow: stage(28),
                approve: stage(29),
                record: stage(30),
                run: stage(31),
            },
            duration_us: has(24).then_some(number),
            generation: has(25).then_some(number),
            trace: said_if(26),
        }
    }

    fn arguments<'a>(
        digest: Cow<'a, str>,
        values: Option<&str>,
        redacted: Vec<Cow<'a, str>>,
    ) -> Arguments<'a> {
        Arguments {
            digest,
            values: values.map(|values| Cow::Owned(to_raw_value(values).expect("a text"))),
            redacted,
        }
    }

    fn bucket(limit: Cow<'_, str>, reset_ms: u64) -> Bucket<'_> {
        Bucket {
            limit,
            remaining: u32::MAX,
            reset_ms,
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_composed_as_serde_writes_it(
            mask: u32,
            said in proptest::collection::vec(prop_oneof!["[ -~]{0,40}", any::<String>()], 8),
            number: u64,
            values: String,
        ) {
            let entry = entry(mask, &said, number, &values);
            let mut line = Vec::new();
            entry.compose(&mut line);
            let line = String::from_utf8(line).expect("UTF-8");
            prop_assert_eq!(line, serde_json::to_string(&entry).expect("JSON"));
        }
    }
}
