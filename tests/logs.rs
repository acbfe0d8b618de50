//! What stands on standard error: JSON where programs read, text where people do, one line for each
//! thing, and a call's failure once, with its id.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tollgate::auth::NewApiKey;

use binary::{Process, Server, finish, run, tollgate};

const BROKEN: &str = r#"
server: {adminListen: off}
stdio: {principal: {tenant: acme, subject: ada}}
sources: {shop: {sqlite: ./shop.db}}
tools:
  broken:
    description: Fails in the database.
    anyAuthenticated: true
    parameters: {text: {type: string}}
    sql: {source: shop, statement: "SELECT json(:text) AS text", result: many}
"#;

fn folder(yaml: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    rusqlite::Connection::open(folder.path().join("shop.db"))
        .and_then(|shop| shop.execute_batch("CREATE TABLE things (at)"))
        .expect("a database");
    fs::write(folder.path().join("tollgate.yaml"), yaml).expect("a file");
    folder
}

/// A command that nobody told how lines should look.
fn untold(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = tollgate(folder, arguments);
    command.env_remove("TOLLGATE_LOG_FORMAT");
    command
}

fn serve(folder: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Process {
    let arguments = [&["serve", "--port", "0"], arguments].concat();
    let mut command = untold(folder, &arguments);
    command.envs(variables.iter().copied());
    Process::start(command)
}

/// The line as an object with what every object has.
#[track_caller]
fn object(line: &str) -> Value {
    let object: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let mut names = object.as_object().expect("an object").keys();
    let first = [names.next(), names.next(), names.next()];
    assert_eq!(
        first.map(|name| name.map(String::as_str)),
        [Some("time"), Some("level"), Some("message")]
    );
    let time = object["time"].as_str().expect("a time");
    assert!(time.len() == 27 && time.ends_with('Z'), "{time}");
    object
}

#[cfg(unix)]
#[test]
fn where_nobody_reads_along_each_line_is_an_object_and_a_failed_call_has_its_id_once() {
    // A collector that is not there: traces are made, and where to look for one stands in the line.
    let folder = folder(&format!("{BROKEN}telemetry: {{traces: [otlp]}}\n"));
    let nowhere = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")];
    let mut process = serve(folder.path(), &nowhere, &["--mode", "stdio"]);
    let secret = "not json, hunter2";
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "broken", "arguments": {"text": secret}}});
    writeln!(process.input.as_mut().expect("its input"), "{call}").expect("it reads");
    let answer = process.stdout.line("\"id\":1");
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
    let said = process.stderr.all();
    let objects: Vec<Value> = said.iter().map(|line| object(line)).collect();
    let failed: Vec<&Value> = objects
        .iter()
        .filter(|line| line["level"] == "ERROR")
        .collect();
    let [failed] = &failed[..] else {
        panic!("one failure: {said:#?}");
    };
    assert_eq!(failed["target"], "broken");
    let id = failed["callId"].as_str().expect("an id");
    assert!(answer.contains(id), "{id}: {answer}");
    let trace = failed["traceId"].as_str().expect("a trace");
    assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()));
    assert!(
        !said.iter().any(|line| line.contains("hunter2")),
        "{said:#?}"
    );
    assert!(
        objects.iter().any(|line| line["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("stopping:"))),
        "{said:#?}"
    );
}

#[cfg(unix)]
#[test]
fn a_failed_call_names_its_trace_where_there_is_one() {
    let folder = folder(&format!(
        "{BROKEN}telemetry: {{traces: [console], logs: json}}\n"
    ));
    let mut process = serve(folder.path(), &[], &["--mode", "stdio"]);
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "broken", "arguments": {"text": "no json"},
            "_meta": {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}});
    writeln!(process.input.as_mut().expect("its input"), "{call}").expect("it reads");
    let failed = object(&process.stderr.line("\"ERROR\""));
    assert_eq!(failed["traceId"], "0af7651916cd43dd8448eb211c80319c");
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
}

#[test]
fn people_read_text() {
    let spans = format!("{BROKEN}telemetry: {{traces: [console]}}\n");
    let text = format!("{BROKEN}telemetry: {{logs: text}}\n");
    let json = format!("{BROKEN}telemetry: {{logs: json}}\n");
    for (yaml, variable, is_dev, is_json) in [
        (BROKEN, None, false, true),
        (BROKEN, Some("text"), false, false),
        (BROKEN, None, true, false),
        (&spans, None, false, false),
        (&text, None, false, false),
        (&json, None, true, true),
        (&json, Some("text"), false, false),
        (&text, Some("json"), false, true),
        (&text, Some("auto"), false, true),
        (&json, Some(""), false, true),
    ] {
        let folder = folder(yaml);
        let variables = variable.map(|value| ("TOLLGATE_LOG_FORMAT", value));
        let dev: &[&str] = if is_dev { &["--dev"] } else { &[] };
        let process = serve(folder.path(), variables.as_slice(), dev);
        let line = process.stderr.line("listening on http://127.0.0.1:");
        let case = format!("{variable:?} {dev:?}: {line}");
        assert_eq!(line.starts_with('{'), is_json, "{case}");
        if is_json {
            assert_eq!(object(&line)["level"], "INFO", "{case}");
        } else {
            assert!(line.starts_with("listening on "), "{case}");
        }
    }
}

