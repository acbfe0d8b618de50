//! `serve --mode lambda`, against a stand-in of the Lambda Runtime API: the same governed path for events of function
//! URLs, API Gateways and load balancers, and nothing left behind when the process is frozen.
#![cfg(all(unix, feature = "lambda"))]

#[path = "support/audit.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod audit;
#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/collector.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod collector;
#[path = "support/redis.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod redis;
#[path = "support/runtime_api.rs"]
mod runtime_api;
#[path = "support/tokens.rs"]
mod tokens;
#[path = "support/upstream.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod upstream;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use binary::{Process, finish, tollgate};
use collector::{Collector, attribute};
use redis::Redis;
use runtime_api::{RuntimeApi, http_event};
use tokens::hs256;
use upstream::Upstream;

const SECRET: &str = "a-secret-of-the-test-of-more-than-32-bytes";
const KEY: &str = "the-audit-key-of-more-than-32-bytes";
const HELLO: &str = "/mcp/tool/hello";

/// A function's folder, and the store that its environments share.
struct Function {
    folder: TempDir,
    redis: Redis,
    api: RuntimeApi,
}

impl Function {
    async fn new(api_url: &str) -> Self {
        let (folder, redis) = (tempfile::tempdir().expect("a folder"), Redis::start(&[]));
        let at = |name: &str| folder.path().join(name);
        Connection::open(at("shop.db"))
            .and_then(|shop| shop.execute_batch("CREATE TABLE t (c)"))
            .expect("a database");
        fs::write(at("tollgate.yaml"), config(&redis, api_url)).expect("a config");
        Self {
            folder,
            redis,
            api: RuntimeApi::start().await,
        }
    }

    /// One execution environment of it.
    fn environment(&self, variables: &[(&str, &str)]) -> Process {
        self.environment_of(&self.api, variables)
    }

    fn environment_of(&self, api: &RuntimeApi, variables: &[(&str, &str)]) -> Process {
        let mut command = tollgate(self.folder.path(), &["serve", "--mode", "lambda"]);
        command
            .envs(api.variables())
            .envs(variables.iter().copied());
        Process::start(command)
    }
}

fn config(redis: &Redis, api_url: &str) -> String {
    let store = format!("redis+unix://{}", redis.socket().display());
    format!(
        "\
server: {{publicUrl: 'https://tools.example.com', stateSecret: '{SECRET}-of-state'}}
audit: {{file: '-', key: {KEY}}}
quotas: {{store: '{store}'}}
telemetry: {{traces: [otlp]}}
auth:
  issuers:
    - {{issuer: 'https://issuer.test/', audiences: [tools], secret: {SECRET}}}
sources:
  shop: {{sqlite: shop.db, threads: 1}}
  api: {{http: '{api_url}', allowPrivate: [127.0.0.1]}}
tools:
  hello:
    description: Says hello.
    scopes: [read]
    sql: {{source: shop, statement: SELECT 'hello' AS text, result: one}}
  few:
    description: Says hello some times.
    scopes: [read]
    rateLimit: 5/1h
    sql: {{source: shop, statement: SELECT 'hello' AS text, result: one}}
  slow:
    description: Asks somebody else.
    scopes: [read]
    timeout: 30s
    http: {{source: api, method: GET, path: /slow}}
"
    )
}

fn token() -> String {
    let claims = json!({
        "iss": "https://issuer.test/", "aud": "tools", "sub": "ada", "tenant": "acme",
        "scope": "read", "exp": 4_000_000_000_u64,
    });
    hs256(&claims, SECRET)
}

fn headers() -> Value {
    json!({
        "host": "tools.example.com",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "authorization": format!("Bearer {}", token()),
    })
}

fn call(path: &str) -> Value {
    http_event(path, &headers(), "{}")
}

/// Status and body of an answer.
fn told(answer: &Value) -> (u64, Value) {
    let body = answer["body"].as_str().unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or(Value::Null);
    (answer["statusCode"].as_u64().expect("a status"), body)
}

