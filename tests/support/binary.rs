//! The real `tollgate` binary as a child process: started in a folder and an environment of its own,
//! watched through its streams, ended by its handle.
//!
//! Every wait is bounded, and is for a condition: a line that shows up, a stream that ends.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long anything that must happen may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const GET_CUSTOMER: &str = "/mcp/tool/get_customer";
pub(crate) const FIND_ORDERS: &str = "/mcp/tool/find_orders";

/// The binary that is tested: the one that was built for the tests, unless the shell names another.
#[expect(
    clippy::disallowed_methods,
    reason = "it is said to the tests, not to the program"
)]
fn program() -> std::ffi::OsString {
    std::env::var_os("TOLLGATE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_tollgate").into())
}

/// The binary with `arguments`, at home in `folder`, without anything from this environment.
pub(crate) fn tollgate(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        // Tests read what a person reads.
        .env("TOLLGATE_LOG_FORMAT", "text")
        .env("XDG_DATA_HOME", folder.join("data"));
    command
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Finished {
    finish(tollgate(folder, arguments))
}

/// Runs a prepared command to its end.
pub(crate) fn finish(command: Command) -> Finished {
    let mut process = Process::start(command);
    process.input.take();
    let code = process.exit_code();
    let text = |lines: &Lines| lines.all().iter().map(|line| format!("{line}\n")).collect();
    Finished {
        code,
        stdout: text(&process.stdout),
        stderr: text(&process.stderr),
    }
}

/// A running child. Dropping it kills it, and makes sure that nothing in it panicked.
pub(crate) struct Process {
    child: Child,
    pub(crate) input: Option<ChildStdin>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        Self {
            input: child.stdin.take(),
            stdout: Lines::of(child.stdout.take().expect("a pipe")),
            stderr: Lines::of(child.stderr.take().expect("a pipe")),
            child,
        }
    }

    /// Waits for the end.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.exit_code_within(PATIENCE)
    }

    /// Waits for the end, no longer than `patience`. A process that has ended has closed its streams.
    pub(crate) fn exit_code_within(&mut self, patience: Duration) -> Option<i32> {
        assert!(
            self.stderr.end_within(patience),
            "still running after {patience:?}: {:#?}",
            self.stderr.so_far()
        );
        self.child.wait().expect("a child of ours").code()
    }

    /// SIGTERM.
    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// SIGHUP.
    #[cfg(unix)]
    pub(crate) fn hang_up(&self) {
        self.signal("HUP");
    }

    /// SIGSTOP, as if it were frozen.
    #[cfg(unix)]
    pub(crate) fn freeze(&self) {
        self.signal("STOP");
    }

    /// SIGCONT.
    #[cfg(unix)]
    pub(crate) fn thaw(&self) {
        self.signal("CONT");
    }

    /// The process's number.
    #[cfg(unix)]
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// By the shell's own `kill`: the program of that name is not on every machine.
    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$1\" \"$2\"", "sh", name])
            .arg(self.id().to_string())
            .status();
        assert!(status.expect("a shell").success(), "the signal was sent");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !thread::panicking() {
            let said = self.stderr.all();
            let panicked = said.iter().any(|line| line.contains("panicked at"));
            assert!(!panicked, "nothing may panic: {said:#?}");
        }
    }
}

/// The lines of a stream, as they come.
#[derive(Clone)]
pub(crate) struct Lines(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let writer = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                writer.change(|seen| seen.lines.push(String::from_utf8_lossy(&line).into_owned()));
            }
            writer.change(|seen| seen.ended = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        self.0.1.notify_all();
    }

    /// Waits until `find` finds something in the lines.
    pub(crate) fn wait_for<T>(&self, mut find: impl FnMut(&[String]) -> Option<T>) -> T {
        let mut found = None;
        let seen = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.0.1.wait_timeout_while(seen, PATIENCE, |seen| {
            found = find(&seen.lines);
            found.is_none() && !seen.ended
        });
        let (seen, _) = waited.unwrap_or_else(PoisonError::into_inner);
        found.unwrap_or_else(|| panic!("it never came: {:#?}", seen.lines))
    }

    /// Waits for the first line that holds `part`.
    pub(crate) fn line(&self, part: &str) -> String {
        self.wait_for(|lines| lines.iter().find(|line| line.contains(part)).cloned())
    }

    fn end_within(&self, patience: Duration) -> bool {
        let seen = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .0
            .1
            .wait_timeout_while(seen, patience, |seen| !seen.ended);
        waited.unwrap_or_else(PoisonError::into_inner).0.ended
    }

    /// What has come by now.
    pub(crate) fn so_far(&self) -> Vec<String> {
        let seen = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.lines.clone()
    }

    /// Everything, once the stream has ended.
    pub(crate) fn all(&self) -> Vec<String> {
        assert!(self.end_within(PATIENCE), "the stream did not end");
        self.so_far()
    }
}

/// `tollgate serve` on a free port, and a client for it.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) url: String,
    client: reqwest::Client,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.transpose().expect("ASCII").unwrap_or("(absent)")
    }
}

impl Server {
    /// Starts `tollgate serve` with these further arguments and waits until it listens.
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        // For the client; the program's `main` does it for itself.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let arguments = [&["serve", "--port", "0"], arguments].concat();
        let process = Process::start(tollgate(folder, &arguments));
        let line = process.stderr.line("listening on http://");
        let (_, url) = line.split_once("listening on ").expect("it was found");
        Self {
            url: url.trim().to_owned(),
            process,
            client: reqwest::Client::builder()
                .no_proxy()
                .timeout(PATIENCE)
                .build()
                .expect("a client"),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.url));
        Self::send(request).await
    }

    /// Posts JSON. Without a token there is no `Authorization`.
    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let mut request = self
            .client
            .post(format!("{}{path}", self.url))
            .header("accept", "application/json, text/event-stream")
            .json(body);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        Self::send(request).await
    }

    async fn send(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.expect("an answer");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: serde_json::from_slice(&response.bytes().await.expect("a body"))
                .unwrap_or_default(),
        }
    }

    /// A token from `/mint-demo-jwt`, `query` included.
    pub(crate) async fn mint(&self, query: &str) -> String {
        let answer = self.get(&format!("/mint-demo-jwt{query}")).await;
        let token = answer.body["token"].as_str();
        token
            .unwrap_or_else(|| panic!("no token: {answer:?}"))
            .to_owned()
    }

    /// A connection of one's own, for requests that a client library would not send.
    pub(crate) fn connect(&self) -> TcpStream {
        let address = self.url.trim_start_matches("http://").to_socket_addrs();
        let address = address.expect("an address").next().expect("an address");
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("it listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a timeout above 0");
        stream
    }
}

/// The demo, with a folder of its own that lives as long as it does.
pub(crate) struct Demo {
    pub(crate) server: Server,
    _folder: TempDir,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self {
            server: Server::start(folder.path(), &["--dev"]),
            _folder: folder,
        }
    }

    pub(crate) async fn get_customer(&self, token: &str) -> Answer {
        let arguments = json!({"customer_id": "c-42"});
        self.server
            .post(GET_CUSTOMER, Some(token), &arguments)
            .await
    }

    /// A legacy MCP request, which needs no headers of its own.
    pub(crate) async fn mcp(&self, token: Option<&str>, method: &str, params: Value) -> Answer {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.server.post("/mcp", token, &message).await
    }

    pub(crate) async fn read_customer(&self, token: &str, id: &str) -> Answer {
        let uri = format!("customers://{id}");
        self.mcp(Some(token), "resources/read", json!({ "uri": uri }))
            .await
    }
}
