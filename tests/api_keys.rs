//! An API key is an identity as long as the configuration holds its hash and it has not expired, and
//! not a call longer; nothing that is less than the whole key is one.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/declared.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod declared;
#[path = "support/log.rs"]
mod log;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/whoami.rs"]
mod whoami;

use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::json;
use tollgate::auth::NewApiKey;

use caller::Caller;
use whoami::Whoami;

/// The turned clock starts at 2033-05-18T03:33:20Z.
const IN_AN_HOUR: &str = "2033-05-18T04:33:20Z";

fn key(id: &str) -> NewApiKey {
    NewApiKey::random(Some(id.to_owned())).expect("random bytes")
}

/// The entry of a key for `acme`, on one line, whose subject is its id.
fn entry(key: &NewApiKey, expires: &str) -> String {
    format!(
        "- {{id: {id}, hash: '{hash}', tenant: acme, subject: {id}, scopes: ['customer:read'], expires: '{expires}'}}\n",
        id = key.id,
        hash = key.hash
    )
}

fn listed(entries: &[String]) -> String {
    format!("  apiKeys:\n    {}", entries.join("    "))
}

#[tokio::test]
async fn a_key_in_the_configuration_is_its_caller_on_every_surface() {
    let (ci, cron) = (key("ci-bot"), key("cron"));
    let entries = [entry(&ci, IN_AN_HOUR), entry(&cron, "never")];
    let whoami = Whoami::start(&listed(&entries)).await;
    Whoami::is(&whoami.ask(ci.key.expose_secret()).await, "ci-bot");
    Whoami::is(&whoami.ask(cron.key.expose_secret()).await, "cron");
    let caller = Caller::new(whoami.server.url(), cron.key.expose_secret());
    let call = json!({"name": "whoami", "arguments": {}});
    for answer in [
        caller.modern("tools/call", call.clone()).await,
        caller.legacy("tools/call", call).await,
    ] {
        let text = &answer.body["result"]["content"][0]["text"];
        assert!(
            text.as_str().is_some_and(|text| text.contains("cron")),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn only_the_whole_key_is_a_key() {
    log::listen();
    let good = key("ci-bot");
    let whoami = Whoami::start(&listed(&[entry(&good, "never")])).await;
    let text = good.key.expose_secret();
    let (head, secret) = text.split_at("tgk_ci-bot_".len());
    let hex = good.hash.strip_prefix("sha256:").expect("the algorithm");
    let other = key("ci-bot");
    let mut last_changed = text.to_owned();
    let last = last_changed.pop().expect("a character");
    last_changed.push(if last == 'A' { 'B' } else { 'A' });
    for (what, wrong) in [
        (
            "another secret under the same id",
            other.key.expose_secret().to_owned(),
        ),
        (
            "the hash in the place of the secret",
            format!("{head}{hex}"),
        ),
        ("the hash itself", good.hash.clone()),
        ("the hash as a key", format!("tgk_{hex}")),
        ("the secret alone", secret.to_owned()),
        ("no secret", head.to_owned()),
        ("another id", format!("tgk_ci_{secret}")),
        ("upper case", text.to_uppercase()),
        ("one character less", text[..text.len() - 1].to_owned()),
        ("one character more", format!("{text}A")),
        ("padding", format!("{text}=")),
        ("the last character changed", last_changed),
        ("a token in a key", format!("tgk_{}", "a.b.c")),
        ("a long one", format!("tgk_{}", "x".repeat(8_000))),
    ] {
        Whoami::refused(&whoami.ask(&wrong).await, what);
        Whoami::is(&whoami.ask(text).await, "ci-bot");
    }
    assert_eq!(log::lines_with(secret), [""; 0]);
    assert_eq!(log::lines_with(hex), [""; 0]);
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let (short, long) = (key("short"), key("long"));
    let entries = [entry(&short, IN_AN_HOUR), entry(&long, "2033-05-19")];
    let whoami = Whoami::start(&listed(&entries)).await;
    let clock = &whoami.clock;
    clock.advance(Duration::from_secs(3_599));
    Whoami::is(&whoami.ask(short.key.expose_secret()).await, "short");
    clock.advance(Duration::from_secs(1));
    Whoami::refused(
        &whoami.ask(short.key.expose_secret()).await,
        "an expired key",
    );
    Whoami::is(&whoami.ask(long.key.expose_secret()).await, "long");
}

#[tokio::test]
async fn a_key_has_the_scopes_of_its_entry_and_no_other() {
    let key = key("poor");
    let entry = entry(&key, "never").replace("customer:read", "orders:search");
    let whoami = Whoami::start(&listed(&[entry])).await;
    let answer = whoami.ask(key.key.expose_secret()).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(answer.body["detail"], "Missing scopes: ['customer:read']");
}

#[tokio::test]
async fn the_file_of_keys_counts_as_it_is_at_each_call() {
    let (old, new) = (key("old"), key("new"));
    let folder = whoami::folder();
    let file = folder.path().join("api-keys.yaml");
    fs::write(&file, entry(&old, "never")).expect("a file");
    let whoami = Whoami::start_in(folder, "  apiKeysFile: ./api-keys.yaml").await;
    let (old_key, new_key) = (old.key.expose_secret(), new.key.expose_secret());
    Whoami::is(&whoami.ask(old_key).await, "old");
    Whoami::refused(&whoami.ask(new_key).await, "a key not there yet");

    let both = format!("{}{}", entry(&old, "never"), entry(&new, "never"));
    fs::write(&file, both).expect("a file");
    Whoami::is(&whoami.ask(new_key).await, "new");
    Whoami::is(&whoami.ask(old_key).await, "old");

    // As an editor does: another file in its place.
    let beside = whoami.path().join("beside");
    fs::write(&beside, entry(&new, "never")).expect("a file");
    fs::rename(&beside, &file).expect("the place of the old one");
    Whoami::refused(&whoami.ask(old_key).await, "a key that was taken out");
    Whoami::is(&whoami.ask(new_key).await, "new");

    fs::write(&file, "[]\n").expect("a file");
    Whoami::refused(&whoami.ask(new_key).await, "a key of an emptied list");
}

#[tokio::test]
async fn a_broken_file_of_keys_leaves_the_last_good_keys_and_is_told_once() {
    log::listen();
    let (old, new) = (key("steady"), key("newcomer"));
    let folder = whoami::folder();
    let file = folder.path().join("broken-keys.yaml");
    fs::write(&file, entry(&old, "never")).expect("a file");
    let whoami = Whoami::start_in(folder, "  apiKeysFile: broken-keys.yaml").await;
    let told = || log::lines_with("broken-keys.yaml").len();
    assert_eq!(told(), 0);
    let hash_is_a_key = entry(&new, "never").replace(&new.hash, new.key.expose_secret());
    for (times, text) in [
        "- {id: x\n".to_owned(),
        "keys: none\n".to_owned(),
        "# nothing\n".to_owned(),
        format!("{}{}", entry(&new, "never"), entry(&new, "never")),
        hash_is_a_key,
    ]
    .into_iter()
    .enumerate()
    {
        fs::write(&file, &text).expect("a file");
        for _ in 0..3 {
            Whoami::is(&whoami.ask(old.key.expose_secret()).await, "steady");
            Whoami::refused(&whoami.ask(new.key.expose_secret()).await, &text);
        }
        assert_eq!(told(), times + 1, "{text}");
    }
    fs::remove_file(&file).expect("the file");
    Whoami::is(&whoami.ask(old.key.expose_secret()).await, "steady");
    assert_eq!(log::lines_with(new.key.expose_secret()), [""; 0]);

    fs::write(&file, entry(&new, "never")).expect("a file");
    Whoami::is(&whoami.ask(new.key.expose_secret()).await, "newcomer");
    Whoami::refused(&whoami.ask(old.key.expose_secret()).await, "an old key");
}

#[test]
fn faults_of_the_file_of_keys_stop_the_start_with_their_lines() {
    let folder = whoami::folder();
    let yaml = whoami::yaml("  apiKeysFile: api-keys.yaml");
    let faults = || {
        let faults = declared::configure(&yaml, folder.path()).err();
        let folder = format!("{}/", folder.path().display());
        faults.expect("faults").replace(&folder, "")
    };
    assert!(faults().starts_with(
        "api-keys.yaml: cannot read the file of API keys that auth.apiKeysFile names: "
    ));
    let key = key("ci");
    let two = format!(
        "# our keys\n{}{}",
        entry(&key, "never"),
        entry(&key, "someday")
    );
    fs::write(folder.path().join("api-keys.yaml"), two).expect("a file");
    assert_eq!(
        faults(),
        "api-keys.yaml:3: [1].expires: expected a time with an offset such as 2027-01-01T00:00:00Z, a date such as 2027-01-01, or never"
    );
    fs::write(folder.path().join("api-keys.yaml"), "- {id: a, tenat: b}\n").expect("a file");
    assert!(
        faults()
            .contains("api-keys.yaml:1: [0].tenat: unknown key `tenat`; did you mean `tenant`?")
    );
}

#[test]
fn a_key_cannot_be_in_the_configuration_and_in_the_file() {
    let folder = whoami::folder();
    let key = key("ci");
    fs::write(folder.path().join("api-keys.yaml"), entry(&key, "never")).expect("a file");
    let auth = format!(
        "{}  apiKeysFile: api-keys.yaml",
        listed(&[entry(&key, "never")])
    );
    let faults = declared::configure(&whoami::yaml(&auth), folder.path());
    let faults = faults.err().expect("faults");
    assert!(
        faults.contains("api-keys.yaml:1: [0].id: another API key has this id"),
        "{faults}"
    );
    assert!(
        faults.contains("[0].hash: another API key has this hash"),
        "{faults}"
    );
}
