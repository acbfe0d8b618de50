//! `/openapi.json` describes the gateway to programs: what this caller may call, with schemas that
//! hold inside the document.

#[path = "support/configured.rs"]
mod configured;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use std::sync::Arc;

use configured::{PUBLIC, configured};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tollgate::testing::TestServer;
use tollgate::{CallContext, Tool};
use wire::{SCOPES, shop, shop_server};

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "read by the schema alone")]
struct Order {
    lines: Vec<Line>,
    ship_to: Option<Address>,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "read by the schema alone")]
struct Line {
    article: String,
    #[schemars(range(min = 1))]
    count: u32,
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "read by the schema alone")]
struct Address {
    city: String,
}

/// Refers to itself, not to a definition beside it.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    name: String,
    #[serde(default)]
    children: Vec<Tree>,
}

async fn order_server() -> TestServer {
    TestServer::start(|server| {
        shop(server, Arc::default())
            .tool(
                Tool::new("order", "Orders.")
                    .any_authenticated()
                    .handler(async |_: CallContext, _: Order| Ok(true)),
            )
            .tool(
                Tool::new("plant", "Gives the tree back.")
                    .any_authenticated()
                    .handler(async |_: CallContext, tree: Tree| Ok(tree)),
            )
    })
    .await
}

async fn get(server: &TestServer, token: Option<String>) -> reqwest::Response {
    let mut request = reqwest::Client::new().get(format!("{}/openapi.json", server.url()));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.expect("an answer")
}

async fn document(server: &TestServer, scopes: &[&str]) -> Value {
    let token = server.token_for("acme", "ada", scopes);
    let response = get(server, Some(token)).await;
    assert_eq!(response.status(), 200);
    response.json().await.expect("JSON")
}

/// A validator for the schema at `pointer`, which stands inside another as it does in the document:
/// what it refers to must be found from there.
fn validator(document: &Value, pointer: &str) -> jsonschema::Validator {
    let schema = document.pointer(pointer).expect("a schema");
    jsonschema::draft202012::new(&json!({"allOf": [schema]}))
        .expect("a schema whose references resolve")
}

fn input_of(tool: &str) -> String {
    format!("/paths/~1mcp~1tool~1{tool}/post/requestBody/content/application~1json/schema")
}

#[tokio::test]
async fn the_document_shows_what_the_caller_may_call_and_nothing_else() {
    let server = shop_server().await;
    for (scopes, expected) in [
        (
            &SCOPES[..],
            &[
                "greet", "limited", "vault", "numbers", "whoami", "refuse", "tick",
            ][..],
        ),
        (
            &["greet"],
            &["greet", "limited", "numbers", "whoami", "refuse", "tick"],
        ),
        (&["vault:open"], &["numbers", "whoami", "refuse", "tick"]),
    ] {
        let document = document(&server, scopes).await;
        let paths: Vec<&str> = document["paths"]
            .as_object()
            .expect("paths")
            .keys()
            .map(String::as_str)
            .collect();
        let expected: Vec<String> = expected
            .iter()
            .map(|name| format!("/mcp/tool/{name}"))
            .collect();
        assert_eq!(paths, expected);
        let text = document.to_string();
        assert_eq!(
            text.contains("vault:read"),
            scopes.contains(&"vault:read"),
            "no scope of a hidden tool shows"
        );
    }
}

#[tokio::test]
async fn outside_dev_mode_the_document_needs_a_token() {
    let server = shop_server().await;
    for token in [None, Some("a.b.c".to_owned())] {
        let response = get(&server, token).await;
        assert_eq!(response.status(), 401);
        assert_eq!(
            response.headers()["content-type"],
            "application/problem+json"
        );
        assert!(response.headers().contains_key("www-authenticate"));
        assert!(response.headers().contains_key("tollgate-call-id"));
        let text = response.text().await.expect("a body");
        assert!(!text.contains("greet"), "{text}");
    }
    let dev = TestServer::start(|server| shop(server.dev_mode(), Arc::default())).await;
    let response = get(&dev, None).await;
    let document: Value = response.json().await.expect("JSON");
    assert_eq!(
        document["paths"].as_object().map(serde_json::Map::len),
        Some(7),
        "in dev mode everybody sees all"
    );
    assert_eq!(get(&dev, Some("a.b.c".to_owned())).await.status(), 401);
}

