//! Files that are no good: all that is wrong is told once, without a value; what was served before
//! is served on; and it ends with the next file that is good.

use std::fs;

use serde_json::json;

use crate::{OTHER, Running, SECRET, config, numbers, write};

const KEPT: &str = "the configuration could not be loaded: what was served before is served on";
const READY: &str = "the file could not be loaded: still serving the one before";

/// Waits until the log has said so often that what was served before is served on.
fn refused(running: &Running, times: usize) {
    running.server.process.stderr.wait_for(|lines| {
        let told = lines.iter().filter(|line| line.contains(KEPT));
        (told.count() == times).then_some(())
    });
}

fn lines_with(running: &Running, part: &str) -> usize {
    let lines = running.server.process.stderr.so_far();
    lines.iter().filter(|line| line.contains(part)).count()
}

#[tokio::test]
async fn a_file_that_is_no_good_keeps_the_one_before_and_shows_until_one_is_good() {
    let mut running = Running::start();
    let broken = [
        ("tools: [", "tollgate.yaml:"),
        ("colour: red", "unknown key `colour`"),
        (
            "auth: {issuers: [{issuer: 'https://issuer.test/', audiences: [tools], secret: hunter2hunter2}]}",
            "auth.issuers[0].secret",
        ),
        (
            "server: {adminListen: '${file:not-there}'}",
            "cannot read the file of `${file:not-there}`",
        ),
    ];
    for (times, (text, fault)) in broken.into_iter().enumerate() {
        running.write(text);
        refused(&running, times + 1);
        assert!(lines_with(&running, fault) > 0, "{fault}");
        assert_eq!(running.call("first", SECRET).await, 200);
        assert_eq!(
            running.ready().await,
            json!({"status": "ready", "config": READY})
        );
        let numbers = numbers(&running.server).await;
        assert_eq!(numbers.value("tollgate_config_current", &[]), 0.0);
        let failed = [("result", "failed")];
        let failed = numbers.value("tollgate_config_reloads_total", &failed);
        assert_eq!(failed, times as f64 + 1.0);
    }
    assert_eq!(lines_with(&running, "hunter2"), 0, "no value is told");
    running.write(&config("second"));
    assert!(
        running
            .reloaded()
            .contains("the configuration is good again")
    );
    assert_eq!(running.call("second", SECRET).await, 200);
    assert_eq!(running.ready().await, json!({"status": "ready"}));
    let numbers = numbers(&running.server).await;
    assert_eq!(numbers.value("tollgate_config_current", &[]), 1.0);
    assert_eq!(numbers.value("tollgate_config_generation", &[]), 2.0);
    assert_eq!(lines_with(&running, KEPT), broken.len(), "once for each");
}

#[tokio::test]
async fn a_secret_file_that_goes_away_keeps_the_secret_and_one_that_comes_back_is_taken_up() {
    let mut running = Running::start();
    let secret = running.folder.path().join("secret");
    fs::remove_file(&secret).expect("removed");
    refused(&running, 1);
    assert_eq!(running.call("first", SECRET).await, 200);
    write(running.folder.path(), "secret", "too short");
    refused(&running, 2);
    assert_eq!(running.call("first", SECRET).await, 200);
    write(running.folder.path(), "secret", OTHER);
    running.reloaded();
    assert_eq!(running.call("first", SECRET).await, 401);
    assert_eq!(running.call("first", OTHER).await, 200);
}

#[tokio::test]
async fn keys_that_take_a_restart_are_named_and_the_others_are_applied() {
    let mut running = Running::start();
    let other = "server: {adminListen: off, listen: '127.0.0.1:1', maxConnections: 7, maxInFlight: 7}\nquotas: {maxKeys: 7}";
    let text = config("second").replace("server: {adminListen: '127.0.0.1:0'}", other);
    running.write(&text);
    running.reloaded();
    let line = running.server.process.stderr.line("take a restart");
    let keys = "server.listen, server.adminListen, server.maxConnections, server.maxInFlight, quotas.maxKeys";
    assert!(line.contains(&format!("keys=\"{keys}\"")), "{line}");
    assert_eq!(running.call("second", SECRET).await, 200);
    assert_eq!(
        running.ready().await,
        json!({"status": "ready", "config": "the file has changes that need a restart"})
    );
    assert_eq!(
        numbers(&running.server)
            .await
            .value("tollgate_config_current", &[]),
        0.0
    );
}

#[tokio::test]
async fn a_file_that_is_read_on_its_own_is_tried_again_when_it_is_mended() {
    let mut running = Running::start();
    let folder = running.folder.path().to_owned();
    write(&folder, "keys.yaml", "not a list");
    let with_keys = config("second").replace("auth:\n", "auth:\n  apiKeysFile: keys.yaml\n");
    running.write(&with_keys);
    refused(&running, 1);
    assert_eq!(running.call("first", SECRET).await, 200);
    write(&folder, "keys.yaml", "[]");
    running.reloaded();
    assert_eq!(running.call("second", SECRET).await, 200);
}
