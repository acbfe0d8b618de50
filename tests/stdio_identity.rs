//! The promise that stdio speaks for whom the configuration names, and for nobody else.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/session.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod session;
#[path = "support/slow.rs"]
#[expect(dead_code, reason = "other test files use it")]
mod slow;

use std::io::Write;

use binary::{Process, run, tollgate};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use session::{Session, call, legacy, modern, names};
use tempfile::TempDir;

/// What `tollgate init` writes, with another `stdio` section.
fn shop(stdio: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(run(folder.path(), &["init"]).code, Some(0));
    let file = folder.path().join("tollgate.yaml");
    let text = std::fs::read_to_string(&file).expect("a configuration");
    let written = "stdio:\n  principal: {tenant: acme, subject: me, scopes: [\"customer:read\", \"orders:search\"]}\n";
    assert!(text.contains(written), "{text}");
    std::fs::write(&file, text.replace(written, stdio)).expect("a file");
    folder
}

fn start(stdio: &str) -> Session {
    Session::start(shop(stdio), &[])
}

/// The shop for the bearer of `token`.
fn start_with_token(folder: TempDir, token: &str) -> Session {
    std::fs::write(folder.path().join("token"), token).expect("a file");
    Session::start(folder, &[])
}

const FROM_FILE: &str = "stdio: {token: \"${file:token}\"}\n";

fn get_customer(session: &mut Session) -> Value {
    session.ask(&call("get", "get_customer", json!({"customer_id": "c-42"})))
}

#[test]
fn a_process_that_speaks_for_nobody_refuses_everything_and_says_what_to_set() {
    let mut session = start("");
    for request in [
        legacy(1, "initialize", json!({"protocolVersion": "2025-11-25"})),
        legacy(2, "tools/list", json!({})),
        modern(3, "server/discover", json!({})),
        call(4, "get_customer", json!({"customer_id": "c-42"})),
        legacy(5, "resources/read", json!({"uri": "customers://c-42"})),
        legacy(6, "ping", json!({})),
    ] {
        let answer = session.ask(&request);
        assert_eq!(answer["error"]["code"], 40101, "{answer}");
        assert!(answer["error"]["data"]["callId"].is_string(), "{answer}");
    }
    session.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    session.send(&json!({"jsonrpc": "2.0", "id": 7, "result": {}}));
    session.send_bytes(b"junk");
    session
        .process
        .stderr
        .line("set stdio.token or stdio.principal in the configuration");
    assert_eq!(session.close().len(), 6, "only requests are answered");
}

#[test]
fn a_principal_sees_and_calls_what_its_scopes_allow() {
    let mut session =
        start("stdio: {principal: {tenant: globex, subject: me, scopes: [\"customer:read\"]}}\n");
    for list in [
        legacy(1, "tools/list", json!({})),
        modern(2, "tools/list", json!({})),
    ] {
        assert_eq!(names(&session.ask(&list)), ["get_customer"]);
    }
    let customer = get_customer(&mut session);
    assert_eq!(
        customer["result"]["structuredContent"]["name"], "Hiro Tanaka",
        "globex's"
    );
    let hidden = session.ask(&call(3, "find_orders", json!({"query": "o-123"})));
    assert_eq!(hidden["error"]["code"], 40301);
    assert_eq!(
        hidden["error"]["message"],
        "Missing scopes: ['orders:search']"
    );

    let mut session = start("stdio: {principal: {tenant: acme, subject: me}}\n");
    let none: [&str; 0] = [];
    assert_eq!(
        names(&session.ask(&legacy(1, "tools/list", json!({})))),
        none
    );
    let templates = session.ask(&legacy(2, "resources/templates/list", json!({})));
    assert_eq!(templates["result"]["resourceTemplates"], json!([]));
}

#[test]
fn a_token_speaks_for_whom_it_names() {
    let folder = shop(FROM_FILE);
    std::fs::write(folder.path().join("token"), "none yet").expect("a file");
    let arguments = [
        "token",
        "--tenant",
        "globex",
        "--subject",
        "ci",
        "--scope",
        "customer:read",
    ];
    let token = run(folder.path(), &arguments).stdout;
    let mut session = start_with_token(folder, &token);
    assert_eq!(
        get_customer(&mut session)["result"]["structuredContent"]["name"],
        "Hiro Tanaka"
    );
    assert_eq!(
        names(&session.ask(&legacy(1, "tools/list", json!({})))),
        ["get_customer"]
    );
    session
        .process
        .stderr
        .line("tenant=globex subject=ci via=mcp");
}

#[test]
fn a_bad_or_expired_token_is_refused_on_every_call() {
    let sign = |folder: &TempDir, expires: u64| {
        let secret = std::fs::read_to_string(folder.path().join("tollgate.secret"));
        let key = EncodingKey::from_secret(secret.expect("a secret").trim().as_bytes());
        let claims = json!({
            "iss": "https://tollgate.localhost/", "aud": "http://127.0.0.1:8080/mcp", "exp": expires,
            "sub": "ci", "tenant": "acme", "scopes": ["customer:read"],
        });
        encode(&Header::new(Algorithm::HS256), &claims, &key).expect("a token")
    };
    let folder = shop(FROM_FILE);
    let expired = sign(&folder, 1_000_000_000);
    let forged = sign(&shop(FROM_FILE), 4_102_444_800);
    let good = sign(&folder, 4_102_444_800);
    for (token, code) in [
        (&expired, json!(40101)),
        (&forged, json!(40101)),
        (&"no-token".to_owned(), json!(40101)),
        (&good, Value::Null),
    ] {
        std::fs::write(folder.path().join("token"), token).expect("a file");
        let mut process = Process::start(tollgate(folder.path(), &["serve", "--mode", "stdio"]));
        let mut input = process.input.take().expect("a pipe");
        for id in 1..=2 {
            let request = call(id, "get_customer", json!({"customer_id": "c-42"}));
            writeln!(input, "{request}").expect("the process reads");
        }
        drop(input);
        assert_eq!(process.exit_code(), Some(0));
        let said = process.stdout.all();
        assert_eq!(said.len(), 2);
        for answer in said {
            let answer: Value = serde_json::from_str(&answer).expect("JSON");
            assert_eq!(answer["error"]["code"], code, "{answer}");
            assert!(!answer.to_string().contains(token.as_str()));
        }
        assert!(!process.stderr.all().join("").contains(token.as_str()));
    }
}
