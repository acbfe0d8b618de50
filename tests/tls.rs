//! The promise of TLS: ended here if so configured, with a certificate that is renewed without a
//! restart, and a server that does not start where tokens would cross a network in the clear.
#![cfg(unix)]

#[expect(dead_code, reason = "other test files use the rest")]
#[path = "support/binary.rs"]
mod binary;
#[path = "support/log.rs"]
mod log;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;
#[path = "support/tls.rs"]
mod tls;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use scrape::Scrape;
use serde_json::{Value, json};
use tls::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tollgate::testing::TestServer;
use tollgate::transport::http::{Limits, Tls};
use wire::{SCOPES, shop};

const PATIENCE: Duration = Duration::from_secs(30);

async fn secure(tls: Tls, limits: Limits) -> TestServer {
    let admin = ([127, 0, 0, 1], 0).into();
    TestServer::start(|server| {
        let server = server.tls(tls).limits(limits).admin_listen(admin);
        shop(server, Arc::default())
    })
    .await
}

#[tokio::test]
async fn calls_are_served_under_https_and_every_published_url_says_so() {
    let certificate = Certificate::new();
    let server = secure(certificate.load(), Limits::default()).await;
    assert!(server.url().starts_with("https://127.0.0.1:"));
    let client = certificate.reqwest();
    let call = client
        .post(format!("{}/mcp/tool/greet", server.url()))
        .bearer_auth(server.token_for("acme", "ada", &SCOPES))
        .header("origin", server.url())
        .json(&json!({"name": "Ada"}));
    let answer = call.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let metadata = format!("{}/.well-known/oauth-protected-resource", server.url());
    let metadata: Value = client
        .get(metadata)
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(metadata["resource"], format!("{}/mcp", server.url()));
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_the_protocol_is_agreed_on() {
    let certificate = Certificate::new();
    let server = secure(certificate.load(), Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider);
        let builder = builder
            .with_protocol_versions(&[version])
            .expect("a version");
        let roots = certificate.roots();
        let config = builder.with_root_certificates(roots).with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = tls::tcp(&server).await;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await;
        let stream = stream.expect("a handshake");
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
    }
    for (offered, taken) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = certificate.connect(&server, offered).await;
        assert_eq!(stream.get_ref().1.alpn_protocol(), taken, "{offered:?}");
    }
}

