//! What is shipped in `deploy/` fits what a server really tells: every metric and every label that a
//! dashboard or an alert names is in the scrape of a server that was called in every way.

#![cfg(unix)]

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/promql.rs"]
mod promql;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis;
#[path = "support/scrape.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod scrape;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tollgate::auth::NewApiKey;

use binary::Server;
use redis::Redis;
use scrape::Scrape;

/// Prometheus adds these to every sample, and `up` to every scrape.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("deploy")
        .join(name)
}

fn json_of(name: &str) -> Value {
    let text = fs::read_to_string(shipped(name)).expect("a file");
    match name.ends_with(".json") {
        true => serde_json::from_str(&text).expect("JSON"),
        false => serde_saphyr::from_str(&text).expect("YAML"),
    }
}

/// Every `expr` below a value, with what it belongs to.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.extend(
                object
                    .get("expr")
                    .map(|expr| expr.as_str().expect("a text").to_owned()),
            );
            object.values().for_each(|value| expressions(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// A server with one of everything that tells numbers, after calls that end in every way.
async fn scrape() -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let redis = Redis::start(&[]);
    let made = NewApiKey::random(Some("ada".to_owned())).expect("a key");
    let (key, hash) = (made.key.expose_secret(), &made.hash);
    fs::write(folder.path().join("jwks.json"), json!({"keys": [{
        "kty": "OKP", "crv": "Ed25519", "kid": "k", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    }]}).to_string()).expect("a file");
    rusqlite::Connection::open(folder.path().join("shop.db"))
        .and_then(|shop| shop.execute_batch("CREATE TABLE notes (text)"))
        .expect("a database");
    fs::write(folder.path().join("tollgate.yaml"), format!(r#"
server: {{adminListen: "127.0.0.1:0"}}
telemetry: {{traces: [otlp], metrics: [prometheus, otlp], tenantLabel: {{max: 2}}}}
audit: {{file: ./audit.jsonl, key: "Vq3r9cJ1x8bT5nL0wY6kZ2mD7pF4hS9g"}}
quotas: {{store: "redis+unix://{}", storeTimeout: 1s}}
auth:
  issuers: [{{issuer: "https://a.example.com/", audiences: [tools], jwks: {{file: ./jwks.json}}}}]
  apiKeys: [{{id: ada, hash: "{hash}", tenant: acme, subject: ada, scopes: [notes], expires: never}}]
sources:
  shop: {{sqlite: ./shop.db}}
  api: {{http: "http://127.0.0.1:1", allowPrivate: [127.0.0.1], retries: 1}}
tools:
  note:
    description: Notes.
    scopes: [notes]
    rateLimit: 2/1h
    sql: {{source: shop, statement: "SELECT 'text' AS text", result: one}}
  shadowed:
    description: Refuses nobody yet.
    scopes: {{allOf: [later], mode: shadow}}
    anyAuthenticated: true
    sql: {{source: shop, statement: "SELECT 'text' AS text", result: one}}
  down: {{description: Fails., scopes: [notes], parameters: {{}}, http: {{source: api, path: /}}}}
"#, redis.socket().display())).expect("a file");
    let server = Server::start(folder.path(), &[]);
    for tool in ["note", "note", "note", "shadowed", "down", "nothing"] {
        server
            .post(&format!("/mcp/tool/{tool}"), Some(key), &json!({}))
            .await;
    }
    server.post("/mcp/tool/note", None, &json!({})).await;
    server.get("/nothing").await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    server.post("/mcp", Some(key), &list).await;
    let line = server.process.stderr.line("metrics at ");
    let url = line.split_once("metrics at ").expect("it was found").1;
    let text = reqwest::get(url)
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a body");
    // Breaks where the format is broken.
    Scrape::parse(&text);
    text
}

/// The labels that samples of a metric have; `None` when there is none.
fn labels<'a>(text: &'a str, metric: &str) -> Option<BTreeSet<&'a str>> {
    let label = Regex::new("([a-z_]+)=\"").expect("a pattern");
    let samples = text.lines().filter_map(|line| line.strip_prefix(metric));
    let samples = samples.filter(|rest| rest.starts_with(['{', ' ']));
    let labels = samples.map(|rest| {
        label
            .captures_iter(rest)
            .map(|found| found.extract::<1>().1[0])
    });
    labels.fold(None, |all, labels| {
        let mut all = all.unwrap_or_else(BTreeSet::new);
        all.extend(labels);
        Some(all)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_and_label_of_dashboard_and_alerts_is_really_told() {
    let text = scrape().await;
    let mut asked = Vec::new();
    for name in ["grafana/tollgate.json", "prometheus/alerts.yaml"] {
        let before = asked.len();
        expressions(&json_of(name), &mut asked);
        assert!(asked.len() > before + 10, "{name}");
    }
    let mut wrong = Vec::new();
    for expression in &asked {
        let named = promql::read(expression);
        let mut known: BTreeSet<&str> = OF_PROMETHEUS.into();
        for selector in &named.selectors {
            let labels = match selector.metric.as_str() {
                "up" => Some(BTreeSet::new()),
                metric => labels(&text, metric),
            };
            let Some(labels) = labels else {
                wrong.push(format!("no metric {} for {expression}", selector.metric));
                continue;
            };
            for label in &selector.labels {
                if !labels.contains(label.as_str()) && !OF_PROMETHEUS.contains(&label.as_str()) {
                    wrong.push(format!("{} has no {label}: {expression}", selector.metric));
                }
            }
            known.extend(labels);
        }
        for label in named
            .grouping
            .iter()
            .filter(|label| !known.contains(label.as_str()))
        {
            wrong.push(format!("nothing has {label}: {expression}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}\n{text}");
}

#[test]
fn panels_and_alerts_are_told_apart() {
    let dashboard = json_of("grafana/tollgate.json");
    let panels = dashboard["panels"].as_array().expect("panels");
    let ids: BTreeSet<u64> = panels
        .iter()
        .map(|panel| panel["id"].as_u64().expect("an id"))
        .collect();
    assert_eq!(ids.len(), panels.len());
    let alerts = json_of("prometheus/alerts.yaml");
    let rules = alerts["groups"][0]["rules"].as_array().expect("rules");
    let names: BTreeSet<&str> = rules
        .iter()
        .map(|rule| rule["alert"].as_str().expect("a name"))
        .collect();
    assert_eq!(names.len(), rules.len());
    for rule in rules {
        let severity = rule["labels"]["severity"].as_str();
        assert!(
            severity.is_some_and(|severity| ["page", "ticket"].contains(&severity)),
            "{rule}"
        );
        assert!(rule["annotations"]["summary"].is_string(), "{rule}");
    }
}

/// Prometheus' own opinion, on machines that have its tool.
#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_no_fault_in_rules_and_numbers() {
    let promtool = |arguments: &[&str]| {
        let mut command = Command::new("promtool");
        command.args(arguments).stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn()
    };
    let rules = shipped("prometheus/alerts.yaml");
    let rules = rules.to_str().expect("a path");
    let Ok(checked) = promtool(&["check", "rules", rules]) else {
        return;
    };
    let checked = checked.wait_with_output().expect("it ends");
    assert!(checked.status.success(), "{checked:?}");
    let text = scrape().await;
    let mut checked = promtool(&["check", "metrics"]).expect("it is there");
    let mut input = checked.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, text.as_bytes()).expect("it reads");
    drop(input);
    let checked = checked.wait_with_output().expect("it ends");
    assert!(checked.status.success(), "{checked:?}");
}