#[tokio::test]
async fn a_function_url_reaches_the_gateway_with_its_headers() {
    let function = Function::new("http://127.0.0.1:9").await;
    let _environment = function.environment(&[]);
    let answer = function.api.invoke(call(HELLO)).await;
    assert_eq!(
        told(&answer),
        (200, json!({"ok": true, "result": {"text": "hello"}}))
    );
    assert_eq!(answer["isBase64Encoded"], false);
    assert!(
        answer["headers"]["tollgate-call-id"].is_string(),
        "{answer}"
    );

    let mut stranger = headers();
    stranger["authorization"] = "Bearer nonsense".into();
    let answer = function
        .api
        .invoke(http_event(HELLO, &stranger, "{}"))
        .await;
    assert_eq!(told(&answer).0, 401);
    assert!(
        answer["headers"]["www-authenticate"].is_string(),
        "{answer}"
    );

    let mut other = headers();
    other["host"] = "evil.test".into();
    let answer = function.api.invoke(http_event(HELLO, &other, "{}")).await;
    assert_eq!(told(&answer).0, 403);
    assert_eq!(
        told(&function.api.invoke(call("/mcp/tool/no such")).await).0,
        404
    );
    let answer = function
        .api
        .invoke(http_event(HELLO, &headers(), "{\"a\":1}"))
        .await;
    assert_eq!(told(&answer).0, 400);

    let mut encoded = call(HELLO);
    encoded["body"] = BASE64_STANDARD.encode("{}").into();
    encoded["isBase64Encoded"] = true.into();
    assert_eq!(told(&function.api.invoke(encoded).await).0, 200);
}

#[tokio::test]
async fn events_of_every_front_are_served_and_the_callers_address_is_theirs() {
    let function = Function::new("http://127.0.0.1:9").await;
    let environment = function.environment(&[]);
    let mut staged = call("/prod/mcp/tool/hello");
    staged["requestContext"]["stage"] = "prod".into();
    assert_eq!(told(&function.api.invoke(staged).await).0, 200);

    let rest_api = json!({
        "resource": "/{proxy+}", "path": HELLO, "httpMethod": "POST", "headers": headers(),
        "multiValueHeaders": {}, "queryStringParameters": null, "multiValueQueryStringParameters": null,
        "pathParameters": null, "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012", "apiId": "abc", "domainName": "tools.example.com",
            "httpMethod": "POST", "identity": {"sourceIp": "203.0.113.8", "userAgent": "test"},
            "path": "/prod/mcp/tool/hello", "protocol": "HTTP/1.1", "requestId": "1",
            "requestTimeEpoch": 1, "resourceId": "1", "resourcePath": "/{proxy+}", "stage": "prod"
        },
        "body": "{}", "isBase64Encoded": false
    });
    assert_eq!(told(&function.api.invoke(rest_api).await).0, 200);

    let mut behind = headers();
    behind["x-forwarded-for"] = "198.51.100.1, 203.0.113.9".into();
    let balancer = json!({
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/t/1"}},
        "httpMethod": "POST", "path": HELLO, "queryStringParameters": {},
        "headers": behind, "body": "{}", "isBase64Encoded": false
    });
    assert_eq!(told(&function.api.invoke(balancer).await).0, 200);

    environment.stdout.wait_for(|lines| {
        let told = lines.iter().filter_map(|line| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            line["address"].as_str().map(str::to_owned)
        });
        let expected = ["203.0.113.7", "203.0.113.8", "203.0.113.9"];
        (told.collect::<Vec<_>>() == expected).then_some(())
    });
}

#[tokio::test]
async fn an_event_that_is_no_request_fails_alone() {
    let function = Function::new("http://127.0.0.1:9").await;
    let _environment = function.environment(&[]);
    let usual = Duration::from_secs(60);
    for odd in [
        json!({"hello": "world"}),
        json!("text"),
        json!([]),
        Value::Null,
    ] {
        let (is_error, _) = function.api.invoke_within(odd.clone(), usual).await;
        assert!(is_error, "{odd}");
    }
    assert_eq!(told(&function.api.invoke(call(HELLO)).await).0, 200);
}

