//! stdio, in both eras: the question goes to whoever started the process.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::session::{Session, legacy};
use crate::whoami;
use crate::world::KEY;

/// A folder with a tool `close` that needs approval where `id` is not `free`.
pub(crate) fn folder() -> TempDir {
    let folder = whoami::folder();
    let text = r#"
stdio: {principal: {tenant: acme, subject: me, scopes: []}}
sources: {empty: {sqlite: ./empty.db, threads: 1}}
tools:
  close:
    description: Closes.
    anyAuthenticated: true
    confirm: args.id != 'free'
    parameters: {id: {type: string}}
    sql: {source: empty, statement: "SELECT :id AS closed", result: one}
"#;
    std::fs::write(folder.path().join("tollgate.yaml"), text).expect("a file");
    folder
}

fn close(id: u32) -> Value {
    let params = json!({"name": "close", "arguments": {"id": "a-1"}});
    legacy(id, "tools/call", params)
}

#[test]
fn a_client_with_a_handshake_is_asked_while_the_call_waits() {
    let mut session = Session::start(folder(), &[]);
    session.ask(&legacy(
        1,
        "initialize",
        json!({"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}}),
    ));
    for (id, action, is_error) in [(2, "accept", false), (3, "decline", true)] {
        session.send(&close(id));
        let question = session.process.stdout.wait_for(|lines| {
            let messages = lines.iter().map(|line| serde_json::from_str(line));
            let mut questions = messages
                .map(|message: Result<Value, _>| message.expect("JSON"))
                .filter(|message| message["method"] == "elicitation/create");
            questions.nth(id as usize - 2)
        });
        assert!(
            question["params"]["message"]
                .as_str()
                .expect("a text")
                .contains("id: \"a-1\"")
        );
        let answer = json!({"jsonrpc": "2.0", "id": question["id"], "result": {"action": action}});
        session.send(&answer);
        let said = session.answer(&json!(id));
        assert_eq!(said["result"]["isError"], is_error, "{said}");
    }
}

#[test]
fn a_client_of_self_describing_messages_makes_the_call_again() {
    let mut session = Session::start(folder(), &[]);
    let mut call = close(1);
    call["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    });
    let asked = session.ask(&call);
    assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
    call["id"] = json!(2);
    call["params"]["requestState"] = asked["result"]["requestState"].clone();
    call["params"]["inputResponses"] = json!({KEY: {"action": "accept"}});
    let said = session.ask(&call);
    assert_eq!(
        said["result"]["structuredContent"]["closed"], "a-1",
        "{said}"
    );
}
