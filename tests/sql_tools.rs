//! Tools declared in YAML on a real SQLite file, called over HTTP: the caller's tenant is bound,
//! values stay values, and a query stops where it must.

#[path = "support/caller.rs"]
mod caller;
#[path = "support/declared.rs"]
mod declared;
#[path = "sql_tools/load.rs"]
mod load;
#[path = "support/tokens.rs"]
mod tokens;

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate::testing::TestServer;

use caller::{Answer, Caller};

const YAML: &str = r#"
auth:
  issuers:
    - {issuer: https://ci.example.com/, audiences: [https://tools.example.com/mcp], secret: "${SECRET}"}
sources:
  shop: {sqlite: ./shop.db, threads: 1}
tools:
  get_customer:
    description: One customer.
    anyAuthenticated: true
    parameters: {customer_id: {type: string, maxLength: 100}}
    bind: {tenant: caller.tenant}
    sql:
      source: shop
      statement: SELECT id, name, tier FROM customers WHERE tenant = :tenant AND id = :customer_id
      result: one
  find_customers:
    description: Customers of a tier, or of any.
    anyAuthenticated: true
    parameters:
      tier: {type: string, required: false}
      limit: {type: integer, minimum: 1, default: 2}
    bind: {tenant: caller.tenant}
    sql:
      source: shop
      statement: |
        SELECT id FROM customers
        WHERE tenant = :tenant AND (:tier IS NULL OR tier = :tier) ORDER BY id LIMIT :limit
      result: many
  any_customer:
    description: One customer, whichever.
    anyAuthenticated: true
    bind: {tenant: caller.tenant}
    sql: {source: shop, statement: SELECT id FROM customers WHERE tenant = :tenant, result: one}
  columns:
    description: One value of each type.
    anyAuthenticated: true
    sql:
      source: shop
      statement: SELECT 9223372036854775807 AS whole, 1.5 AS real, 'é' AS text, x'00ff10' AS bytes, NULL AS empty
      result: one
  arguments:
    description: Which type each argument arrives with.
    anyAuthenticated: true
    parameters:
      whole: {type: integer}
      real: {type: number}
      text: {type: string}
      flag: {type: boolean}
      list: {type: array, items: {type: integer}}
    sql:
      source: shop
      statement: |
        SELECT typeof(:whole) AS whole, typeof(:real) AS real, typeof(:text) AS text, :flag AS flag,
          (SELECT sum(value) FROM json_each(:list)) AS list
      result: one
  three_rows:
    description: One row too many.
    anyAuthenticated: true
    sql: {source: shop, statement: "VALUES (1), (2), (3)", result: many, maxRows: 2}
  wide_row:
    description: Too many bytes.
    anyAuthenticated: true
    parameters: {bytes: {type: integer}}
    sql: {source: shop, statement: "SELECT hex(zeroblob(:bytes)) AS zeros", result: many, maxBytes: 100}
  runaway:
    description: Counts for ever.
    anyAuthenticated: true
    timeout: 50ms
    rateLimit: 8/1m burst 7
    sql:
      source: shop
      statement: WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) AS total FROM n
      result: one
"#;

/// A shop of two tenants that use the same ids, and who may look into it.
struct Shop {
    server: TestServer,
    folder: TempDir,
}

fn shop_in(folder: &TempDir) {
    let database = Connection::open(folder.path().join("shop.db")).expect("a database");
    database
        .execute_batch(
            "CREATE TABLE customers (tenant TEXT, id TEXT, name TEXT, tier TEXT);
             INSERT INTO customers VALUES
                ('acme', 'c-1', 'Ada', 'silver'), ('acme', 'c-42', 'Jane', 'gold'),
                ('acme', 'c-7', 'Tomás', 'gold'), ('globex', 'c-1', 'Grace', 'gold'),
                ('globex', 'c-9', 'Hiro', 'silver');",
        )
        .expect("tables");
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        shop_in(&folder);
        let server = declared::serve(YAML, folder.path()).await;
        Self { server, folder }
    }

    fn caller(&self, tenant: &str) -> Caller {
        let token = declared::token(json!({"sub": "ada", "tenant": tenant}));
        Caller::new(self.server.url(), token)
    }

    async fn acme(&self, tool: &str, arguments: Value) -> Answer {
        self.caller("acme").rest(tool, arguments).await
    }
}