#[tokio::test]
async fn mcp_of_both_eras_is_answered_whole() {
    let function = Function::new("http://127.0.0.1:9").await;
    let _environment = function.environment(&[]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
        "progressToken": 1,
    });
    let modern = |method: &str, name: &str| {
        let mut headers = headers();
        headers["mcp-protocol-version"] = "2026-07-28".into();
        headers["mcp-method"] = method.into();
        if !name.is_empty() {
            headers["mcp-name"] = name.into();
        }
        headers
    };
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "hello", "arguments": {}, "_meta": meta},
    });
    let event = http_event("/mcp", &modern("tools/call", "hello"), &message.to_string());
    let (status, body) = told(&function.api.invoke(event).await);
    assert_eq!(
        (status, &body["result"]["structuredContent"]["text"]),
        (200, &json!("hello")),
        "{body}"
    );

    let listen = json!({
        "jsonrpc": "2.0", "id": 2, "method": "subscriptions/listen",
        "params": {"notifications": {"toolsListChanged": true}, "_meta": meta},
    });
    let event = http_event(
        "/mcp",
        &modern("subscriptions/listen", ""),
        &listen.to_string(),
    );
    assert_eq!(told(&function.api.invoke(event).await).0, 406);

    let hello = json!({
        "jsonrpc": "2.0", "id": 3, "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    });
    let event = http_event("/mcp", &headers(), &hello.to_string());
    let (status, body) = told(&function.api.invoke(event).await);
    assert_eq!(
        (status, &body["result"]["protocolVersion"]),
        (200, &json!("2025-11-25")),
        "{body}"
    );

    // Whoever takes anything gets it whole, whoever takes streams alone gets nothing.
    for (accept, expected) in [("*/*", 200), ("text/event-stream", 406), ("text/*", 406)] {
        let mut headers = headers();
        headers["accept"] = accept.into();
        let event = http_event("/mcp", &headers, &hello.to_string());
        let answer = function.api.invoke(event).await;
        assert_eq!(told(&answer).0, expected, "{accept}: {answer}");
        assert!(
            answer["headers"]["tollgate-call-id"].is_string(),
            "{answer}"
        );
        let mut listening = modern("subscriptions/listen", "");
        listening["accept"] = accept.into();
        let event = http_event("/mcp", &listening, &listen.to_string());
        assert_eq!(told(&function.api.invoke(event).await).0, 406, "{accept}");
    }
}

#[tokio::test]
async fn environments_beside_each_other_share_a_limit() {
    let function = Function::new("http://127.0.0.1:9").await;
    let others = RuntimeApi::start().await;
    let _one = function.environment(&[]);
    let _two = function.environment_of(&others, &[]);
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(told(&function.api.invoke(call("/mcp/tool/few")).await).0);
        statuses.push(told(&others.invoke(call("/mcp/tool/few")).await).0);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
}

#[tokio::test]
async fn what_a_call_left_is_out_before_the_next_event_is_asked_for() {
    let function = Function::new("http://127.0.0.1:9").await;
    let collector = Collector::start().await;
    let environment = function.environment(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url()),
        // Far beyond the test: only what is sent by hand arrives.
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
    ]);
    for calls in 1..=3 {
        let answer = function.api.invoke(call(HELLO)).await;
        let id = answer["headers"]["tollgate-call-id"]
            .as_str()
            .expect("an id")
            .to_owned();
        let spans = collector.seen().spans;
        let roots: Vec<_> = spans
            .iter()
            .filter(|span| span.name == "tools/call hello")
            .collect();
        assert_eq!(roots.len(), calls);
        assert_eq!(attribute(roots[calls - 1], "tollgate.call.id"), id);
        environment.freeze();
        environment.stdout.line(&id);
        environment.thaw();
    }
}

