//! A log that a server wrote, decided again.

use std::fs;

use serde_json::json;

use crate::binary::{Server, run};
use crate::write;

/// Goes on with the last section of what `init` writes.
const AUDIT: &str = "  arguments: recorded\n";

#[tokio::test]
async fn what_a_server_recorded_is_decided_as_it_decided_it_and_otherwise_by_another_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert_eq!(run(path, &["init"]).code, Some(0));
    let served = fs::read_to_string(path.join("tollgate.yaml")).expect("what init wrote");
    let served = format!("{served}{AUDIT}");
    write(path, "tollgate.yaml", &served);
    let server = Server::start(path, &[]);
    let token = |scope: &'static str| {
        let arguments = [
            "token",
            "--tenant",
            "acme",
            "--subject",
            "ada",
            "--scope",
            scope,
        ];
        run(path, &arguments).stdout.trim().to_owned()
    };
    let (reads, none) = (token("customer:read"), token("other"));
    let call = |id| json!({ "customer_id": id });
    let tool = "/mcp/tool/get_customer";
    for (token, tool, arguments, status) in [
        (&reads, tool, call("c-42"), 200),
        (&reads, tool, call("c-1"), 200),
        (&reads, tool, call("c-404"), 422),
        (&reads, tool, call("nope"), 400),
        (&none, tool, call("c-42"), 403),
        (&reads, "/mcp/tool/nope", json!({}), 404),
    ] {
        let answer = server.post(tool, Some(token), &arguments).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    server.process.terminate();
    let mut server = server;
    assert_eq!(server.process.exit_code(), Some(0));

    let arguments = ["replay", "--quotas", "--format", "json"];
    let done = run(path, &arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
    let told: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(told["same"], 6, "{told:#}");

    let rule = "    rules: [{deny: 'args.customer_id == \"c-1\"'}]\n    rateLimit: 5/10s  ";
    write(
        path,
        "new.yaml",
        &served.replacen("    rateLimit: 5/10s  ", rule, 1),
    );
    let before = fs::read(path.join("audit.jsonl")).expect("a log");
    let done = run(
        path,
        &["replay", "--config", "new.yaml", "--format", "json"],
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    let told: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!(
        (&told["same"], &told["allowedToRefused"]),
        (&json!(5), &json!(1))
    );
    assert_eq!(told["groups"][0]["why"], "refused-by-rule: rules[0]");
    let after = fs::read(path.join("audit.jsonl")).expect("a log");
    assert!(before == after, "the log is only read");
}
