//! What a supervisor is told and can ask: the notifications of systemd, on sockets of this test, and
//! `tollgate healthcheck`.
#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod slow;

use std::os::unix::net::UnixDatagram;
use std::path::Path;

use binary::{Finished, PATIENCE, Process, Server, run, tollgate};
use tempfile::TempDir;

/// A systemd that listens on a socket.
struct Systemd {
    socket: UnixDatagram,
    name: String,
    folder: TempDir,
}

impl Systemd {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        Self::on(socket, path.to_str().expect("UTF-8"), folder)
    }

    fn on(socket: UnixDatagram, name: &str, folder: TempDir) -> Self {
        let patience = socket.set_read_timeout(Some(PATIENCE));
        patience.expect("a timeout above 0");
        slow::write(folder.path(), "shutdownDelay: 1s, shutdownGrace: 2s");
        Self {
            socket,
            name: name.to_owned(),
            folder,
        }
    }

    fn start(&self, environment: &[(&str, &str)]) -> Process {
        let mut command = tollgate(self.folder.path(), &["serve", "--port", "0", "--dev"]);
        command.env("NOTIFY_SOCKET", &self.name);
        command.envs(environment.iter().copied());
        Process::start(command)
    }

    fn hears(&self) -> String {
        let mut news = [0; 1024];
        let length = self.socket.recv(&mut news).expect("news in time");
        String::from_utf8(news[..length].to_vec()).expect("UTF-8")
    }
}

const STOPPING: &str =
    "STOPPING=1\nEXTEND_TIMEOUT_USEC=13000000\nSTATUS=stopping: running calls may finish\n";

#[test]
fn systemd_is_told_when_the_server_listens_lives_and_stops() {
    let systemd = Systemd::new();
    let mut process = systemd.start(&[("WATCHDOG_USEC", "100000")]);
    let ready = systemd.hears();
    let said = process.stderr.line("listening on ");
    assert_eq!(ready, format!("READY=1\nSTATUS={said}\n"));
    for _ in 0..5 {
        assert_eq!(systemd.hears(), "WATCHDOG=1\n");
    }
    process.terminate();
    let mut after = Vec::new();
    while after.last().is_none_or(|news| news != STOPPING) {
        after.push(systemd.hears());
    }
    // Also during the delay, or it would be killed.
    assert_eq!(systemd.hears(), "WATCHDOG=1\n");
    assert_eq!(process.exit_code(), Some(0));
}

#[test]
fn a_watchdog_that_is_meant_for_another_process_hears_nothing() {
    let systemd = Systemd::new();
    let mut process = systemd.start(&[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    assert!(systemd.hears().starts_with("READY=1\n"));
    process.terminate();
    assert_eq!(systemd.hears(), STOPPING);
    assert_eq!(process.exit_code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn the_socket_may_be_an_abstract_one() {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    let name = format!("tollgate-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).expect("a name");
    let socket = UnixDatagram::bind_addr(&address).expect("a socket");
    let folder = tempfile::tempdir().expect("a folder");
    let systemd = Systemd::on(socket, &format!("@{name}"), folder);
    let _process = systemd.start(&[]);
    assert!(systemd.hears().starts_with("READY=1\n"));
}

#[test]
fn a_supervisor_that_is_gone_stops_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    slow::write(folder.path(), "shutdownGrace: 1s");
    let mut command = tollgate(folder.path(), &["serve", "--port", "0", "--dev"]);
    command.env("NOTIFY_SOCKET", folder.path().join("gone"));
    command.env("WATCHDOG_USEC", "1000");
    let mut process = Process::start(command);
    process.stderr.line("listening on ");
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
}

fn check(folder: &Path, arguments: &[&str]) -> Finished {
    run(folder, &[&["healthcheck"], arguments].concat())
}

#[tokio::test]
async fn healthcheck_tells_by_its_exit_code_whether_the_server_takes_calls_and_whether_it_lives() {
    let folder = tempfile::tempdir().expect("a folder");
    slow::write(
        folder.path(),
        "shutdownDelay: 10m, adminListen: '127.0.0.1:0'",
    );
    let server = Server::start(folder.path(), &["--dev"]);
    let admin = server.process.stderr.line("metrics at ");
    let admin = admin.trim_start_matches("metrics at http://");
    let admin = admin.trim_end_matches("/metrics").to_owned();
    // A file that names the ports the server happened to get.
    let main = server.url.trim_start_matches("http://");
    for (name, section) in [
        ("main.yaml", format!("listen: '{main}'")),
        ("admin.yaml", format!("adminListen: '{admin}'")),
    ] {
        let text = format!("server: {{{section}}}\n");
        std::fs::write(folder.path().join(name), text).expect("a file");
    }
    let ways: [&[&str]; 4] = [
        &["--url", &server.url],
        &["--url", &format!("http://{admin}/")],
        &["--config", "main.yaml"],
        &["--config", "admin.yaml"],
    ];
    for way in ways {
        let healthy = check(folder.path(), way);
        assert_eq!(healthy.code, Some(0), "{way:?}: {healthy:?}");
        assert_eq!((&*healthy.stdout, &*healthy.stderr), ("", ""));
    }
    server.process.terminate();
    server.process.stderr.line("stopping: running calls");
    while server.get("/readyz").await.status == 200 {}
    for way in ways {
        let leaving = check(folder.path(), way);
        assert_eq!(leaving.code, Some(1), "{way:?}");
        assert_eq!(leaving.stderr, "error: the server answered 503\n");
        let alive = check(folder.path(), &[way, &["--alive"]].concat());
        assert_eq!(alive.code, Some(0), "{way:?}: {alive:?}");
    }
}

#[test]
fn healthcheck_says_what_keeps_it_from_an_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = nobody.local_addr().expect("an address");
    // Nobody accepts; the system does as far as the connection.
    let url = format!("http://user:canary@{address}");
    let silent = check(folder.path(), &["--url", &url]);
    assert_eq!(silent.code, Some(1));
    assert_eq!(
        silent.stderr,
        "error: the server did not answer within 2 s\n"
    );
    drop(nobody);
    let gone = check(folder.path(), &["--url", &url]);
    assert_eq!(gone.stderr, "error: the server cannot be reached\n");
    let odd = check(folder.path(), &["--url", "localhost"]);
    assert_eq!(odd.stderr, "error: --url must be an http or https URL\n");
    let file = folder.path().join("any.yaml");
    std::fs::write(&file, "server: {listen: '127.0.0.1:0'}\n").expect("a file");
    let any = check(folder.path(), &["--config", "any.yaml"]);
    assert_eq!(
        any.stderr,
        "error: the configuration takes any free port: name the server with --url\n"
    );
}
