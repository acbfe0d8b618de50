//! `tollgate apikey new`: the key is shown once, the configuration gets its hash, and a file of keys
//! is added to in one step or not at all.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/commands.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod commands;

use std::fs;
use std::path::Path;

use binary::{Finished, GET_CUSTOMER, Process, Server, run, tollgate};
use commands::{fails, folder, initialized};
use serde_json::json;

const WHO: [&str; 8] = [
    "apikey",
    "new",
    "--tenant",
    "acme",
    "--subject",
    "ci",
    "--scope",
    "customer:read",
];

fn new(folder: &Path, further: &[&str]) -> Finished {
    run(folder, &[&WHO, further].concat())
}

/// The one line that the command prints.
#[track_caller]
fn key(finished: &Finished) -> &str {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
    let key = finished.stdout.trim_end();
    assert!(key.starts_with("tgk_"), "{finished:?}");
    assert!(!finished.stderr.contains(key), "{finished:?}");
    key
}

/// Adds to the configuration what comes below `auth:`.
fn configure(folder: &Path, auth: &str) {
    let path = folder.join("tollgate.yaml");
    let text = fs::read_to_string(&path).expect("a configuration");
    let text = text.replacen("\nauth:\n", &format!("\nauth:\n{auth}"), 1);
    assert!(text.contains(auth), "{text}");
    fs::write(&path, text).expect("a file");
}

#[tokio::test]
async fn a_new_key_works_with_the_entry_that_was_printed() {
    let folder = initialized();
    let made = new(folder.path(), &["--expires", "90d", "--id", "ci-bot"]);
    let key = key(&made);
    assert!(key.starts_with("tgk_ci-bot_"));
    assert!(made.stderr.contains("the only time that the key is shown"));
    let (_, entry) = made.stderr.split_once("- id:").expect("an entry");
    let indented = entry.trim_end().replace('\n', "\n    ");
    configure(folder.path(), &format!("  apiKeys:\n    - id:{indented}\n"));

    let server = Server::start(folder.path(), &[]);
    let arguments = json!({"customer_id": "c-42"});
    let answer = server.post(GET_CUSTOMER, Some(key), &arguments).await;
    assert_eq!(answer.body["result"]["name"], "Jane Doe");
}

#[tokio::test]
async fn a_key_added_to_the_file_works_without_a_restart() {
    let folder = initialized();
    let first = new(
        folder.path(),
        &["--expires", "never", "--file", "api-keys.yaml"],
    );
    configure(folder.path(), "  apiKeysFile: ./api-keys.yaml\n");
    let server = Server::start(folder.path(), &[]);
    let second = new(
        folder.path(),
        &["--expires", "2999-01-01", "--file", "api-keys.yaml"],
    );
    for made in [&first, &second] {
        let arguments = json!({"customer_id": "c-42"});
        let answer = server.post(GET_CUSTOMER, Some(key(made)), &arguments).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            made.stderr
                .contains("to api-keys.yaml; this is the only time")
        );
    }
    let text = fs::read_to_string(folder.path().join("api-keys.yaml")).expect("a file");
    assert!(text.contains("expires: \"2999-01-01T00:00:00Z\""), "{text}");
    assert!(!text.contains("tgk_"), "{text}");
}

#[test]
fn only_a_server_that_lets_nobody_in_says_so_at_start() {
    let folder = folder();
    fs::write(folder.path().join("api-keys.yaml"), "[]").expect("a file");
    for (auth, is_said) in [("", true), ("apiKeysFile: ./api-keys.yaml", false)] {
        let text = format!("auth: {{{auth}}}\nserver: {{adminListen: off}}\n");
        fs::write(folder.path().join("tollgate.yaml"), text).expect("a file");
        let mut process = Process::start(tollgate(folder.path(), &["serve", "--port", "0"]));
        process.stderr.line("listening on ");
        process.terminate();
        assert_eq!(process.exit_code(), Some(0));
        let said = process.stderr.all();
        let mut lines = said.iter();
        let found = lines.any(|line| line.contains("every call will be refused"));
        assert_eq!(found, is_said, "{said:?}");
    }
}

