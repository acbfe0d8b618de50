//! What is written on standard error: one line for each thing that an operator should know.
//!
//! Text where a person reads along, JSON elsewhere, one object a line: `time`, `level`, `message`,
//! then what belongs to it, such as `callId` and `traceId` where a call is concerned. A reader would
//! ask why this is not the formatter of `tracing-subscriber`: it lets line breaks in values through,
//! so that whoever can name something can write lines of its own. Nothing here decides what may be
//! logged: whoever logs keeps tokens, arguments and results out.

mod fields;
mod inert;
mod line;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{panic, thread};

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

pub(crate) use inert::{Inert, Quoted, inert_json};

use crate::clock::Clock;
use crate::stderr::{Stderr, WRITER, flush};
use fields::Fields;
use line::Line;

/// Chosen by whoever runs the program, once it knows; text until then.
static AS_JSON: AtomicBool = AtomicBool::new(false);

/// How long a thread that panics waits until that is told.
const PANIC_PATIENCE: Duration = Duration::from_millis(100);

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person; in colours on a terminal.
    Text,
    /// One object a line.
    Json,
}

impl Format {
    /// Writes all further lines of this process like this.
    pub fn choose(self) {
        AS_JSON.store(self == Self::Json, Ordering::Relaxed);
    }

    fn current() -> Self {
        if AS_JSON.load(Ordering::Relaxed) {
            Self::Json
        } else {
            Self::Text
        }
    }
}

/// Whether a person may be reading standard error as it is written.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Writes events of `tracing` to standard error.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lines(());

impl Lines {
    /// All that a filter in front lets through.
    pub fn new() -> Self {
        Self(())
    }
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let line = Line {
            time: Clock::system().unix(),
            level: *event.metadata().level(),
            module: event.metadata().target(),
            fields,
        };
        let text = match Format::current() {
            Format::Json => line.json(),
            Format::Text => line.text(is_watched()),
        };
        // A closed standard error is no reason to panic.
        let _ = Stderr.write_all(text.as_bytes());
    }
}

/// Tells the operator something that is no event, such as where the server listens: as it is in text,
/// in JSON one object for each of its lines.
pub fn say(level: tracing::Level, text: &str) {
    let lines = match Format::current() {
        Format::Text => format!("{text}\n"),
        Format::Json => text.lines().map(|text| spoken(level, text)).collect(),
    };
    let _ = Stderr.write_all(lines.as_bytes());
}

/// Tells of panics as of all else, where that is JSON: what the standard library writes is no object.
pub fn tell_of_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panicked| match Format::current() {
        // What writes all else cannot tell of itself.
        _ if thread::current().name() == Some(WRITER) => usual(panicked),
        Format::Text => usual(panicked),
        Format::Json => {
            let thread = thread::current();
            let name = thread.name().unwrap_or("<unnamed>");
            say(
                tracing::Level::ERROR,
                &format!("thread '{name}' {panicked}"),
            );
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                say(tracing::Level::ERROR, &backtrace.to_string());
            }
            // The process may end with it.
            flush(PANIC_PATIENCE);
        }
    }));
}

fn spoken(level: tracing::Level, text: &str) -> String {
    let line = Line {
        time: Clock::system().unix(),
        level,
        module: module_path!(),
        fields: Fields::saying(text),
    };
    line.json()
}