#[test]
fn a_fault_of_the_file_is_an_object_for_each_line() {
    let folder = folder("server: {lisen: x}\ntelemetry: {trace: []}\n");
    let ended = finish(untold(folder.path(), &["serve", "--port", "0"]));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let faults: Vec<Value> = ended.stderr.lines().map(object).collect();
    assert_eq!(faults.len(), 2, "{ended:?}");
    for fault in &faults {
        assert_eq!(fault["level"], "ERROR");
        assert!(
            fault["message"]
                .as_str()
                .is_some_and(|text| text.starts_with("tollgate.yaml:")),
            "{fault}"
        );
    }
}

#[test]
fn a_panic_is_told_in_objects_as_well() {
    let folder = folder(&BROKEN.replace(
        "SELECT json(:text) AS text",
        "SELECT * FROM odd WHERE :text",
    ));
    // A column whose name is no UTF-8, which SQLite's wrapper panics on.
    let odd = "CREATE TABLE odd (at); PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = CAST(x'435245415445205441424C45206F6464202822FF2229' AS TEXT) WHERE name = 'odd';";
    rusqlite::Connection::open(folder.path().join("shop.db"))
        .and_then(|shop| shop.execute_batch(odd))
        .expect("an odd database");
    // Not as others: those make sure that nothing panics.
    let mut command = untold(folder.path(), &["serve", "--port", "0"]);
    let ended = command.stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(ended.status.code(), Some(1));
    let said = String::from_utf8(ended.stderr).expect("UTF-8");
    let objects: Vec<Value> = said.lines().map(object).collect();
    let tells = |object: &&Value| {
        object["message"]
            .as_str()
            .is_some_and(|text| text.contains("panicked at"))
    };
    assert_eq!(objects.iter().filter(tells).count(), 1, "{said}");
}

#[test]
fn other_commands_speak_to_people() {
    let folder = folder("server: {lisen: x}\n");
    let ended = finish(untold(folder.path(), &["check"]));
    assert!(ended.stderr.starts_with("tollgate.yaml:1: "), "{ended:?}");
}

#[test]
fn a_form_that_is_none_ends_the_start() {
    let folder = folder(BROKEN);
    let mut command = untold(folder.path(), &["serve", "--port", "0"]);
    command.env("TOLLGATE_LOG_FORMAT", "hunter2");
    let ended = finish(command);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("TOLLGATE_LOG_FORMAT") && !ended.stderr.contains("hunter2"),
        "{ended:?}"
    );
    assert_eq!(run(folder.path(), &["check"]).code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_reload_changes_the_form() {
    let folder = folder(BROKEN);
    let process = serve(folder.path(), &[], &[]);
    object(&process.stderr.line("listening on "));
    let text = format!("{BROKEN}telemetry: {{logs: text}}\n");
    fs::write(folder.path().join("tollgate.yaml"), text).expect("a file");
    process.hang_up();
    process.stderr.line("the configuration was loaded again");
    fs::write(folder.path().join("tollgate.yaml"), "server: {lisen: x}\n").expect("a file");
    process.hang_up();
    let line = process.stderr.line("unknown key `lisen`");
    assert!(line.contains(" ERROR tollgate.yaml:1: "), "{line}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn that_there_is_no_room_for_further_buckets_is_said_once() {
    let keys = ["ada", "bob"].map(|id| NewApiKey::random(Some(id.to_owned())).expect("a key"));
    let entry = |key: &NewApiKey| {
        let (id, hash) = (&key.id, &key.hash);
        format!(
            "{{id: {id}, hash: \"{hash}\", tenant: {id}, subject: {id}, scopes: [], expires: never}}"
        )
    };
    let limited = BROKEN.replace("    anyAuth", "    rateLimit: 1/1h\n    anyAuth");
    let all = keys.each_ref().map(entry).join(", ");
    let folder = folder(&format!(
        "{limited}quotas: {{maxKeys: 1}}\nauth: {{apiKeys: [{all}]}}\n"
    ));
    let mut server = Server::start(folder.path(), &[]);
    let arguments = json!({"text": "{}"});
    let mut statuses = Vec::new();
    for key in [&keys[0], &keys[1], &keys[1]] {
        let key = key.key.expose_secret();
        let answer = server.post("/mcp/tool/broken", Some(key), &arguments);
        statuses.push(answer.await.status);
    }
    assert_eq!(statuses, [200, 503, 503]);
    server.process.terminate();
    assert_eq!(server.process.exit_code(), Some(0));
    let said = server.process.stderr.all();
    let full = said
        .iter()
        .filter(|line| line.contains("set quotas.maxKeys higher"));
    assert_eq!(full.count(), 1, "{said:#?}");
}
