//! Where the binary puts its admin listener, and what it says about it.

use std::net::TcpListener;
use std::path::Path;

use crate::binary::{Server, run};

fn write(folder: &Path, server: &str) {
    let text = format!("server: {{{server}}}\n");
    std::fs::write(folder.join("tollgate.yaml"), text).expect("a file");
}

#[tokio::test]
async fn the_address_in_the_file_is_used_and_told() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "adminListen: 127.0.0.1:0");
    let server = Server::start(folder.path(), &[]);
    let line = server.process.stderr.line("metrics at http://127.0.0.1:");
    let url = line.split_once("metrics at ").expect("it was found").1;
    let text = reqwest::get(url).await.expect("an answer").text().await;
    let text = text.expect("a body");
    assert!(text.contains("\ntollgate_build_info{"), "{text}");
}

#[test]
fn a_busy_address_that_was_asked_for_is_one_line_and_exit_code_1() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address");
    write(folder.path(), &format!("adminListen: '{address}'"));
    let ended = run(folder.path(), &["serve", "--port", "0"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected = format!("error: cannot listen on {address} (server.adminListen): ");
    assert!(ended.stderr.starts_with(&expected), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[tokio::test]
async fn the_default_address_may_be_busy() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "");
    for _ in 0..100 {
        // Whoever else has it may give it back at any moment; then this test takes it.
        let _taken = TcpListener::bind("127.0.0.1:9090");
        let server = Server::start(folder.path(), &[]);
        let line = server.process.stderr.line("metrics");
        if line.contains("metrics at") {
            continue;
        }
        assert!(
            line.contains("no metrics are served, since 127.0.0.1:9090")
                && line.contains("server.adminListen"),
            "{line}"
        );
        assert_eq!(server.get("/readyz").await.status, 200);
        return;
    }
    panic!("the address was always free");
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "adminListen: off");
    let mut server = Server::start(folder.path(), &[]);
    assert_eq!(server.get("/readyz").await.status, 200);
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    let said = server.process.stderr.all();
    assert!(
        !said.iter().any(|line| line.contains("metrics")),
        "{said:#?}"
    );
}

#[test]
fn an_address_that_others_can_reach_is_pointed_out() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "adminListen: 0.0.0.0:0");
    let server = Server::start(folder.path(), &[]);
    server
        .process
        .stderr
        .line("the admin listener can be reached from other machines");
}
