//! Prompts written in YAML, asked over MCP: governed like tools, filled from arguments and from the
//! caller's identity, completed from their choices.

#[path = "support/declared.rs"]
mod declared;
#[path = "support/tokens.rs"]
mod tokens;
#[expect(dead_code, reason = "shared with other tests")]
#[path = "support/wire.rs"]
mod wire;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::testing::TestServer;

use wire::Wire;

const YAML: &str = r#"
auth:
  issuers:
    - {issuer: "https://ci.example.com/", audiences: ["https://tools.example.com/mcp"], secret: "${SECRET}"}
prompts:
  answer:
    title: Answer a customer
    description: Drafts an answer.
    scopes: [customer:read]
    rateLimit: 5/10s
    rules:
      - {deny: 'args.customer_id == "c-vip"', because: VIPs are for people}
    parameters:
      customer_id: {type: string, description: Customer id, pattern: "^c-[a-z0-9]+$"}
      tone: {type: string, enum: [friendly, formal, brief, frank], default: friendly}
    bind: {tenant: caller.tenant}
    messages:
      - text: "Answer {customer_id} of {tenant}. Be {tone}; leave {{this}} as it is."
      - {role: assistant, text: "What is it about?"}
tenants:
  globex: {prompts: {answer: {enabled: false}}}
"#;

async fn server() -> (TestServer, TempDir) {
    let folder = TempDir::new().expect("a folder");
    (declared::serve(YAML, folder.path()).await, folder)
}

fn caller(server: &TestServer, tenant: &str, scope: &str) -> Wire {
    let token = declared::token(json!({"sub": "ada", "tenant": tenant, "scope": scope}));
    Wire::with_token(server, Some(token))
}

async fn get(wire: &Wire, arguments: Value) -> wire::Reply {
    let params = json!({"name": "answer", "arguments": arguments});
    wire.modern("prompts/get", params).send().await
}

#[tokio::test]
async fn a_prompt_is_listed_with_its_arguments_to_whom_may_get_it() {
    let (server, _folder) = server().await;
    let list = async |tenant, scope| {
        let wire = caller(&server, tenant, scope);
        let reply = wire.modern("prompts/list", json!({})).send().await;
        reply.body["result"]["prompts"].clone()
    };
    assert_eq!(
        list("acme", "customer:read").await,
        json!([{
            "name": "answer", "title": "Answer a customer", "description": "Drafts an answer.",
            "arguments": [
                {"name": "customer_id", "description": "Customer id", "required": true},
                {"name": "tone", "required": false},
            ],
        }])
    );
    assert_eq!(list("acme", "other").await, json!([]));
    assert_eq!(list("globex", "customer:read").await, json!([]));
}

#[tokio::test]
async fn its_texts_are_filled_from_arguments_defaults_and_the_callers_identity() {
    let (server, _folder) = server().await;
    let wire = caller(&server, "acme", "customer:read");
    let messages = async |arguments| {
        let reply = get(&wire, arguments).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["result"]["messages"].clone()
    };
    let text = |tone: &str| format!("Answer c-42 of acme. Be {tone}; leave {{this}} as it is.");
    let wanted = |tone: &str| {
        json!([
            {"role": "user", "content": {"type": "text", "text": text(tone)}},
            {"role": "assistant", "content": {"type": "text", "text": "What is it about?"}},
        ])
    };
    let given = json!({"customer_id": "c-42"});
    assert_eq!(messages(given.clone()).await, wanted("friendly"));
    let brief = json!({"customer_id": "c-42", "tone": "brief"});
    assert_eq!(messages(brief).await, wanted("brief"));
    // Of the other era, too.
    let params = json!({"name": "answer", "arguments": given});
    let reply = wire.legacy("prompts/get", params).send().await;
    assert_eq!(reply.body["result"]["messages"], wanted("friendly"));
    assert_eq!(reply.body["result"].get("resultType"), None);
}

#[tokio::test]
async fn what_a_prompt_refuses_is_told_in_a_json_rpc_error() {
    let (server, _folder) = server().await;
    let wire = caller(&server, "acme", "customer:read");
    for (arguments, code) in [
        (json!({}), -32602),
        (json!({"customer_id": "C-42"}), -32602),
        (json!({"customer_id": 42}), -32602),
        (json!({"customer_id": "c-1", "tenant": "globex"}), -32602),
        (json!({"customer_id": "c-vip"}), 40302),
        (json!({"customer_id": "c-1"}), 42901),
    ] {
        let reply = get(&wire, arguments.clone()).await;
        assert_eq!(
            (reply.status, reply.code()),
            (200, Some(code)),
            "{arguments}"
        );
    }
    let weak = caller(&server, "acme", "other");
    let refused = get(&weak, json!({"customer_id": "c-1"})).await;
    assert_eq!((refused.status, refused.code()), (403, Some(40301)));
    let challenge = refused.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("scope=\"customer:read\""), "{challenge}");
    // Where it is not enabled it is as if it did not exist.
    let elsewhere = caller(&server, "globex", "customer:read");
    let hidden = get(&elsewhere, json!({"customer_id": "c-1"})).await;
    let params = json!({"name": "nobody"});
    let unknown = elsewhere.modern("prompts/get", params).send().await;
    assert_eq!(hidden.code(), Some(-32602));
    assert_eq!(
        hidden.body["error"]["message"],
        unknown.body["error"]["message"]
    );
}

#[tokio::test]
async fn an_argument_with_choices_is_completed_from_them() {
    let (server, _folder) = server().await;
    let complete = async |scope, argument: &str, value: &str| {
        let wire = caller(&server, "acme", scope);
        let params = json!({
            "ref": {"type": "ref/prompt", "name": "answer"},
            "argument": {"name": argument, "value": value},
        });
        wire.modern("completion/complete", params).send().await
    };
    let reply = complete("customer:read", "tone", "FR").await;
    let expected = json!({"values": ["friendly", "frank"], "total": 2, "hasMore": false});
    assert_eq!(
        reply.body["result"]["completion"], expected,
        "{}",
        reply.body
    );
    let reply = complete("customer:read", "customer_id", "c").await;
    assert_eq!(reply.body["result"]["completion"]["values"], json!([]));
    let reply = complete("customer:read", "nothing", "c").await;
    assert_eq!(reply.code(), Some(-32602));
    let reply = complete("other", "tone", "fr").await;
    assert_eq!((reply.status, reply.code()), (403, Some(40301)));
}

#[test]
fn a_text_that_names_what_there_is_not_is_a_fault_at_its_prompt() {
    let folder = TempDir::new().expect("a folder");
    let yaml = YAML.replace("{customer_id} of", "{costumer_id} of");
    let faults = declared::configure(&yaml, folder.path()).err();
    let faults = faults.expect("a fault");
    assert!(
        faults.contains("prompts.answer: message 1 names `costumer_id`"),
        "{faults}"
    );
}