#[test]
fn adding_keeps_comments_indentation_and_permissions() {
    let folder = folder();
    let path = folder.path().join("keys.yaml");
    let hash = format!("sha256:{}", "0".repeat(64));
    let old = format!(
        "# our keys\n  - id: old # of the night job\n    hash: {hash}\n    tenant: acme\n    subject: night\n    expires: never\n  # the end"
    );
    fs::write(&path, &old).expect("a file");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("permissions");
    }
    key(&new(
        folder.path(),
        &["--expires", "1d", "--id", "new", "--file", "keys.yaml"],
    ));
    let text = fs::read_to_string(&path).expect("a file");
    assert!(
        text.starts_with(&format!("{old}\n  - id: \"new\"\n    hash: \"sha256:")),
        "{text}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn a_file_that_cannot_be_added_to_stays_as_it_is_and_no_key_is_shown() {
    for (text, message) in [
        (
            "keys: []\n",
            "keys.yaml:1: expected a list, found a mapping",
        ),
        ("- {id: a\n", "not a valid YAML file"),
        (
            "[{id: a, hash: 'sha256:0000000000000000000000000000000000000000000000000000000000000000', tenant: t, subject: s, expires: never}]\n",
            "is no plain list that an entry can be added to at its end",
        ),
        (
            "- {id: new, hash: 'sha256:0000000000000000000000000000000000000000000000000000000000000000', tenant: t, subject: s, expires: never}\n",
            "has a key with the id new already",
        ),
    ] {
        let folder = folder();
        fs::write(folder.path().join("keys.yaml"), text).expect("a file");
        let refused = new(
            folder.path(),
            &["--expires", "1d", "--id", "new", "--file", "keys.yaml"],
        );
        fails(&refused, 1, message);
        let kept = fs::read_to_string(folder.path().join("keys.yaml")).expect("a file");
        assert_eq!(kept, text);
    }
    let folder = folder();
    let refused = new(
        folder.path(),
        &["--expires", "1d", "--file", "none/keys.yaml"],
    );
    fails(&refused, 1, "cannot write none/keys.yaml");
}

#[test]
fn an_empty_list_and_a_file_of_comments_take_a_first_key() {
    for text in ["", "# keys\n", "[]\n", "# keys\n[]"] {
        let folder = folder();
        fs::write(folder.path().join("keys.yaml"), text).expect("a file");
        key(&new(
            folder.path(),
            &["--expires", "1d", "--file", "keys.yaml"],
        ));
        let again = new(folder.path(), &["--expires", "1d", "--file", "keys.yaml"]);
        key(&again);
    }
}

#[test]
fn wrong_use_is_told() {
    let folder = folder();
    for (arguments, code, message) in [
        (&[][..], 2, "--expires"),
        (
            &["--expires", "soon"],
            2,
            "or never, or a duration such as 90d",
        ),
        (
            &["--expires", "1d", "--id", "CI_bot"],
            2,
            "an id is 1 to 32 lower-case letters",
        ),
        (
            &["--expires", "2020-01-01"],
            1,
            "--expires is not in the future",
        ),
        (&["--expires", "0s"], 1, "--expires is not in the future"),
        (
            &["--expires", "99999999d"],
            1,
            "--expires is beyond the year 9999",
        ),
        (&["--expires", "1d", "--scope", "a b"], 1, "scope-tokens"),
    ] {
        fails(&new(folder.path(), arguments), code, message);
    }
    let help = run(folder.path(), &["apikey", "new", "--help"]);
    assert!(
        help.stdout
            .contains("Example:\n  tollgate apikey new --tenant acme"),
        "{help:?}"
    );
}

#[test]
fn a_minted_token_ends_within_a_year() {
    let folder = initialized();
    let mint = |ttl: &str| {
        let arguments = ["token", "--tenant", "acme", "--subject", "ci", "--ttl", ttl];
        run(folder.path(), &arguments)
    };
    assert_eq!(mint("366d").code, Some(0));
    fails(
        &mint("367d"),
        2,
        "--ttl must be more than zero and at most 366d",
    );
}

#[test]
fn serve_says_so_when_no_credential_can_be_good() {
    let key = "{id: ci, hash: 'sha256:0000000000000000000000000000000000000000000000000000000000000000', tenant: t, subject: s, expires: never}";
    for (auth, is_warned) in [
        ("{}".to_owned(), true),
        (format!("{{apiKeys: [{key}]}}"), false),
        ("{apiKeysFile: ./keys.yaml}".to_owned(), false),
    ] {
        let folder = folder();
        fs::write(folder.path().join("keys.yaml"), "[]").expect("a file");
        fs::write(
            folder.path().join("tollgate.yaml"),
            format!("auth: {auth}\n"),
        )
        .expect("a file");
        let mut server = Server::start(folder.path(), &[]);
        server.process.terminate();
        assert_eq!(server.process.exit_code(), Some(0), "{auth}");
        let said = server.process.stderr.all();
        let warned = said
            .iter()
            .any(|line| line.contains("so every call will be refused"));
        assert_eq!(warned, is_warned, "{said:#?}");
    }
}
