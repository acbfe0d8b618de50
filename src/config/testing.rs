//! What the tests of this module share: a fixed environment and short ways to a config or its faults.
//!
//! Compiled for tests only. The file is always called `tollgate.yaml`.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Config, Environment, Faults, Tool};

/// A secret that is accepted.
pub(super) const SECRET: &str = "Zm9vYmFyLXF1dXgtY29ycmdlLWdyYXVsdHk";

/// Every key there is.
pub(super) const FULL: &str = r#"
server:
  listen: 127.0.0.1:0
  publicUrl: https://tools.example.com/
  allowedOrigins: [https://app.example.com]
  behindProxy: ${PROXY:-false}
  maxBodyBytes: ${BODY:-2048}
  maxInFlight: 16
  maxInFlightPerTenant: 4
  shutdownDelay: 1s
  shutdownGrace: 5s
auth:
  issuers:
    - issuer: https://ci.example.com/
      audiences: [https://tools.example.com/mcp]
      algorithms: [HS256]
      secret: ${SECRET:?at least 32 bytes}
    - issuer: https://login.example.com/
      audiences: [https://tools.example.com/mcp]
      allowMissingAudience: false
      algorithms: [RS256, EdDSA]
      jwks: {url: https://login.example.com/keys}
      keys: {refresh: 5m, maxAge: 24h, cooldown: 30s}
  claims: {subject: sub, tenant: org, scopes: [scp]}
stdio:
  principal: {tenant: acme, subject: me, scopes: [customer:read]}
quotas: {store: memory, maxKeys: 1000, default: [10/s, {limit: 1000/d, per: [tenant], cost: 2, mode: enforce}], denialLimit: 30/m}
sources:
  shop: {sqlite: ./shop.db, threads: 2, retries: 1, breaker: off}
  crm:
    http: https://crm.example.com/api
    headers: {X-Key: "${SECRET}"}
    allowPrivate: [10.0.0.0/8]
    propagateTrace: false
    breaker: {failures: 3, window: 5s, pause: 2s, maxPause: 60s}
tools:
  get_customer:
    title: Customer
    description: Return a customer's profile (read-only).
    scopes: [customer:read]
    rateLimit: 5/10s
    timeout: 2s
    maxConcurrent: {calls: 8, wait: 200ms, perTenant: 2}
    rules: [{deny: '!("vip:read" in caller.scopes)', because: VIP needs vip:read, mode: shadow}, {allowOnlyIf: 'args.customer_id != ""'}]
    enabled: true
    parameters:
      customer_id: {type: string, description: "Customer id, such as c-42", pattern: "^c-[a-z0-9]+$"}
    bind: {tenant: caller.tenant}
    sql:
      source: shop
      statement: SELECT id, name, tier FROM customers WHERE tenant = :tenant AND id = :customer_id
      result: one
      maxRows: 10
      maxBytes: 4096
  open_ticket:
    description: Open a ticket.
    anyAuthenticated: true
    parameters: {subject: {type: string}}
    bind: {tenant: caller.tenant}
    http:
      source: crm
      method: POST
      path: /tickets
      query: [subject]
      body: {title: subject}
      headers: {X-Tenant: tenant}
      result: text
      maxBytes: 4096
      idempotent: true
resources:
  "customers://{customer_id}":
    name: customer
    title: Customer
    description: A customer's profile.
    mimeType: application/json
    anyAuthenticated: true
    scopes: {allOf: [customer:read], anyOf: [region:eu], mode: shadow}
    rateLimit: {limit: 5/10s, mode: shadow}
    timeout: 2s
    maxConcurrent: 8
    parameters: {customer_id: {type: string}}
    bind: {tenant: caller.tenant}
    sql: {source: shop, statement: SELECT 1, result: many}
tenants:
  acme:
    tools: {get_customer: {rateLimit: 100/10s, maxConcurrent: 4, scopes: [a], rules: [], enabled: true}}
    resources: {"customers://{customer_id}": {anyAuthenticated: true}}
    rateLimit: 20/s
telemetry: {traces: [console, otlp], service: shop-tools, sampling: 1%}
"#;

/// An environment of fixed variables and files.
#[derive(Default)]
pub(super) struct Fixed {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl Fixed {
    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub(super) fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.into(), content.into());
        self
    }
}

impl Environment for Fixed {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        self.files
            .get(path)
            .cloned()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

pub(super) fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse(
        text,
        Path::new("tollgate.yaml"),
        &Fixed::default().variable("SECRET", SECRET),
    )
}

#[track_caller]
pub(super) fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|faults| panic!("{text}\n{faults}"))
}

#[track_caller]
pub(super) fn faults(text: &str) -> Vec<String> {
    let faults = parse(text).expect_err(text);
    faults.to_string().lines().map(String::from).collect()
}

/// A file with the tool `t` in line 3, and the given lines from line 4 on.
fn with_tool(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    let sql = "sql: {source: shop, statement: SELECT 1, result: one}";
    format!(
        "sources: {{shop: {{sqlite: shop.db}}}}\ntools:\n  t:\n{lines}    description: A tool.\n    {sql}\n"
    )
}

#[track_caller]
pub(super) fn good_tool(lines: &str) -> Tool {
    good(&with_tool(lines)).tools.remove(0)
}

#[track_caller]
pub(super) fn tool_faults(lines: &str) -> Vec<String> {
    faults(&with_tool(lines))
}
