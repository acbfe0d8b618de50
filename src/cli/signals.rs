//! The operator's wish that a running server stop.

use std::io;

use super::say;

/// SIGTERM and SIGINT on Unix, Ctrl-C elsewhere.
pub(super) struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Starts listening at once, so that a signal during start is not lost.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    /// Resolves when the process is asked to stop; from then on, another signal ends it at once.
    pub(super) async fn asked(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            stop_at_once();
        });
        say("stopping: running calls may finish; send the signal again to stop at once");
    }

    async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator asked twice; there is nothing left to unwind for"
)]
fn stop_at_once() {
    std::process::exit(1);
}