#[tokio::test]
async fn each_operation_says_who_may_call_and_how_it_can_end() {
    let server = shop_server().await;
    let document = document(&server, &SCOPES).await;
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"], json!([{"url": server.url()}]));
    let scheme = &document["components"]["securitySchemes"]["bearer"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"]),
        (&json!("http"), &json!("bearer"))
    );
    for (tool, scopes) in [
        ("greet", json!(["greet"])),
        ("vault", json!(["vault:open", "vault:read"])),
        ("numbers", json!([])),
    ] {
        let operation = &document["paths"][format!("/mcp/tool/{tool}")]["post"];
        assert_eq!(operation["operationId"], tool);
        assert_eq!(operation["security"], json!([{"bearer": scopes}]), "{tool}");
        assert!(operation["description"].is_string());
        for status in [
            "400", "401", "403", "404", "406", "408", "413", "415", "422", "429", "500", "502",
            "503", "504",
        ] {
            let schema =
                &operation["responses"][status]["content"]["application/problem+json"]["schema"];
            assert_eq!(
                schema["$ref"], "#/components/schemas/Problem",
                "{tool} {status}"
            );
        }
    }
    assert_eq!(
        document["paths"]["/mcp/tool/greet"]["post"]["summary"],
        "Greeting"
    );
}

#[tokio::test]
async fn what_calls_are_answered_with_fits_the_described_responses() {
    let server = order_server().await;
    let document = document(&server, &SCOPES).await;
    let http = reqwest::Client::new();
    let token = server.token_for("acme", "ada", &SCOPES);
    let post = |tool: &str, body: Value| {
        http.post(format!("{}/mcp/tool/{tool}", server.url()))
            .bearer_auth(&token)
            .json(&body)
    };
    let tree = json!({"name": "root", "children": [{"name": "leaf", "children": []}]});
    for (tool, body) in [
        ("greet", json!({"name": "Ada"})),
        ("numbers", json!({})),
        ("whoami", json!({})),
        ("plant", tree),
    ] {
        let answer: Value = post(tool, body)
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        let pointer = format!(
            "/paths/~1mcp~1tool~1{tool}/post/responses/200/content/application~1json/schema"
        );
        assert!(
            validator(&document, &pointer).is_valid(&answer),
            "{tool}: {answer}"
        );
        assert!(
            !validator(&document, &pointer).is_valid(&json!({"ok": true})),
            "{tool}"
        );
    }
    let problem = validator(&document, "/components/schemas/Problem");
    for request in [
        post("greet", json!({})),
        post("refuse", json!({})),
        post("nobody", json!({})),
        post("greet", json!([])),
        http.post(format!("{}/mcp/tool/greet", server.url())),
    ] {
        let response = request.send().await.expect("an answer");
        let status = response.status();
        let described = &document["paths"]["/mcp/tool/greet"]["post"]["responses"][status.as_str()];
        assert!(described.is_object(), "{status} is described");
        let answer: Value = response.json().await.expect("JSON");
        assert!(problem.is_valid(&answer), "{answer}");
        assert_eq!(answer["status"], status.as_u16());
    }
}

#[tokio::test]
async fn request_schemas_hold_inside_the_document() {
    let server = order_server().await;
    let document = document(&server, &[]).await;
    let order = validator(&document, &input_of("order"));
    let line = json!({"article": "a", "count": 2});
    assert!(order.is_valid(&json!({"lines": [line], "ship_to": {"city": "Ulm"}})));
    assert!(order.is_valid(&json!({"lines": []})));
    for bad in [
        json!({}),
        json!({"lines": [{"article": "a"}]}),
        json!({"lines": [{"article": "a", "count": 0}]}),
        json!({"lines": [], "ship_to": {"town": "Ulm"}}),
        json!({"lines": [], "tenant_id": "globex"}),
    ] {
        assert!(!order.is_valid(&bad), "{bad}");
    }
    let plant = validator(&document, &input_of("plant"));
    assert!(plant.is_valid(&json!({"name": "root", "children": [{"name": "leaf"}]})));
    assert!(!plant.is_valid(&json!({"name": "root", "children": [{"nome": "leaf"}]})));
}

#[tokio::test]
async fn every_url_comes_from_the_public_url() {
    let (server, token) = configured(&["greet"], |server| shop(server, Arc::default())).await;
    let document: Value = get(&server, Some(token)).await.json().await.expect("JSON");
    assert_eq!(document["servers"], json!([{"url": PUBLIC}]));
    assert!(!document.to_string().contains(server.url()));
}