#[tokio::test]
async fn what_standard_output_got_is_a_chain_that_can_be_verified() {
    let function = Function::new("http://127.0.0.1:9").await;
    let mut environment = function.environment(&[]);
    for _ in 0..3 {
        function.api.invoke(call(HELLO)).await;
    }
    environment.terminate();
    assert_eq!(environment.exit_code(), Some(0));
    let at = |name: &str| function.folder.path().join(name);
    let lines = environment.stdout.all();
    fs::write(at("key"), KEY).expect("a key");
    let verify = |lines: &[String]| {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(at("stream.jsonl"), text).expect("a log");
        let arguments = [
            "audit",
            "verify",
            "--file",
            "stream.jsonl",
            "--key-file",
            "key",
        ];
        finish(tollgate(function.folder.path(), &arguments))
    };
    let whole = verify(&lines);
    assert_eq!(whole.code, Some(0), "{whole:#?}");
    // Opened, three calls, closed.
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert!(!whole.stdout.contains("cannot be told"), "{whole:#?}");
    let mut without = lines.clone();
    without.remove(2);
    let cut = verify(&without);
    assert_eq!(cut.code, Some(1), "{cut:#?}");
    // What was killed, or is still written, has no end that could be checked.
    let begun = verify(&lines[..4]);
    assert_eq!(begun.code, Some(0), "{begun:#?}");
    assert!(
        begun.stdout.contains("missing at the end cannot be told"),
        "{begun:#?}"
    );
}

#[tokio::test]
async fn a_call_ends_before_the_function_does_in_both_eras() {
    let upstream = Upstream::start().await;
    upstream.stalls();
    let function = Function::new(&upstream.url()).await;
    let environment = function.environment(&[]);
    // Of the `initialize` era, whose calls outlive a client that leaves.
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "slow", "arguments": {}},
    });
    let legacy = http_event("/mcp", &headers(), &message.to_string());
    for (times, event) in [call("/mcp/tool/slow"), legacy].into_iter().enumerate() {
        let second = Duration::from_secs(1);
        let (is_error, answer) = function.api.invoke_within(event, second).await;
        assert!(!is_error, "{answer}");
        let (status, body) = told(&answer);
        let timed_out = json!("urn:tollgate:error:invocation-timeout");
        assert_eq!((status, &body["type"]), (504, &timed_out));
        upstream.was_left(times + 1).await;
        environment.stdout.wait_for(|lines| {
            let cancelled = lines
                .iter()
                .filter(|line| line.contains("\"outcome\":\"cancelled\""));
            (cancelled.count() == times + 1).then_some(())
        });
    }
    assert_eq!(told(&function.api.invoke(call(HELLO)).await).0, 200);
}

#[tokio::test]
async fn what_is_odd_about_a_request_is_refused_on_record() {
    let function = Function::new("http://127.0.0.1:9").await;
    let environment = function.environment(&[]);
    for host in ["a b", "[::1", "x:99999", "", "tools.example.com, evil.test"] {
        let mut headers = headers();
        headers["host"] = host.into();
        headers["x-forwarded-proto"] = "ht tp".into();
        let event = http_event(HELLO, &headers, "{}");
        assert_eq!(told(&function.api.invoke(event).await).0, 403, "{host}");
    }
    environment.stdout.wait_for(|lines| {
        let refused = lines.iter().filter(|line| line.contains("forbidden-host"));
        (refused.count() == 5).then_some(())
    });
    for path in [
        "/mcp/tool/hello#x",
        "/mcp/tool/hello?x",
        "mcp/tool/hello",
        "",
        "//tools/mcp",
        "/mcp/tool/h\u{e9}",
    ] {
        assert_eq!(
            told(&function.api.invoke(call(path)).await).0,
            404,
            "{path}"
        );
    }
    let mut twice = call(HELLO);
    let token = format!("Bearer {}", token());
    twice["multiValueHeaders"] = json!({
        "host": ["tools.example.com"], "content-type": ["application/json"], "authorization": [token, token],
    });
    assert_eq!(told(&function.api.invoke(twice).await).0, 401);
    let mut many = call(HELLO);
    for n in 0..40_000 {
        many["headers"][format!("x-{n}")] = "x".into();
    }
    assert_eq!(told(&function.api.invoke(many).await).0, 431);
    let mut garbled = call(HELLO);
    garbled["isBase64Encoded"] = true.into();
    garbled["body"] = "{}".into();
    let (is_error, _) = function
        .api
        .invoke_within(garbled, Duration::from_secs(60))
        .await;
    assert!(is_error);
}

