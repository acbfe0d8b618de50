//! The program serving HTTP: every credential and every argument, good and bad, on every surface.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use crate::binary::Process;
use crate::canary::{Canary, Outputs};
use crate::introspection_server::Manner;
use crate::tokens::hs256;
use crate::world::{AUDIENCE, World, claims, signature};

const ROUTES: [&str; 7] = [
    "/openapi.json",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
    "/healthz",
    "/readyz",
    "/mint-demo-jwt",
    "/nothing",
];

/// A running program, a client for it, and what came out so far.
struct Served<'w> {
    world: &'w World,
    process: Process,
    client: Client,
    url: String,
    /// What every URL ends with.
    query: String,
    outputs: Outputs,
    /// Tokens made on the way.
    made: Vec<Canary>,
}

impl<'w> Served<'w> {
    fn start(world: &'w World, level: Option<&str>) -> Self {
        // For the client; the program's `main` does it for itself.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let process = Process::start(world.command(&["serve", "--port", "0"], level));
        let line = process.stderr.line("listening on https://");
        let (_, url) = line.split_once("listening on ").expect("it was found");
        Self {
            world,
            process,
            client: world.certificate.reqwest(),
            url: url.trim().to_owned(),
            query: String::new(),
            outputs: Outputs::default(),
            made: Vec::new(),
        }
    }

    async fn keep(&mut self, name: &str, request: RequestBuilder) -> u16 {
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        self.outputs.add(
            format!("headers: {name}"),
            format!("{:?}", response.headers()),
        );
        let body = response.bytes().await.expect("a body").to_vec();
        self.outputs.add(format!("body: {name}"), body);
        status
    }

    /// Requests on every surface, with the credentials that `sign` adds.
    async fn visit(&mut self, name: &str, sign: impl Fn(RequestBuilder) -> RequestBuilder) -> u16 {
        for route in ROUTES {
            let request = self
                .client
                .get(format!("{}{route}{}", self.url, self.query));
            self.keep(&format!("{route} {name}"), sign(request)).await;
        }
        for (method, params) in [
            ("initialize", json!({"protocolVersion": "2025-11-25"})),
            ("tools/list", json!({})),
            (
                "tools/call",
                json!({"name": "notes", "arguments": {"text": "x"}}),
            ),
            ("resources/read", json!({"uri": "notes://x"})),
        ] {
            let request = self.mcp(method, params);
            self.keep(&format!("{method} {name}"), sign(request)).await;
        }
        let request = self.rest("notes", json!({"text": "x"}));
        self.keep(&format!("notes {name}"), sign(request)).await
    }

    fn rest(&self, tool: &str, arguments: Value) -> RequestBuilder {
        let url = format!("{}/mcp/tool/{tool}{}", self.url, self.query);
        self.client.post(url).json(&arguments)
    }

    fn mcp(&self, method: &str, params: Value) -> RequestBuilder {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = self
            .client
            .post(format!("{}/mcp{}", self.url, self.query))
            .json(&message);
        request.header("accept", "application/json, text/event-stream")
    }

    async fn credentials(&mut self) {
        let world = self.world;
        let text = |slot| world.text(slot);
        let bearer = |token: String| move |request: RequestBuilder| request.bearer_auth(&token);
        let active = json!({"active": true, "aud": AUDIENCE, "sub": "ada", "tenant": "acme", "scope": "notes"});
        world.endpoint.knows(&text("opaque token"), active);
        for (name, token) in [
            ("inline", world.token.clone()),
            ("apikey", world.api_key.clone()),
            ("opaque", text("opaque token")),
            (
                "env",
                hs256(&claims("https://env.example.com/"), &text("${ENV}")),
            ),
            (
                "file",
                hs256(&claims("https://file.example.com/"), &text("${file:}")),
            ),
        ] {
            self.made.extend(
                name.ne("opaque")
                    .then(|| Canary::of("a token", last(&token))),
            );
            assert_eq!(self.visit(name, bearer(token)).await, 200, "{name}");
        }
        let wrong = |issuer: &str| hs256(&claims(issuer), &text("a wrong secret"));
        for (name, token) in [
            ("forged", wrong("https://inline.example.com/")),
            ("stranger", wrong("https://stranger.example.com/")),
            (
                "of the key with a private member",
                wrong("https://private.example.com/"),
            ),
            ("of the key server", wrong("https://remote.example.com/")),
            ("to be asked about", wrong("https://opaque.example.com/")),
            ("unknown", text("unknown opaque token")),
            ("wrong key", format!("tgk_ci-bot_{}", text("wrong API key"))),
            ("not allowed", format!("{}\"", text("unknown opaque token"))),
        ] {
            self.made.push(Canary::of("a bad token", last(&token)));
            assert_ne!(self.visit(name, bearer(token)).await, 200, "{name}");
        }
        let says = |status| Manner::Says(status, text("answer of the introspection endpoint"));
        for status in [200, 401, 500] {
            world.endpoint.behave(says(status));
            let token = format!("{}{status}", text("unknown opaque token"));
            self.visit("asked in vain", bearer(token)).await;
        }
    }

