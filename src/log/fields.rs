//! The fields of an event, as JSON values.

use std::error::Error;
use std::fmt::{Debug, Write as _};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};

/// Bytes of one field at most: an error of a library can be as long as it likes.
const MAX_FIELD_BYTES: usize = 8 * 1024;

/// What an event says, and what belongs to it.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) message: String,
    /// In the order in which they were written down.
    pub(super) others: Map<String, Value>,
}

impl Fields {
    /// A message without anything.
    pub(super) fn saying(message: &str) -> Self {
        Self {
            message: cut(message.to_owned()),
            others: Map::new(),
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        // Some of those that bridge from `log` say where a line comes from.
        if !field.name().starts_with("log.") {
            self.others.insert(field.name().to_owned(), value);
        }
    }

    fn put_text(&mut self, field: &Field, text: String) {
        let text = cut(text);
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, Value::from(text));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put_text(field, format!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            // Writing to a `String` cannot fail.
            let _ = write!(text, ": {error}");
            source = error.source();
        }
        self.put_text(field, text);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_FIELD_BYTES {
        text.truncate(text.floor_char_boundary(MAX_FIELD_BYTES));
        text.push('…');
    }
    text
}
