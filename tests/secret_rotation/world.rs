//! The program with a secret in every place that takes one, mounted as Kubernetes mounts a Secret, and
//! what is around it: an API, one that holds calls up, an introspection endpoint.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rusqlite::Connection;
use rustls::client::Resumption;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::audit::check;
use crate::binary::{Process, tollgate};
use crate::connection::Reach;
use crate::introspection_server::IntrospectionServer;
use crate::mounted::Mounted;
use crate::secrets::{OPAQUE, Secrets};
use crate::upstream::Upstream;

const CONFIG: &str = "\
server:
  adminListen: off
  stateSecret: ${file:state}
  tls: {certificate: ./tls.crt, key: ./tls.key}
auth:
  issuers:
    - {issuer: 'https://secret.test/', audiences: [tools], secret: '${file:jwt}'}
    - {issuer: 'https://keys.test/', audiences: [tools], jwks: {file: ./jwks.json}}
    - issuer: https://opaque.test/
      audiences: [tools]
      introspection: {url: 'ENDPOINT', clientId: tollgate, clientSecret: '${file:client}', maxAge: 0s}
  apiKeysFile: ./api-keys.yaml
quotas: {store: '${file:store}', storeTimeout: 1s, default: 1000000/s}
audit: {file: ../audit.jsonl, key: '${file:audit}', mode: strict}
sources:
  shop: {sqlite: ../shop.db}
  api: {http: 'API_URL', allowPrivate: [127.0.0.1], headers: {X-Api-Key: '${file:header}'}, retries: 0}
  held: {http: 'HELD_URL', allowPrivate: [127.0.0.1], retries: 0}
tools:
  echo:
    description: Says a number again.
    anyAuthenticated: true
    parameters: {number: {type: integer, default: 0}}
    sql: {source: shop, statement: SELECT :number AS number, result: one}
  careful:
    description: Needs approval.
    anyAuthenticated: true
    confirm: always
    sql: {source: shop, statement: SELECT 1 AS done, result: one}
  ask:
    description: Asks the API.
    anyAuthenticated: true
    http: {source: api, path: /price}
  hold:
    description: Asks the API that does not answer yet.
    anyAuthenticated: true
    timeout: 10m
    http: {source: held, path: /}
";

/// Files that are no secrets of a generation are published with [`World::put`].
const FILES: [&str; 9] = [
    "jwt",
    "jwks.json",
    "api-keys.yaml",
    "client",
    "header",
    "audit",
    "state",
    "tls.crt",
    "tls.key",
];

pub(crate) struct World {
    pub(crate) process: Process,
    pub(crate) old: Secrets,
    pub(crate) new: Secrets,
    pub(crate) api: Upstream,
    pub(crate) held: Upstream,
    pub(crate) endpoint: IntrospectionServer,
    port: u16,
    served: Arc<AtomicUsize>,
    mounted: Mounted,
    folder: TempDir,
}

impl World {
    /// All secrets are old; calls are counted in `store`.
    pub(crate) async fn start(store: &str) -> Self {
        // For the client; the program's `main` does it for itself.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let (api, held) = (Upstream::start().await, Upstream::start().await);
        api.says("200 OK", r#"{"price": 7}"#);
        held.says("200 OK", r#"{"held": true}"#);
        held.stalls();
        let endpoint = IntrospectionServer::start().await;
        let active = json!({"active": true, "aud": "tools", "sub": "ada", "tenant": "acme"});
        endpoint.knows(OPAQUE, active);
        let config = CONFIG.replace("ENDPOINT", endpoint.url());
        let config = config.replace("API_URL", &api.url());
        let config = config.replace("HELD_URL", &held.url());
        let folder = tempfile::tempdir().expect("a folder");
        Connection::open(folder.path().join("shop.db"))
            .and_then(|shop| shop.execute_batch("CREATE TABLE t (c)"))
            .expect("a database");
        let old = Secrets::new("old");
        let mut files: BTreeMap<&str, String> = FILES.map(|file| (file, old.text(file))).into();
        files.extend([("tollgate.yaml", config), ("store", store.to_owned())]);
        let mounted = Mounted::new(folder.path(), files);
        let (process, port) = serve(folder.path());
        Self {
            process,
            old,
            new: Secrets::new("new"),
            api,
            held,
            endpoint,
            port,
            served: Arc::default(),
            mounted,
            folder,
        }
    }

    /// How to get to the server.
    pub(crate) fn reach(&self) -> Reach {
        let mut roots = self.old.certificate.roots();
        roots.extend(self.new.certificate.roots().roots);
        let mut config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Reach {
            port: self.port,
            config: Arc::new(config),
            served: Arc::clone(&self.served),
        }
    }

    /// The new secrets take the place of the old ones in these files, all in one step.
    pub(crate) fn publish(&mut self, files: &[&'static str]) {
        for file in files {
            self.mounted.files.insert(file, self.new.text(file));
        }
        self.mounted.publish();
    }

    /// The file holds this.
    pub(crate) fn put(&mut self, file: &'static str, text: String) {
        self.mounted.files.insert(file, text);
        self.mounted.publish();
    }

    /// Waits until the configuration with this number is served.
    pub(crate) fn reloaded(&self, generation: u64) {
        let line = format!("the configuration was loaded again generation={generation}");
        self.process.stderr.line(&line);
    }

    /// Ends the process and starts it again.
    pub(crate) fn restart(&mut self) {
        self.process.terminate();
        assert_eq!(self.process.exit_code(), Some(0));
        (self.process, self.port) = serve(self.folder.path());
    }

    /// Ends the server. Each call that was served is on record once, in a whole chain, and what the
    /// server said holds no secret.
    pub(crate) fn end(mut self) -> TempDir {
        self.process.terminate();
        assert_eq!(self.process.exit_code(), Some(0));
        let said = self.process.stderr.all().join("\n");
        for secrets in [&self.old, &self.new] {
            for text in secrets.canaries() {
                assert!(!said.contains(&text), "{text}: {said}");
            }
        }
        let keys = [&self.old, &self.new].map(|secrets| secrets.text("audit"));
        let log = self.folder.path().join("audit.jsonl");
        let held = check(&log, &keys.each_ref().map(String::as_str)).expect("a good chain");
        let served = |line: &&Value| line["kind"] == "call" && line["outcome"] == "ok";
        let on_record = held.lines.iter().filter(served).count();
        assert_eq!(on_record, self.served.load(Ordering::Relaxed));
        self.folder
    }
}

/// Starts the program and waits until it listens.
fn serve(folder: &Path) -> (Process, u16) {
    let arguments = ["serve", "--port", "0", "--config", "mounted/tollgate.yaml"];
    let process = Process::start(tollgate(folder, &arguments));
    let line = process.stderr.line("listening on https://");
    let port = line.trim().rsplit_once(':').expect("a port").1;
    let port = port.parse().expect("a number");
    (process, port)
}
