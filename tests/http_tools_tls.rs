//! An HTTP tool of the real program over TLS: the certificate is checked, and the environment's
//! proxies are not used.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod tls;

use std::fs;

use tempfile::TempDir;
use tollgate::testing::TestServer;

use binary::{Finished, finish, tollgate};
use tls::Certificate;

/// A server to ask, and a folder from which to ask for its health under its name and another one.
async fn world() -> (TestServer, Certificate, TempDir) {
    let (certificate, folder) = (Certificate::new(), tempfile::tempdir().expect("a folder"));
    certificate.write(folder.path());
    let server = TestServer::start(|server| server.tls(certificate.load())).await;
    let port = server.url().rsplit_once(':').expect("a port").1;
    let allow = r#"allowPrivate: [127.0.0.0/8, "::1"], retries: 0"#;
    let yaml = format!(
        "stdio: {{principal: {{tenant: acme, subject: me}}}}
sources:
  named: {{http: https://localhost:{port}, {allow}}}
  other: {{http: 'https://[::ffff:127.0.0.1]:{port}', {allow}}}
tools:
  health:
    description: d
    anyAuthenticated: true
    http: {{source: named, path: /healthz, result: text}}
  misnamed:
    description: d
    anyAuthenticated: true
    http: {{source: other, path: /healthz, result: text}}
"
    );
    fs::write(folder.path().join("tollgate.yaml"), yaml).expect("a file");
    (server, certificate, folder)
}

async fn call(folder: &TempDir, tool: &str, environment: &[(&str, &str)]) -> Finished {
    let mut command = tollgate(folder.path(), &["call", tool]);
    command.envs(environment.iter().copied());
    // The server that is asked lives in this process.
    let done = tokio::task::spawn_blocking(|| finish(command)).await;
    done.expect("it ended")
}

#[tokio::test]
async fn a_certificate_is_trusted_only_where_its_authority_is() {
    let (_server, _certificate, folder) = world().await;
    let known = [("SSL_CERT_FILE", "tls.crt")];
    let done = call(&folder, "health", &known).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let done = call(&folder, "health", &[]).await;
    assert_eq!(done.code, Some(1), "{}", done.stdout);
    assert!(done.stderr.contains("A system behind the tool failed"));
    let untrusted = "the host's certificate is not trusted";
    assert!(done.stderr.contains(untrusted), "{}", done.stderr);
    let done = call(&folder, "misnamed", &known).await;
    assert_eq!(done.code, Some(1), "{}", done.stdout);
    assert!(done.stderr.contains(untrusted), "{}", done.stderr);
}

#[tokio::test]
async fn proxies_of_the_environment_are_not_used() {
    let (_server, _certificate, folder) = world().await;
    let nobody = "http://127.0.0.1:1";
    let environment = [
        ("SSL_CERT_FILE", "tls.crt"),
        ("HTTPS_PROXY", nobody),
        ("https_proxy", nobody),
        ("ALL_PROXY", nobody),
    ];
    let done = call(&folder, "health", &environment).await;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
}
