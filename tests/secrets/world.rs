//! A folder with a configuration that has a canary wherever a secret can stand, and all that is
//! around it: an introspection endpoint, a key server, a collector of spans.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use rusqlite::Connection;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::auth::NewApiKey;

use crate::binary::tollgate;
use crate::canary::Canary;
use crate::introspection_server::IntrospectionServer;
use crate::key_server::KeyServer;
use crate::tls::Certificate;
use crate::tokens::hs256;

pub(crate) const AUDIENCE: &str = "https://tools.example.com/mcp";

/// Everything, and the secrets in it.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) certificate: Certificate,
    pub(crate) endpoint: IntrospectionServer,
    pub(crate) keys: KeyServer,
    pub(crate) collector: Collector,
    /// A good token, and a good API key.
    pub(crate) token: String,
    pub(crate) api_key: String,
    canaries: Vec<Canary>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::new();
        let (endpoint, keys) = (
            IntrospectionServer::start().await,
            KeyServer::start(&[]).await,
        );
        keys.answers(
            "/keys",
            "500 Oh",
            Canary::new("answer of the key server").text(),
        );
        let api_key = NewApiKey::random(Some("ci-bot".to_owned())).expect("random bytes");
        let secret = Canary::new("issuers.secret");
        let token = hs256(&claims("https://inline.example.com/"), secret.text());
        let mut canaries: Vec<Canary> = SLOTS.into_iter().map(Canary::new).collect();
        canaries.extend([
            Canary::of(
                "an API key",
                &api_key.key.expose_secret()["tgk_ci-bot_".len()..],
            ),
            Canary::of("a good token", signature(&token)),
            Canary::of("tls.key", der(&certificate.key)),
            Canary::of("tls.key as text", body(&certificate.key)),
        ]);
        let world = Self {
            collector: Collector::start().await,
            api_key: api_key.key.expose_secret().to_owned(),
            folder,
            certificate,
            endpoint,
            keys,
            token,
            canaries,
        };
        world.write(&api_key.hash);
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What must come out nowhere.
    pub(crate) fn canaries(&self) -> Vec<Canary> {
        self.canaries.clone()
    }

    pub(crate) fn text(&self, slot: &str) -> String {
        let canary = self.canaries.iter().find(|canary| canary.slot == slot);
        canary.expect(slot).text().to_owned()
    }

    /// A command in this folder, with the environment that the configuration needs, and a collector
    /// that wants credentials.
    pub(crate) fn command(&self, arguments: &[&str], level: Option<&str>) -> Command {
        let mut command = tollgate(self.path(), arguments);
        let headers = format!("authorization=Bearer {}", self.text("OTLP headers"));
        let collector = self.collector.url.replacen(
            "://",
            &format!("://tollgate:{}@", self.text("OTLP endpoint")),
            1,
        );
        command
            .env("SIGNING_SECRET", self.text("${ENV}"))
            .env("STDIO_TOKEN", &self.token)
            .env("OTEL_EXPORTER_OTLP_HEADERS", headers)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
        if let Some(level) = level {
            command.env("RUST_LOG", level);
        }
        command
    }

    fn write(&self, hash: &str) {
        let folder = self.path();
        self.certificate.write(folder);
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        write("secret", &self.text("${file:}"));
        let private = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "kid": "k",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "d": self.text("private member of a JWK"),
        }]});
        write("jwks.json", &private.to_string());
        write("tollgate.yaml", &self.yaml(hash));
        let shop = Connection::open(folder.join("shop.db")).expect("a database");
        let row = self.text("row of another tenant");
        shop.execute_batch(&format!(
            "CREATE TABLE notes (tenant, text);
             INSERT INTO notes VALUES ('acme', 'ours'), ('globex', '{row}');"
        ))
        .expect("tables");
    }

    fn yaml(&self, hash: &str) -> String {
        let slots = [
            "issuers.secret",
            "clientSecret",
            "sources.headers",
            "server.stateSecret",
            "audit.key",
            "audit.previousKey",
            "quotas.store",
        ];
        let [inline, client, header, state, audit, previous, store] =
            slots.map(|slot| self.text(slot));
        let (endpoint, keys) = (self.endpoint.url(), self.keys.url());
        format!(
            r#"
server: {{stateSecret: "{state}", adminListen: "127.0.0.1:0", tls: {{certificate: ./tls.crt, key: ./tls.key}}}}
telemetry: {{traces: [console, otlp]}}
audit: {{file: ./audit.jsonl, key: "{audit}", previousKey: "{previous}"}}
quotas: {{store: "redis://tollgate:{store}@127.0.0.1:1"}}
auth:
  failureLimit: 100000/s
  issuers:
    - {{issuer: "https://inline.example.com/", audiences: ["{AUDIENCE}"], secret: "{inline}"}}
    - {{issuer: "https://env.example.com/", audiences: ["{AUDIENCE}"], secret: "${{SIGNING_SECRET}}"}}
    - {{issuer: "https://file.example.com/", audiences: ["{AUDIENCE}"], secret: "${{file:secret}}"}}
    - {{issuer: "https://private.example.com/", audiences: ["{AUDIENCE}"], jwks: {{file: ./jwks.json}}}}
    - {{issuer: "https://remote.example.com/", audiences: ["{AUDIENCE}"], jwks: {{url: "{keys}/keys"}}}}
    - issuer: "https://opaque.example.com/"
      audiences: ["{AUDIENCE}"]
      introspection: {{url: "{endpoint}", clientId: tollgate, clientSecret: "{client}"}}
  apiKeys:
    - {{id: ci-bot, hash: "{hash}", tenant: acme, subject: ci, scopes: [notes], expires: never}}
stdio: {{token: "${{STDIO_TOKEN}}"}}
sources:
  shop: {{sqlite: ./shop.db}}
  api: {{http: "{keys}", allowPrivate: [127.0.0.1], headers: {{Authorization: "Bearer {header}"}}, retries: 1}}
tools:
  notes: &tool
    description: Notes.
    scopes: [notes]
    parameters: {{text: {{type: string, maxLength: 100}}, level: {{type: integer, required: false}}}}
    rules:
      - {{deny: 'args.text.startsWith("refuse")', because: Not that one}}
      - {{deny: 'args.text.startsWith("fail") && args.level > 3'}}
    bind: {{tenant: caller.tenant}}
    sql: {{source: shop, statement: "SELECT text FROM notes WHERE tenant = :tenant AND :text != '' AND ifnull(:level, 0) < 9", result: many}}
  broken:
    description: Fails in the database.
    scopes: [notes]
    parameters: {{text: {{type: string}}}}
    sql: {{source: shop, statement: "SELECT json(:text) AS text", result: many}}
  asked:
    description: Fails in an API.
    scopes: [notes]
    parameters: {{text: {{type: string}}}}
    http: {{source: api, method: POST, path: /keys, body: [text]}}
resources:
  "notes://{{text}}":
    name: note
    scopes: [notes]
    sql: {{source: shop, statement: "SELECT :text AS text WHERE 1 = 0", result: one}}
"#
        )
    }
}

