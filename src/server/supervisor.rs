//! What a supervisor such as systemd is told: when the server is ready, reloads, lives and stops
//! (sd_notify(3), systemd.service(5) with `Type=notify` or `notify-reload`).
//!
//! Without a supervisor every method does nothing. Sent from here and not by a crate, because the
//! socket is then read from the environment in one place, may be an abstract one, and never blocks:
//! a supervisor that does not read must not stop a server.

use std::future::pending;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::config::{ProcessEnvironment, notify_socket, watchdog_period};

/// The process that watches over this one, if there is one.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<socket::Socket>,
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The one that the environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`). One
    /// that cannot be reached is as none, and a line in the log.
    pub fn of_process() -> Self {
        let Some(name) = notify_socket(&ProcessEnvironment) else {
            return Self::default();
        };
        let socket = socket::Socket::named(&name)
            .map_err(|error| tracing::warn!(%error, "NOTIFY_SOCKET names no socket"));
        Self {
            socket: socket.ok(),
            watchdog: watchdog_period(&ProcessEnvironment, std::process::id()),
        }
    }

    /// The server takes calls; also at the end of a reload.
    pub fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}\n", one_line(status)));
    }

    /// The server reads its configuration anew. [`ready`](Self::ready) must follow, whether or not
    /// the configuration was good: otherwise the supervisor waits and gives up the server.
    pub fn reloading(&self) {
        // `notify-reload` wants to know that this answers its signal and no earlier one.
        let moment = socket::monotonic();
        self.tell(&format!("RELOADING=1\n{moment}STATUS=reloading\n"));
    }

    /// The server goes down, which may take as long as `patience`.
    pub fn stopping(&self, patience: Duration) {
        let micros = patience.as_micros();
        self.tell(&format!(
            "STOPPING=1\nEXTEND_TIMEOUT_USEC={micros}\nSTATUS=stopping: running calls may finish\n"
        ));
    }

    /// Says that the server lives, twice as often as it must. To be spawned on the runtime that
    /// serves calls: when that is stuck, this falls silent, and the supervisor restarts the process.
    pub async fn keep_watch(&self) {
        let Some(period) = self.watchdog.filter(|_| self.socket.is_some()) else {
            return pending().await;
        };
        let mut ticks = interval((period / 2).max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.tell("WATCHDOG=1\n");
        }
    }

    fn tell(&self, news: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(news)
        {
            tracing::debug!(%error, "the supervisor was not told");
        }
    }
}

/// A line break would begin another message.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(unix)]
mod socket {
    use std::io;
    use std::os::unix::net::{SocketAddr, UnixDatagram};

    #[derive(Debug)]
    pub(super) struct Socket {
        own: UnixDatagram,
        supervisor: SocketAddr,
    }

    impl Socket {
        /// A path, or an abstract name behind an `@`.
        pub(super) fn named(name: &str) -> io::Result<Self> {
            let own = UnixDatagram::unbound()?;
            own.set_nonblocking(true)?;
            let supervisor = match name.strip_prefix('@') {
                Some(name) => abstract_name(name)?,
                None => SocketAddr::from_pathname(name)?,
            };
            Ok(Self { own, supervisor })
        }

        pub(super) fn send(&self, news: &str) -> io::Result<()> {
            let sent = self.own.send_to_addr(news.as_bytes(), &self.supervisor);
            sent.map(drop)
        }
    }

    #[cfg(target_os = "linux")]
    fn abstract_name(name: &str) -> io::Result<SocketAddr> {
        use std::os::linux::net::SocketAddrExt;
        SocketAddr::from_abstract_name(name)
    }

    #[cfg(not(target_os = "linux"))]
    fn abstract_name(_: &str) -> io::Result<SocketAddr> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// `MONOTONIC_USEC=…`, where there is a systemd to read it. The standard library tells no
    /// absolute monotonic time.
    pub(super) fn monotonic() -> String {
        #[cfg(target_os = "linux")]
        if let Ok(moment) = sd_notify::NotifyState::monotonic_usec_now() {
            return format!("{moment}\n");
        }
        String::new()
    }
}

#[cfg(not(unix))]
mod socket {
    use std::io;

    #[derive(Debug)]
    pub(super) struct Socket;

    impl Socket {
        pub(super) fn named(_: &str) -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub(super) fn send(&self, _: &str) -> io::Result<()> {
            Ok(())
        }
    }

    pub(super) fn monotonic() -> String {
        String::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn a_reload_tells_its_moment_and_a_status_is_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let systemd = UnixDatagram::bind(&path).expect("a socket");
        let supervisor = Supervisor {
            socket: socket::Socket::named(path.to_str().expect("UTF-8")).ok(),
            watchdog: None,
        };
        let told = || {
            let mut news = [0; 256];
            let length = systemd.recv(&mut news).expect("a message");
            String::from_utf8_lossy(&news[..length]).into_owned()
        };
        supervisor.reloading();
        let news = told();
        let moment = news.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let (moment, rest) = moment
            .and_then(|rest| rest.split_once('\n'))
            .expect("a moment");
        assert!(moment.parse::<u64>().is_ok_and(|micros| micros > 0));
        assert_eq!(rest, "STATUS=reloading\n");
        supervisor.ready("a\nREADY=0");
        assert_eq!(told(), "READY=1\nSTATUS=a READY=0\n");
    }

    #[test]
    fn without_a_supervisor_nothing_happens() {
        Supervisor::default().ready("serving");
        assert!(socket::Socket::named("@tollgate-nobody").is_ok_and(|one| one.send("x").is_err()));
    }
}