/// What the tool told the model instead of an answer.
fn refusal(answer: &Answer) -> (u16, &str) {
    (
        answer.status,
        answer.body["detail"].as_str().expect("a text"),
    )
}

#[tokio::test]
async fn a_caller_reads_its_own_tenants_rows_and_no_others() {
    let shop = Shop::open().await;
    for (tenant, name) in [("acme", "Ada"), ("globex", "Grace")] {
        let arguments = json!({"customer_id": "c-1"});
        let answer = shop.caller(tenant).rest("get_customer", arguments).await;
        assert_eq!(answer.body["result"]["name"], name);
    }
    let (theirs, nobodys) = (json!({"customer_id": "c-9"}), json!({"customer_id": "c-0"}));
    for id in [theirs, nobodys] {
        let answer = shop.acme("get_customer", id.clone()).await;
        assert_eq!(refusal(&answer), (422, "not found"));
        let params = json!({"name": "get_customer", "arguments": id});
        let modern = shop.caller("acme").modern("tools/call", params).await;
        assert_eq!(modern.body["result"]["isError"], true);
        assert_eq!(modern.body["result"]["content"][0]["text"], "not found");
    }
}

#[tokio::test]
async fn a_tenant_among_the_arguments_is_refused_and_no_schema_shows_one() {
    let shop = Shop::open().await;
    for name in ["tenant", "tenant_id", ":tenant", "Tenant"] {
        let arguments = json!({"customer_id": "c-9", name: "globex"});
        let answer = shop.acme("get_customer", arguments).await;
        assert_eq!(answer.status, 400, "{name}");
        assert!(answer.body["detail"].as_str().unwrap().contains(name));
    }
    let listed = shop.caller("acme").modern("tools/list", json!({})).await;
    for tool in listed.body["result"]["tools"].as_array().unwrap() {
        assert!(
            !tool["inputSchema"].to_string().contains("tenant"),
            "{tool}"
        );
    }
}

#[tokio::test]
async fn sql_in_a_value_is_a_value() {
    let shop = Shop::open().await;
    for injected in [
        "c-1' OR '1'='1",
        "'; DROP TABLE customers; --",
        "c-1\" OR \"\"=\"",
        ":tenant",
        "%",
        "c-9' AND tenant = 'globex' --",
        "c-1\u{0}",
    ] {
        let answer = shop
            .acme("get_customer", json!({ "customer_id": injected }))
            .await;
        assert_eq!(refusal(&answer), (422, "not found"), "{injected}");
        let answer = shop
            .acme("find_customers", json!({ "tier": injected }))
            .await;
        assert_eq!(answer.body["result"], json!([]), "{injected}");
    }
    let answer = shop
        .acme("get_customer", json!({"customer_id": "c-1"}))
        .await;
    assert_eq!(answer.body["result"]["name"], "Ada");
}

#[tokio::test]
async fn an_optional_argument_is_null_and_a_default_is_filled_in() {
    let shop = Shop::open().await;
    for (arguments, ids) in [
        (json!({}), json!(["c-1", "c-42"])),
        (json!({"limit": 9}), json!(["c-1", "c-42", "c-7"])),
        (json!({"tier": "gold"}), json!(["c-42", "c-7"])),
        (json!({"tier": "gold", "limit": 1}), json!(["c-42"])),
        (json!({"tier": "bronze"}), json!([])),
    ] {
        let answer = shop.acme("find_customers", arguments.clone()).await;
        let rows = answer.body["result"].as_array().unwrap();
        let found: Vec<&Value> = rows.iter().map(|row| &row["id"]).collect();
        assert_eq!(json!(found), ids, "{arguments}");
    }
    for bad in [
        json!({"tier": null}),
        json!({"limit": 0}),
        json!({"limit": "2"}),
    ] {
        assert_eq!(shop.acme("find_customers", bad).await.status, 400);
    }
}