    /// Credentials where none belong.
    async fn misplaced(&mut self) {
        let world = self.world;
        let text = |slot| world.text(slot);
        let basic = text("Basic credentials");
        self.visit("basic", |r| r.basic_auth("me", Some(&basic)))
            .await;
        let good = &world.token;
        self.visit("twice", |r| r.bearer_auth(good).bearer_auth(&basic))
            .await;
        let cookie = format!("token={}", text("a token in a cookie"));
        self.visit("cookie", |r| r.header("cookie", &cookie)).await;
        let other = text("a token in another header");
        self.visit("header", |r| {
            r.header("x-api-key", &other)
                .header("proxy-authorization", &other)
        })
        .await;
        self.query = format!("?access_token={}", text("a token in the query"));
        self.visit("query", |r| r).await;
        self.query.clear();
        let body = json!({"text": "x", "access_token": text("a token in the body")});
        let request = self.rest("notes", body.clone());
        self.keep("body without credentials", request).await;
        let request = self.mcp("tools/call", json!({"name": "notes", "arguments": body}));
        self.keep("message without credentials", request).await;
    }

    /// Arguments, which a caller may read again in his own answer and nobody anywhere else.
    async fn arguments(&mut self) {
        let text = self.world.text("argument");
        for (tool, argument, level, status) in [
            ("notes", text.clone(), json!(1), 200),
            ("notes", format!("refuse {text}"), json!(1), 403),
            ("notes", format!("fail {text}"), Value::Null, 400),
            ("notes", text.repeat(4), json!(1), 400),
            ("notes", text.clone(), json!(text), 400),
            ("broken", format!("{{{text}"), Value::Null, 502),
            ("asked", text.clone(), Value::Null, 502),
        ] {
            let mut arguments = json!({"text": argument});
            if tool == "notes" {
                arguments["level"] = level;
            }
            let request = self
                .rest(tool, arguments.clone())
                .bearer_auth(&self.world.token);
            let response = request.send().await.expect("an answer");
            assert_eq!(response.status().as_u16(), status, "{tool} {arguments}");
            let call = json!({"name": tool, "arguments": arguments});
            let request = self.mcp("tools/call", call).bearer_auth(&self.world.token);
            request.send().await.expect("an answer");
        }
        let call = json!({"name": "notes", "arguments": {"text": format!("fail {text}")}});
        let request = self.mcp("tools/call", call).bearer_auth(&self.world.token);
        self.keep("a rule that fails", request).await;
        let read = json!({"uri": format!("notes://{text}")});
        let request = self
            .mcp("resources/read", read)
            .bearer_auth(&self.world.token);
        request.send().await.expect("an answer");
    }

    async fn end(mut self) -> (Outputs, Vec<Canary>) {
        let admin = self.process.stderr.line("metrics at ");
        let (_, metrics) = admin.split_once("metrics at ").expect("it was found");
        for path in ["/metrics", "/healthz", "/readyz"] {
            let url = metrics.trim().replace("/metrics", path);
            let request = Client::new().get(url).bearer_auth(&self.world.token);
            self.keep(&format!("admin {path}"), request).await;
        }
        self.process.terminate();
        assert_eq!(
            self.process.exit_code_within(Duration::from_secs(60)),
            Some(0)
        );
        for (name, lines) in [
            ("stdout", &self.process.stdout),
            ("stderr", &self.process.stderr),
        ] {
            self.outputs.add(name, lines.all().join("\n"));
        }
        let spans = self.world.collector.received.lock().expect("not poisoned");
        self.outputs.add("spans", spans.clone());
        let mut canaries = self.world.canaries();
        canaries.append(&mut self.made);
        (self.outputs, canaries)
    }
}

/// What is secret of a token, whatever its kind.
fn last(token: &str) -> &str {
    match token.rsplit_once(['.', '_']) {
        Some(_) if token.contains('.') => signature(token),
        Some((_, secret)) if secret.len() > 12 => secret,
        _ => token,
    }
}

async fn no_secret_comes_out_at(level: Option<&str>) -> Outputs {
    let world = World::new().await;
    let mut served = Served::start(&world, level);
    served.visit("without", |request| request).await;
    served.credentials().await;
    served.misplaced().await;
    served.arguments().await;
    let (outputs, canaries) = served.end().await;
    outputs.hold_none_of(&canaries);
    // So that the search was not of nothing.
    outputs.mention("stderr", "tools/call notes");
    outputs.mention("stderr", "a secret or private key is published");
    outputs.mention("spans", "execute_tool notes");
    outputs.mention("body: admin /metrics", "tollgate_");
    outputs.mention("body: notes inline", "ours");
    outputs.mention("headers: notes forged", "www-authenticate");
    outputs
}

// The collector answers while the test waits for the program to end.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_a_server() {
    no_secret_comes_out_at(None).await;
}

// The collector answers while the test waits for the program to end.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_a_server_that_logs_all_it_can() {
    let outputs = no_secret_comes_out_at(Some("trace")).await;
    outputs.mention("stderr", "DEBUG");
}