#[tokio::test]
async fn ambiguous_framing_is_refused_within_tls_as_well() {
    let certificate = Certificate::new();
    let server = secure(certificate.load(), Limits::default()).await;
    let mut stream = certificate.connect(&server, &["http/1.1"]).await;
    let bad = b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: y\nz: 1\r\n\r\n";
    stream.write_all(bad).await.expect("it reads");
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    let _ = read.expect("it closes");
    assert!(
        answer.starts_with(b"HTTP/1.1 400 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn who_does_not_shake_hands_is_cut_off_and_holds_nobody_up() {
    let certificate = Certificate::new();
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ..Limits::default()
    };
    let server = secure(certificate.load(), limits).await;
    let mut silent = tls::tcp(&server).await;
    let mut plain = tls::tcp(&server).await;
    plain
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .expect("it reads");
    certificate.connect(&server, &["h2"]).await;
    for stream in [&mut silent, &mut plain] {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        // A reset is one way to close; an alert may come before.
        let _ = read.expect("it closes");
        assert!(!rest.starts_with(b"HTTP"));
    }
}

/// Makes `folder/name` a link to `target` in one step, as Kubernetes does.
fn swap_link(folder: &Path, name: &str, target: &str) {
    let new = folder.join("new");
    symlink(target, &new).expect("a link");
    fs::rename(&new, folder.join(name)).expect("it moves");
}

async fn served(server: &TestServer, certificate: &Certificate) -> bool {
    let config = certificate.client(&[]);
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = tls::tcp(server).await;
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .is_ok()
}

/// Waits until `holds` does.
async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async { while !holds().await {} };
    timeout(PATIENCE, waiting).await.expect("it comes true");
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_a_bad_one_is_not() {
    log::listen();
    let folder = tempfile::tempdir().expect("a folder");
    let (old, new) = (Certificate::new(), Certificate::new());
    for (name, certificate) in [("v1", &old), ("v2", &new), ("v3", &old)] {
        fs::create_dir(folder.path().join(name)).expect("a folder");
        certificate.write(&folder.path().join(name));
    }
    // The third is what a renewal looks like half-way.
    fs::write(folder.path().join("v3/tls.key"), &new.key).expect("a file");
    swap_link(folder.path(), "..data", "v1");
    for name in ["tls.crt", "tls.key"] {
        symlink(format!("..data/{name}"), folder.path().join(name)).expect("a link");
    }
    let tls = Tls::load(folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let limits = Limits {
        reload: Duration::from_millis(20),
        ..Limits::default()
    };
    let server = secure(tls.expect("a pair"), limits).await;
    let mut open = old.connect(&server, &["http/1.1"]).await;

    swap_link(folder.path(), "..data", "v2");
    until(async || served(&server, &new).await).await;
    assert!(!served(&server, &old).await);
    let request = b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    open.write_all(request)
        .await
        .expect("connections that are open stay");
    let mut answer = Vec::new();
    let _ = open.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 "));

    let refused = "the one before stays in use";
    for (step, bad) in ["v3", "nowhere"].into_iter().enumerate() {
        swap_link(folder.path(), "..data", bad);
        until(async || {
            tokio::task::yield_now().await;
            log::lines_with(refused).len() == step + 1
        })
        .await;
        assert!(served(&server, &new).await, "{bad}");
    }
    swap_link(folder.path(), "..data", "v1");
    until(async || served(&server, &old).await).await;
    let said = log::lines_with(refused);
    assert_eq!(said.len(), 2, "once each: {said:#?}");
    let numbers = Scrape::of(server.admin_url().expect("an admin listener")).await;
    for outcome in ["ok", "failed"] {
        let labels = [("tollgate_outcome", outcome)];
        let loads = numbers.value("tollgate_certificate_loads_total", &labels);
        assert_eq!(loads, 2.0, "{outcome}");
    }
    for secret in [&old.key, &new.key] {
        let middle = secret.lines().nth(1).expect("base64");
        assert!(log::lines_with(middle).is_empty());
    }
}

/// `serve` with this server section: how it ended, and what it said.
fn refused(folder: &Path, server: &str) -> String {
    fs::write(
        folder.join("tollgate.yaml"),
        format!("server: {{{server}}}\n"),
    )
    .expect("a file");
    let ended = binary::run(folder, &["serve", "--port", "0"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(!ended.stderr.contains("listening"));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    ended.stderr
}

#[test]
fn a_pair_that_cannot_be_used_is_one_clear_line_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (Certificate::new(), Certificate::new());
    let at = "tollgate.yaml:1: server.tls: ";
    let tls = "tls: {certificate: ./tls.crt, key: ./tls.key}";
    let says = |part: &str| {
        let said = refused(folder.path(), tls);
        assert!(said.starts_with(&format!("{at}{part}")), "{said}");
    };
    says("the certificate file cannot be read: No such file");
    one.write(folder.path());
    fs::remove_file(folder.path().join("tls.key")).expect("it was there");
    says("the key file cannot be read: No such file");
    fs::write(folder.path().join("tls.key"), &other.key).expect("a file");
    says("the private key does not belong to the certificate");
    fs::write(
        folder.path().join("tls.key"),
        "-----BEGIN PRIVATE KEY-----\nnothing\n",
    )
    .expect("a file");
    says("the key file holds no private key");
    one.write(folder.path());
    fs::write(folder.path().join("tls.crt"), &one.key).expect("a file");
    says("the certificate file holds no certificate");
}

#[test]
fn an_address_that_others_reach_needs_tls_or_a_proxy() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = refused(
        folder.path(),
        "listen: '0.0.0.0:0', publicUrl: 'https://tools.example.com'",
    );
    assert!(
        said.contains(
            "set `tls`, or put a proxy that ends TLS in front and set `behindProxy: true`"
        ),
        "{said}"
    );
}

#[tokio::test]
async fn the_binary_says_https_serves_it_and_stops_when_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = Certificate::new();
    certificate.write(folder.path());
    let text = "server: {tls: {certificate: tls.crt, key: tls.key}}\n";
    fs::write(folder.path().join("tollgate.yaml"), text).expect("a file");
    let mut process =
        binary::Process::start(binary::tollgate(folder.path(), &["serve", "--port", "0"]));
    let line = process.stderr.line("listening on https://127.0.0.1:");
    let (_, url) = line.split_once("listening on ").expect("it was found");
    let answer = certificate
        .reqwest()
        .get(format!("{}/healthz", url.trim()))
        .send()
        .await;
    assert_eq!(answer.expect("an answer").status(), 200);
    process.terminate();
    assert_eq!(process.exit_code(), Some(0));
}