#[tokio::test]
async fn a_list_of_rows_is_an_object_for_clients_of_before() {
    let shop = Shop::open().await;
    let caller = shop.caller("globex");
    let params = json!({"name": "find_customers", "arguments": {}});
    let rows = json!([{"id": "c-1"}, {"id": "c-9"}]);
    let modern = caller.modern("tools/call", params.clone()).await;
    assert_eq!(modern.body["result"]["structuredContent"], rows);
    let legacy = caller.legacy("tools/call", params).await;
    assert_eq!(
        legacy.body["result"]["structuredContent"],
        json!({"result": rows})
    );
    assert_eq!(
        legacy.body["result"]["content"][0]["text"],
        rows.to_string()
    );
    let listed = caller.legacy("tools/list", json!({})).await;
    for tool in listed.body["result"]["tools"].as_array().unwrap() {
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
    }
}

#[tokio::test]
async fn values_keep_their_types_in_both_directions() {
    let shop = Shop::open().await;
    let answer = shop.acme("columns", json!({})).await;
    let expected =
        r#"{"whole":9223372036854775807,"real":1.5,"text":"é","bytes":"AP8Q","empty":null}"#;
    assert_eq!(answer.body["result"].to_string(), expected);

    let arguments = json!({
        "whole": i64::MIN, "real": 2.5, "text": "7", "flag": true, "list": [1, 2, 3],
    });
    let answer = shop.acme("arguments", arguments.clone()).await;
    let expected = json!({
        "whole": "integer", "real": "real", "text": "text", "flag": 1, "list": 6,
    });
    assert_eq!(answer.body["result"], expected);
    let mut beyond = arguments;
    beyond["whole"] = json!(u64::MAX);
    let answer = shop.acme("arguments", beyond).await;
    assert_eq!(
        refusal(&answer),
        (
            400,
            "Invalid arguments: parameter whole is beyond the range of a 64-bit integer"
        )
    );
}

#[tokio::test]
async fn too_many_rows_or_bytes_are_an_error_and_never_a_shorter_answer() {
    let shop = Shop::open().await;
    for (tool, arguments, text) in [
        (
            "any_customer",
            json!({}),
            "more than one row matches; ask for something more specific",
        ),
        (
            "three_rows",
            json!({}),
            "the result has more than 2 rows; ask for less",
        ),
        (
            "wide_row",
            json!({"bytes": 50}),
            "the result has more than 100 bytes; ask for less",
        ),
        (
            "wide_row",
            json!({"bytes": 400_000_000}),
            "the result has more than 16777216 bytes; ask for less",
        ),
    ] {
        let answer = shop.acme(tool, arguments).await;
        assert_eq!(refusal(&answer), (422, text), "{tool}");
    }
    let fits = shop.acme("wide_row", json!({"bytes": 20})).await;
    assert_eq!(fits.body["result"][0]["zeros"], "00".repeat(20));
}

#[tokio::test]
async fn a_query_that_never_ends_is_stopped_at_its_deadline_and_its_thread_is_free() {
    let shop = Shop::open().await;
    for _ in 0..3 {
        // The only thread of the source: the second call would wait for the first.
        let answer = shop.acme("runaway", json!({})).await;
        assert_eq!(refusal(&answer), (504, "The tool did not finish in time"));
        assert!(answer.header("ratelimit").starts_with("\"default\";r="));
        let params = json!({"name": "runaway", "arguments": {}});
        let modern = shop.caller("acme").modern("tools/call", params).await;
        assert_eq!(modern.body["result"]["isError"], true);
        let next = shop
            .acme("get_customer", json!({"customer_id": "c-1"}))
            .await;
        assert_eq!(next.body["result"]["name"], "Ada");
    }
}

#[tokio::test]
async fn a_database_that_breaks_is_told_in_general_and_used_again_when_it_is_whole() {
    let shop = Shop::open().await;
    let path = shop.folder.path().join("shop.db");
    let whole = std::fs::read(&path).unwrap();
    let replace = |bytes: &[u8]| {
        let new = shop.folder.path().join("new.db");
        std::fs::write(&new, bytes).unwrap();
        std::fs::rename(&new, &path).unwrap();
    };
    replace(b"this is no database, and it is longer than the header of one would be, by far, as it has to be over 100 bytes");
    let answer = shop
        .acme("get_customer", json!({"customer_id": "c-1"}))
        .await;
    assert_eq!(refusal(&answer), (502, "A system behind the tool failed"));
    assert!(!answer.body.to_string().contains("shop.db"));
    replace(&whole);
    let answer = shop
        .acme("get_customer", json!({"customer_id": "c-1"}))
        .await;
    assert_eq!(answer.body["result"]["name"], "Ada");
}
