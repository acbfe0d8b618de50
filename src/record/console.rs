//! A span a line, for a person watching a terminal.
//!
//! `14:03:07.512 tools/call get_customer 1.2ms ok tenant=acme quota=admitted 4/5 …`. Texts that came
//! from outside are escaped, so that no caller can write lines or colours of its own.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::Value;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::names;
use crate::log::{Inert, Quoted};
use crate::stderr::Stderr;

/// Writes spans to standard error.
#[derive(Debug)]
pub(super) struct ConsoleExporter(());

impl ConsoleExporter {
    /// To standard error; standard output belongs to the protocol.
    pub(super) fn stderr() -> Self {
        Self(())
    }
}

impl SpanExporter for ConsoleExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut text = String::new();
        for span in &batch {
            line(&mut text, span);
        }
        // A closed terminal must not take the server down.
        let _ = Stderr.write_all(text.as_bytes());
        Ok(())
    }
}

/// Appends the span's line.
fn line(text: &mut String, span: &SpanData) {
    let find = |name: &str| {
        span.attributes
            .iter()
            .find(|pair| pair.key.as_str() == name)
            .map(|pair| &pair.value)
    };
    let took = span
        .end_time
        .duration_since(span.start_time)
        .unwrap_or_default();
    // Writing to a `String` cannot fail.
    let _ = write!(
        text,
        "{} {} {took:.1?}",
        time_of_day(span.end_time),
        Inert(&span.name)
    );
    if let Some(outcome) = find(names::OUTCOME) {
        let _ = write!(text, " {}", Inert(&outcome.as_str()));
    }
    if let Some(decision) = find(names::QUOTA) {
        let _ = write!(text, " quota={}", Inert(&decision.as_str()));
        let (remaining, limit) = (find(names::QUOTA_REMAINING), find(names::QUOTA_LIMIT));
        if let (Some(Value::I64(remaining)), Some(Value::I64(limit))) = (remaining, limit) {
            let _ = write!(text, " {remaining}/{limit}");
        }
        if let Some(policy) = find(names::QUOTA_POLICY) {
            let _ = write!(text, " ({})", Inert(&policy.as_str()));
        }
    }
    // Spans below a request have only the standard one.
    let error = if find(names::ERROR).is_some() {
        names::ERROR
    } else {
        names::ERROR_TYPE
    };
    for (label, name) in [
        ("error", error),
        ("would_deny", names::WOULD_DENY),
        ("tenant", names::TENANT),
        ("subject", names::SUBJECT),
        ("via", names::SURFACE),
        ("call", names::CALL_ID),
        ("cause", names::CAUSE),
    ] {
        if let Some(value) = find(name) {
            let _ = write!(text, " {label}={}", Quoted(&value.as_str()));
        }
    }
    let _ = writeln!(text, " trace={}", span.span_context.trace_id());
}

/// `14:03:07.512`, in UTC: enough to tell lines apart while one watches.
fn time_of_day(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = since.as_secs() % 86_400;
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
    format!(
        "{hours:02}:{minutes:02}:{:02}.{:03}",
        seconds % 60,
        since.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_pass_for_other_fields() {
        let tenant = Quoted(r#"acme ok subject="root""#).to_string();
        assert_eq!(tenant, r#""acme ok subject=\"root\"""#);
        assert_eq!(Quoted("acme").to_string(), "acme");
    }

    #[test]
    fn texts_from_outside_cannot_forge_lines_or_colours() {
        let shown = Inert("a\nb\u{1b}[31m\u{2028}c").to_string();
        assert_eq!(shown, "a\\u{a}b\\u{1b}[31m\\u{2028}c");
    }
}
