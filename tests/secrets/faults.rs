//! Whatever is wrong with a secret, and wherever it was put by mistake, the fault does not quote it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use tollgate::auth::{Issuer, random_secret};
use tollgate::config::{Config, Environment};
use tollgate::server::ServerBuilder;
use tollgate::transport::http::Tls;

use crate::canary::{Canary, leaks};
use crate::tls::Certificate;

/// `${SECRET}` and `${file:secret}` are this.
struct Given(String);

impl Environment for Given {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "SECRET").then(|| self.0.clone())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.ends_with("secret") {
            true => Ok(self.0.clone()),
            false => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The faults of a file, and the canary in it.
fn faults(yaml: &str, secret: &Canary) -> String {
    let given = Given(secret.text().to_owned());
    let yaml = yaml.replace("CANARY", secret.text());
    Config::parse(&yaml, Path::new("tollgate.yaml"), &given)
        .and_then(ServerBuilder::from_config)
        .err()
        .unwrap_or_else(|| panic!("a good file: {yaml}"))
        .to_string()
}

const ISSUER: &str = "auth:\n  issuers:\n    - issuer: https://h.example/\n      audiences: [a]\n";
const SOURCE: &str = "sources:\n  a:\n    http: https://h.example/\n    headers:\n";
const ENDPOINT: &str = "introspection: {url: 'https://h.example/', clientId: a, ";

/// A good place for a secret, as the start of a file, what ends it, and the key's name.
fn slots() -> Vec<(String, &'static str)> {
    vec![
        (format!("{ISSUER}      secret: "), "\n"),
        (format!("{ISSUER}      {ENDPOINT}clientSecret: "), "}\n"),
        (format!("{SOURCE}      X-Key: "), "\n"),
        ("sources:\n  a:\n    http: ".to_owned(), "\n"),
        ("stdio:\n  token: ".to_owned(), "\n"),
        ("stdio: {token: ".to_owned(), "}\n"),
        (
            "auth:\n  apiKeys:\n    - {id: a, tenant: a, subject: a, expires: never, hash: "
                .to_owned(),
            "}\n",
        ),
        (
            "auth:\n  apiKeys:\n    - {hash: a, tenant: a, subject: a, expires: never, id: "
                .to_owned(),
            "}\n",
        ),
    ]
}

#[test]
fn no_fault_quotes_a_secret_of_a_wrong_kind() {
    let secret = Canary::new("malformed");
    for (start, end) in slots() {
        for written in [
            "[CANARY]",
            "{CANARY: 1}",
            "{a: CANARY}",
            "[[CANARY]]",
            "!CANARY",
            "!!CANARY x",
            "!<CANARY> x",
            "!a!CANARY x",
            "*CANARY",
            "&CANARY",
            "&CANARY [1]",
            "@CANARY",
            "%CANARY",
            "`CANARY`",
            "'CANARY",
            "\"CANARY",
            "\"CANARY\\q\"",
            "\"CANARY\" CANARY",
            "'CANARY' 'CANARY'",
            "CANARY: CANARY",
            "|CANARY",
            ">CANARY",
            "${SECRET",
            "${SECRET:CANARY}",
            "${:CANARY}",
            "${9CANARY}",
            "CANARY${",
            "CANARY${NOT_THERE}",
            "[\"${SECRET}\"]",
            "[\"${file:secret}\"]",
            "{a: \"${SECRET}\"}",
            "- CANARY",
            "? CANARY",
        ] {
            let yaml = format!("{start}{written}{end}unknown: 1\n");
            let told = faults(&yaml, &secret);
            assert!(
                leaks(std::slice::from_ref(&secret), told.as_bytes()).is_empty(),
                "{yaml}{told}"
            );
        }
    }
}

#[test]
fn no_fault_quotes_a_secret_that_is_too_short_or_well_known() {
    for weak in [
        "kanariekooi!",
        "your-256-bit-secret-your-256-bit-secret",
        "changemechangemechangemechangeme",
    ] {
        let secret = Canary::of("weak", weak);
        for written in ["'CANARY'", "\"${SECRET}\"", "\"${file:secret}\""] {
            let told = faults(&format!("{ISSUER}      secret: {written}\n"), &secret);
            assert!(
                told.contains("auth.issuers[0].secret: the secret is"),
                "{told}"
            );
            assert!(
                leaks(std::slice::from_ref(&secret), told.as_bytes()).is_empty(),
                "{told}"
            );
        }
        let refused = Issuer::hs256("i", ["a"], &SecretString::from(weak[..12].to_owned()));
        let refused = refused.err().expect("it is too short").to_string();
        assert!(leaks(&[secret], refused.as_bytes()).is_empty(), "{refused}");
    }
}

/// A space left out makes a key of the whole, and keys are shown.
#[test]
fn no_fault_quotes_a_secret_that_became_part_of_a_key() {
    let secret = Canary::new("in a key");
    for (yaml, told) in [
        (
            "stdio: {token:CANARY}\n",
            "tollgate.yaml:1: stdio.token: unknown key that starts with `token`",
        ),
        (
            "stdio: {token=CANARY}\n",
            "tollgate.yaml:1: stdio.token: unknown key that starts with `token`",
        ),
        (
            "stdio: {token CANARY}\n",
            "tollgate.yaml:1: stdio.token: unknown key that starts with `token`",
        ),
        (
            "stdio:\n  token:CANARY: x\n",
            "tollgate.yaml:2: stdio.token: unknown key that starts with `token`",
        ),
        (
            "sources: {a: {http: 'https://h.example', headers: {X-Key:CANARY}}}\n",
            "sources.a.headers.X-Key: unknown key that starts with `X-Key`",
        ),
        (
            "sources: {a: {http: 'https://h.example', headers: {'Authorization:Bearer CANARY': x}}}\n",
            "sources.a.headers.Authorization: unknown key that starts with `Authorization`",
        ),
        (
            "auth: {issuers: [{issuer: i, audiences: [a], secret:CANARY}]}\n",
            "auth.issuers[0].secret: unknown key that starts with `secret`",
        ),
    ] {
        let found = faults(yaml, &secret);
        assert!(found.contains(told), "{found}");
        assert!(
            leaks(std::slice::from_ref(&secret), found.as_bytes()).is_empty(),
            "{found}"
        );
    }
}

#[test]
fn debug_of_what_holds_secrets_shows_none() {
    let certificate = Certificate::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (chain, key) = certificate.write(folder.path());
    let secret = Canary::new("debug");
    let yaml = format!(
        "{ISSUER}      secret: CANARY\n    - issuer: b\n      audiences: [b]\n      {ENDPOINT}clientSecret: CANARY}}\nstdio: {{token: CANARY}}\n{SOURCE}      X-Key: CANARY\n"
    );
    let yaml = yaml.replace("CANARY", secret.text());
    let config = Config::parse(&yaml, Path::new("t.yaml"), &Given(String::new()));
    let config = config.expect("a good file");
    let key_text = std::fs::read_to_string(&key).expect("a key");
    let lines: Vec<&str> = key_text
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    let canaries = [secret, Canary::of("the key", lines.concat())];
    let tls = Tls::load(chain.clone(), key).expect("a pair");
    let random = random_secret().expect("random bytes");
    let mut shown = BTreeMap::from([
        ("Config", format!("{config:?} {config:#?}")),
        ("Tls", format!("{tls:?} {tls:#?}")),
        ("SecretString", format!("{random:?}")),
    ]);
    // A key where the certificate belongs, and the other way round.
    for (name, certificate, key) in [
        ("swapped", folder.path().join("tls.key"), chain.clone()),
        ("cut off", chain.clone(), cut(folder.path(), &key_text)),
        ("no key", chain.clone(), chain),
    ] {
        let error = Tls::load(certificate, key).expect_err("no pair");
        shown.insert(name, format!("{error} {error:?}"));
    }
    for (name, text) in shown {
        assert!(!text.is_empty());
        assert!(
            leaks(&canaries, text.as_bytes()).is_empty(),
            "{name}: {text}"
        );
    }
}

fn cut(folder: &Path, key: &str) -> PathBuf {
    let path = folder.join("cut.key");
    std::fs::write(&path, &key[..key.len() - 40]).expect("a file");
    path
}
