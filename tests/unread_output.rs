//! A server must not depend on anybody reading what it says on standard error.
#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// More lines than a pipe (64 KiB on Linux) and the server's own queue hold together.
const CALLS: usize = 5_000;

struct Unread(Child);

impl Drop for Unread {
    fn drop(&mut self) {
        // Ended already, or about to be.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_server_whose_standard_error_nobody_reads_goes_on_serving_and_stops_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["serve", "--dev", "--port", "0"];
    let mut command = binary::tollgate(folder.path(), &arguments);
    command.stderr(Stdio::piped());
    let mut server = Unread(command.spawn().expect("the binary"));

    let mut first = String::new();
    let mut stderr = BufReader::new(server.0.stderr.take().expect("a pipe"));
    stderr.read_line(&mut first).expect("the first line");
    let url = first
        .trim()
        .rsplit(' ')
        .next()
        .expect("an address")
        .to_owned();

    // Every call writes a line, also one that is refused; from here on nobody reads any.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    let client = reqwest::Client::new();
    for _ in 0..CALLS {
        let call = client.post(format!("{url}/mcp/tool/get_customer"));
        let answer = call.send().await.expect("an answer");
        assert_eq!(answer.status(), 401);
    }

    let id = server.0.id().to_string();
    let told = Command::new("sh")
        .args(["-c", "kill -TERM \"$0\"", &id])
        .status();
    assert!(told.expect("a shell").success());
    let ended = tokio::task::spawn_blocking(move || server.0.wait().expect("its end"));
    let status = tokio::time::timeout(std::time::Duration::from_secs(30), ended).await;
    assert_eq!(status.expect("it stops").expect("no panic").code(), Some(0));
    drop(stderr);
}
