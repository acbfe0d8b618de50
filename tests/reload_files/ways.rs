//! The ways in which files change, each taken up.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::json;

use crate::binary::Server;
use crate::session::{Session, call, legacy};
use crate::{OTHER, Running, SECRET, config, numbers, slow, told, whole, write};

#[tokio::test]
async fn sighup_loads_the_file_again() {
    let mut running = Running::start();
    assert_eq!(running.call("first", SECRET).await, 200);
    running.write(&config("second"));
    running.server.process.hang_up();
    assert!(running.reloaded().contains("generation=2"));
    assert_eq!(running.call("second", SECRET).await, 200);
    assert_eq!(running.call("first", SECRET).await, 404);
    // Nothing has changed, but the operator may know better.
    running.server.process.hang_up();
    assert!(running.reloaded().contains("generation=3"));
    assert_eq!(running.call("second", SECRET).await, 200);
}

#[tokio::test]
async fn a_file_that_is_written_or_moved_in_its_place_is_taken_up_unasked() {
    let mut running = Running::start();
    running.write(&config("second"));
    running.reloaded();
    assert_eq!(running.call("second", SECRET).await, 200);
    let (folder, text) = (running.folder.path(), config("third"));
    write(folder, "new.yaml", &whole(folder, &text));
    fs::rename(folder.join("new.yaml"), &running.file).expect("moved");
    running.reloaded();
    assert_eq!(running.call("third", SECRET).await, 200);
}

#[tokio::test]
async fn a_secret_in_a_file_of_its_own_is_taken_up_and_the_old_one_ends() {
    let mut running = Running::start();
    assert_eq!(running.call("first", SECRET).await, 200);
    write(running.folder.path(), "secret", OTHER);
    running.reloaded();
    assert_eq!(running.call("first", SECRET).await, 401);
    assert_eq!(running.call("first", OTHER).await, 200);
}

/// A folder as Kubernetes mounts a ConfigMap: each name is a link to `..data/name`, `..data` a link
/// to a folder, and an update is a new folder and one rename.
fn publish(mounted: &Path, version: &str, tool: &str, secret: &str) {
    let folder = mounted.join(format!("..{version}"));
    fs::create_dir(&folder).expect("a folder");
    let shop = mounted.parent().expect("a folder above");
    write(&folder, "tollgate.yaml", &whole(shop, &config(tool)));
    write(&folder, "secret", secret);
    symlink(format!("..{version}"), mounted.join("..data_tmp")).expect("a link");
    fs::rename(mounted.join("..data_tmp"), mounted.join("..data")).expect("moved");
}

#[tokio::test]
async fn a_config_map_is_taken_up_whole_and_the_folder_before_may_go() {
    let folder = tempfile::tempdir().expect("a folder");
    let mounted = folder.path().join("mounted");
    fs::create_dir(&mounted).expect("a folder");
    publish(&mounted, "one", "first", SECRET);
    for name in ["tollgate.yaml", "secret"] {
        symlink(format!("..data/{name}"), mounted.join(name)).expect("a link");
    }
    let mut running = Running::start_in(folder, "mounted/tollgate.yaml");
    assert_eq!(running.call("first", SECRET).await, 200);
    publish(&mounted, "two", "second", OTHER);
    fs::remove_dir_all(mounted.join("..one")).expect("removed");
    assert!(running.reloaded().contains("generation=2"));
    assert_eq!(running.call("second", OTHER).await, 200);
    assert_eq!(running.call("second", SECRET).await, 401);
    assert_eq!(running.call("first", OTHER).await, 404);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn databases_of_configurations_that_are_gone_are_closed() {
    let mut running = Running::start();
    assert_eq!(running.call("first", SECRET).await, 200);
    let open = running.open_files("shop.db");
    for _ in 0..10 {
        running.server.process.hang_up();
        running.reloaded();
        assert_eq!(running.call("first", SECRET).await, 200);
    }
    // The thread of the last one may be on its way out.
    let mut now = running.open_files("shop.db");
    for _ in 0..10_000 {
        if now == open {
            return;
        }
        assert_eq!(running.call("first", SECRET).await, 200);
        now = running.open_files("shop.db");
    }
    panic!("{now} files are open instead of {open}");
}

#[tokio::test]
async fn a_call_without_its_client_is_still_cut_at_the_end_and_recorded() {
    let folder = tempfile::tempdir().expect("a folder");
    slow::write(
        folder.path(),
        "adminListen: '127.0.0.1:0', shutdownGrace: 0s",
    );
    let server = Server::start(folder.path(), &["--dev"]);
    let token = server.mint("").await;
    let rounds = json!({"rounds": slow::ENDLESS});
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "count", "arguments": rounds},
    });
    // Before 2026-07-28 a client that leaves does not cancel.
    let calling = async { server.post("/mcp", Some(&token), &message).await };
    tokio::select! {
        answer = calling => panic!("it does not end: {answer:?}"),
        () = runs(&server) => {}
    }
    server.process.hang_up();
    told(&server.process, 1);
    server.process.terminate();
    let mut process = server.process;
    assert_eq!(process.exit_code(), Some(0));
    let lines = process.stderr.all();
    let cut = |line: &&String| line.contains("tools/call count") && line.contains("cancelled");
    assert_eq!(lines.iter().filter(cut).count(), 1, "{lines:#?}");
}

/// Waits until the metrics tell that a call runs.
async fn runs(server: &Server) {
    loop {
        if numbers(server).await.value("tollgate_calls_in_flight", &[]) == 1.0 {
            return;
        }
    }
}

#[tokio::test]
async fn demo_tokens_stay_good() {
    let folder = tempfile::tempdir().expect("a folder");
    slow::write(folder.path(), "adminListen: off");
    let server = Server::start(folder.path(), &["--dev"]);
    let token = server.mint("").await;
    server.process.hang_up();
    told(&server.process, 1);
    let answer = server
        .post("/mcp/tool/hello", Some(&token), &json!({}))
        .await;
    assert_eq!(answer.status, 200);
}

#[test]
fn stdio_takes_up_its_file_as_well_and_keeps_its_running_call() {
    let mut session = Session::slow("adminListen: off");
    session.send(&call(1, "count", json!({"rounds": slow::ENDLESS})));
    let list = |session: &mut Session, id: &str| {
        let answer = session.ask(&legacy(id, "tools/list", json!({})));
        answer.to_string()
    };
    assert!(list(&mut session, "before").contains("\"hello\""));
    let file = session.folder.path().join("tollgate.yaml");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("  hello:", "  welcome:")).expect("written");
    session.process.hang_up();
    told(&session.process, 1);
    let after = list(&mut session, "after");
    assert!(after.contains("\"welcome\"") && !after.contains("\"hello\""));
    let ended = |lines: &[String]| lines.iter().any(|line| line.contains("tools/call"));
    assert!(!ended(&session.process.stderr.so_far()), "it runs");
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    session.send(&cancel);
    session.process.stderr.line(" cancelled ");
    session.close();
}
