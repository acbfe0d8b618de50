//! Public keys and the `tollgate` binary: what `serve`, `call`, `check` and `token` make of issuers
//! that have them.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/commands.rs"]
mod commands;
#[path = "support/key_server.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod key_server;
#[path = "support/signers.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod signers;

use std::fs;
use std::io::Write;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::Clock;

use binary::{GET_CUSTOMER, Process, Server, run, tollgate};
use commands::{JANE, fails, initialized};
use key_server::{KEYS, KeyServer, METADATA};
use signers::Signer;

const AUDIENCE: &str = "http://127.0.0.1:8080/mcp";

/// The shop of `tollgate init`, with these lines in its list of issuers, before the one with a secret.
fn shop(issuers: &str) -> TempDir {
    let folder = initialized();
    edit(&folder, "  issuers:\n", &format!("  issuers:\n{issuers}"));
    folder
}

fn edit(folder: &TempDir, old: &str, new: &str) {
    let path = folder.path().join("tollgate.yaml");
    let text = fs::read_to_string(&path).expect("a file");
    assert!(text.contains(old), "{text}");
    fs::write(&path, text.replacen(old, new, 1)).expect("written");
}

fn discovered(keys: &KeyServer) -> String {
    let name = keys.url();
    format!("    - {{issuer: \"{name}\", audiences: [\"{AUDIENCE}\"]}}\n")
}

fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": AUDIENCE, "exp": Clock::system().unix().as_secs() + 600,
        "sub": "ada", "tenant": "acme", "scopes": ["customer:read"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_keys_that_is_down_at_start_does_not_stop_the_others() {
    let signer = Signer::p256("1");
    let (dead, alive) = (
        KeyServer::start(&[signer.jwk()]).await,
        KeyServer::start(&[signer.jwk()]).await,
    );
    dead.dies();
    let folder = shop(&[discovered(&dead), discovered(&alive)].concat());
    let server = Server::start(folder.path(), &[]);
    let customer = json!({"customer_id": "c-42"});
    let good = signer.token("ES256", &claims(alive.url()));
    let answer = server.post(GET_CUSTOMER, Some(&good), &customer).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let minted = run(
        folder.path(),
        &[
            "token",
            "--tenant",
            "acme",
            "--subject",
            "ci",
            "--scope",
            "customer:read",
        ],
    );
    let minted = minted.stdout.trim();
    let answer = server.post(GET_CUSTOMER, Some(minted), &customer).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let lost = signer.token("ES256", &claims(dead.url()));
    let answer = server.post(GET_CUSTOMER, Some(&lost), &customer).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
    let line = server.process.stderr.line("keys cannot be loaded");
    assert!(
        line.contains("ERROR") && line.contains(dead.url()),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn call_and_stdio_fetch_the_keys_that_their_token_needs() {
    let signer = Signer::ed25519("1");
    let keys = KeyServer::start(&[signer.jwk()]).await;
    let folder = shop(&discovered(&keys));
    let token = signer.token("EdDSA", &claims(keys.url()));
    let call = [
        "call",
        "get_customer",
        "customer_id=c-42",
        "--token",
        &token,
    ];
    assert_eq!(run(folder.path(), &call).stdout, JANE);

    let principal =
        r#"principal: {tenant: acme, subject: me, scopes: ["customer:read", "orders:search"]}"#;
    edit(&folder, principal, &format!("token: \"{token}\""));
    let mut process = Process::start(tollgate(folder.path(), &["serve", "--mode", "stdio"]));
    let params = json!({"name": "get_customer", "arguments": {"customer_id": "c-42"}});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    let input = process.input.as_mut().expect("a pipe");
    writeln!(input, "{message}").expect("it reads");
    let answer = process.stdout.line("\"id\":1");
    assert!(answer.contains("Jane Doe"), "{answer}");
    process.input.take();
    assert_eq!(process.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_does_without_the_network_and_says_so() {
    let keys = KeyServer::start(&[]).await;
    let folder = shop(&discovered(&keys));
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let note = format!(
        "the keys of {} were not checked: the server fetches them when it starts",
        keys.url()
    );
    assert!(checked.stderr.contains(&note), "{checked:?}");
    assert_eq!((keys.visits(METADATA), keys.visits(KEYS)), (0, 0));
}

#[test]
fn keys_that_cannot_be_trusted_are_faults_with_a_place() {
    for (entry, fault) in [
        (
            "{issuer: 'http://login.example.com/', audiences: [a]}",
            "tollgate.yaml:15: auth.issuers[0].issuer: keys are discovered at the issuer's URL, and `issuer` is not one",
        ),
        (
            "{issuer: x, audiences: [a], jwks: {url: 'http://login.example.com/'}}",
            "tollgate.yaml:15: auth.issuers[0].jwks.url: the URL of the keys must be an https URL",
        ),
        (
            "{issuer: x, audiences: [a], jwks: {file: ./missing.json}}",
            "tollgate.yaml:15: auth.issuers[0].jwks.file: the file of keys cannot be read",
        ),
        (
            "{issuer: x, audiences: [a], jwks: {file: ./tollgate.yaml}}",
            "tollgate.yaml:15: auth.issuers[0].jwks.file: not a JWK Set",
        ),
    ] {
        let folder = shop(&format!("    - {entry}\n"));
        fails(&run(folder.path(), &["check"]), 1, fault);
    }
    let folder = shop("    - {issuer: x, audiences: [a], jwks: {file: ./keys.json}}\n");
    fs::write(folder.path().join("keys.json"), r#"{"keys":[]}"#).expect("written");
    let checked = run(folder.path(), &["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(!checked.stderr.contains("were not checked"), "{checked:?}");
}

#[test]
fn only_an_issuer_with_a_secret_mints_tokens() {
    let folder = shop("    - {issuer: 'https://login.example.com/', audiences: [a]}\n");
    let token = |more: &[&str]| {
        let arguments = [&["token", "--tenant", "acme", "--subject", "ci"], more].concat();
        run(folder.path(), &arguments)
    };
    // By default the first that has one, though another comes before.
    assert_eq!(token(&[]).code, Some(0));
    fails(
        &token(&["--issuer", "https://login.example.com/"]),
        1,
        "an issuer with public keys signs its tokens itself",
    );
}
