//! Everything that goes to the log in this process, for tests that say what may and may not.

use std::io::Write;
use std::sync::{Mutex, Once};

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static LISTENING: Once = Once::new();

struct Sink;

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Starts to listen, at the most talkative level.
pub(crate) fn listen() {
    LISTENING.call_once(|| {
        tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(|| Sink)
            .init();
    });
}

/// The lines that hold `part`.
pub(crate) fn lines_with(part: &str) -> Vec<String> {
    let lines = LINES.lock().expect("not poisoned");
    let text = String::from_utf8_lossy(&lines);
    text.lines()
        .filter(|line| line.contains(part))
        .map(str::to_owned)
        .collect()
}
