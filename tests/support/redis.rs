//! A real `redis-server` of the test's own, on a Unix socket in a folder of its own, and what can happen
//! to one: it stalls, dies, comes back, forgets. Ended by its handle.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;
use tollgate::quota::{StoreAddress, StoreSettings};

/// A server that runs, or did.
pub(crate) struct Redis {
    folder: TempDir,
    arguments: Vec<String>,
    /// What holds the leash, and the server's process id.
    child: Option<(Child, String)>,
}

/// Tells the server's process id, and kills the server when its own input ends: also when the test is
/// killed and cannot do it.
const LEASH: &str =
    r#"redis-server "$@" & echo $!; exec >&- 2>&-; cat >/dev/null; kill -s KILL $!; wait"#;

impl Redis {
    /// Starts a server that keeps nothing on disk, with further arguments.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = arguments.iter().map(ToString::to_string).collect();
        let mut redis = Self {
            folder,
            arguments,
            child: None,
        };
        redis.restart();
        redis
    }

    /// Starts a server on a port, in the place of `PORT` in its arguments, that it has alone: another
    /// process may have taken the first ones between looking and starting.
    pub(crate) fn start_on_port(arguments: &[&str]) -> (Self, u16) {
        for _ in 0..20 {
            let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
            let port = free.local_addr().expect("an address").port();
            drop(free);
            let with_port = |argument: &&str| argument.replace("PORT", &port.to_string());
            let mut redis = Self {
                folder: tempfile::tempdir().expect("a folder"),
                arguments: arguments.iter().map(with_port).collect(),
                child: None,
            };
            if redis.try_start() {
                return (redis, port);
            }
        }
        panic!("no port stays free");
    }

    /// Starts a sentinel with this configuration.
    pub(crate) fn start_sentinel(config: &str) -> (Self, u16) {
        // The configuration comes first.
        Self::start_on_port(&[config, "--sentinel", "--port", "PORT"])
    }

    /// Starts it again where it was.
    pub(crate) fn restart(&mut self) {
        assert!(self.try_start(), "redis-server starts");
    }

    fn try_start(&mut self) -> bool {
        let is_sentinel = self.arguments.contains(&"--sentinel".to_owned());
        let usual: &[&str] = if is_sentinel {
            &[]
        } else {
            &["--port", "0", "--unixsocket", "redis.sock", "--save", ""]
        };
        let mut child = Command::new("sh")
            .args(["-c", LEASH, "sh"])
            .args(usual)
            .args(&self.arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let pid = lines.next().expect("a line").expect("text");
        // The socket comes last, in the words of version 7.0 and of later ones.
        let ready: &[&str] = if is_sentinel {
            &["+monitor"]
        } else {
            &[
                "ready to accept connections at",
                "Ready to accept connections unix",
            ]
        };
        let mut said = lines.by_ref().map_while(Result::ok);
        let is_ready = said.any(|line| ready.iter().any(|ready| line.contains(ready)));
        // Read on, so that it can always write.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        self.child = Some((child, pid));
        if !is_ready {
            self.kill();
        }
        is_ready
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// How replicas use it: they wait long, so that a busy machine does not look like a bad store.
    pub(crate) fn settings(&self) -> StoreSettings {
        settings(&format!("redis+unix://{}", self.socket().display()))
    }

    /// Runs one command and reads what it answers.
    pub(crate) fn run<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let answer = self.try_run(words);
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    pub(crate) fn try_run<T: redis::FromRedisValue>(
        &self,
        words: &[&str],
    ) -> redis::RedisResult<T> {
        let url = format!("redis+unix://{}", self.socket().display());
        let mut connection = redis::Client::open(url)?.get_connection()?;
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]).query(&mut connection)
    }

    /// All keys, sorted.
    pub(crate) fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.run(&["KEYS", "*"]);
        keys.sort_unstable();
        keys
    }

    /// It neither answers nor ends.
    pub(crate) fn stall(&self) {
        self.signal("STOP");
    }

    /// It goes on where it stalled.
    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    /// As `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some((mut child, _)) = self.child.take() {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }

    /// As an operator stops it.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        self.gone();
        self.kill();
    }

    /// Waits until nobody listens any more.
    fn gone(&self) {
        while UnixStream::connect(self.socket()).is_ok() {
            thread::yield_now();
        }
    }

    /// By the shell's own `kill`: the program of that name is not on every machine.
    fn signal(&self, name: &str) {
        let (_, pid) = self.child.as_ref().expect("it runs");
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, pid])
            .status();
        assert!(status.expect("a shell").success(), "the signal was sent");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// How replicas use the store at `url`.
pub(crate) fn settings(url: &str) -> StoreSettings {
    let address = StoreAddress::parse(&url.to_owned().into());
    StoreSettings {
        timeout: std::time::Duration::from_secs(1),
        ..StoreSettings::new(address.expect("an address"))
    }
}