#[tokio::test]
async fn a_configuration_for_one_process_is_refused_with_all_that_is_wrong() {
    let function = Function::new("http://127.0.0.1:9").await;
    let file = function.folder.path().join("tollgate.yaml");
    let text = fs::read_to_string(&file).expect("a config");
    let text = text
        .replace("server: {", "x: {")
        .lines()
        .filter(|line| !line.starts_with("x:") && !line.starts_with("quotas:"))
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        .replace("file: '-'", "file: audit.jsonl")
        .replace("    timeout: 30s\n", "    timeout: 30s\n    task: {}\n");
    fs::write(&file, text).expect("a config");
    let ended = finish(lambda(&function));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    for key in [
        "server.publicUrl",
        "server.stateSecret",
        "quotas.store",
        "audit.file",
        "tools.slow.task",
    ] {
        assert!(
            ended.stderr.contains(&format!("{key}: ")),
            "{key}: {}",
            ended.stderr
        );
    }
}

fn lambda(function: &Function) -> std::process::Command {
    let mut command = tollgate(function.folder.path(), &["serve", "--mode", "lambda"]);
    command.envs(function.api.variables());
    command
}

#[tokio::test]
async fn outside_of_lambda_the_missing_variable_is_named() {
    let function = Function::new("http://127.0.0.1:9").await;
    let mut command = lambda(&function);
    command.env_remove("AWS_LAMBDA_FUNCTION_NAME");
    let ended = finish(command);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("AWS_LAMBDA_FUNCTION_NAME is not set"),
        "{}",
        ended.stderr
    );
    let mut command = lambda(&function);
    command.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "much");
    let ended = finish(command);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("no number of MiB"),
        "{}",
        ended.stderr
    );
}

#[tokio::test]
async fn the_package_that_is_shipped_starts_as_lambda_starts_it() {
    let function = Function::new("http://127.0.0.1:9").await;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/lambda");
    let folder = function.folder.path();
    for name in ["bootstrap", "tollgate.yaml"] {
        fs::copy(shipped.join(name), folder.join(name)).expect("a file");
    }
    let program = tollgate(folder, &[]).get_program().to_owned();
    std::os::unix::fs::symlink(program, folder.join("tollgate")).expect("a link");
    let store = format!("redis+unix://{}", function.redis.socket().display());
    let mut command = Command::new(folder.join("bootstrap"));
    command
        .current_dir(folder)
        .env_clear()
        .envs(function.api.variables())
        .envs([
            ("PUBLIC_URL", "https://tools.example.com"),
            ("STATE_SECRET", SECRET),
            // Nobody is there; its keys are asked for again when they are needed.
            ("ISSUER", "https://localhost:1/"),
            ("REDIS_URL", &store),
            ("AUDIT_KEY", KEY),
            ("CRM_URL", "https://crm.example.com/api"),
            ("CRM_TOKEN", "token-of-the-test"),
        ]);
    let mut environment = Process::start(command);
    let answer = function
        .api
        .invoke(http_event("/healthz", &headers(), ""))
        .await;
    assert_eq!(told(&answer).0, 405, "{answer}");
    let mut health = http_event("/healthz", &headers(), "");
    health["requestContext"]["http"]["method"] = "GET".into();
    assert_eq!(told(&function.api.invoke(health).await).0, 200);
    environment.terminate();
    assert_eq!(environment.exit_code(), Some(0));
}