const SLOTS: [&str; 26] = [
    "server.stateSecret",
    "audit.key",
    "audit.previousKey",
    "quotas.store",
    "issuers.secret",
    "${ENV}",
    "${file:}",
    "clientSecret",
    "sources.headers",
    "private member of a JWK",
    "answer of the key server",
    "answer of the introspection endpoint",
    "answer of the collector",
    "row of another tenant",
    "OTLP headers",
    "OTLP endpoint",
    "opaque token",
    "unknown opaque token",
    "wrong API key",
    "Basic credentials",
    "a token in the query",
    "a token in a cookie",
    "a token in another header",
    "a wrong secret",
    "a token in the body",
    "argument",
];

pub(crate) fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": AUDIENCE, "exp": 4_102_444_800_u64, "sub": "ada", "tenant": "acme",
        "scope": "notes",
    })
}

/// What of a token proves it.
pub(crate) fn signature(token: &str) -> &str {
    token.rsplit_once('.').expect("a JWT").1
}

/// What is between the first and the last line of a PEM, and what it stands for.
fn body(pem: &str) -> String {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    lines.collect()
}

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(body(pem)).expect("Base64")
}

/// Takes spans, and says no with a text that it should not say.
pub(crate) struct Collector {
    url: String,
    pub(crate) received: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    async fn start() -> Self {
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let router = Router::new().fallback(async move |headers: HeaderMap, body: Bytes| {
            kept.lock().expect("not poisoned").extend_from_slice(&body);
            let said = Canary::new("answer of the collector").text().to_owned();
            (StatusCode::BAD_REQUEST, format!("{said} {headers:?}"))
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, received }
    }
}
