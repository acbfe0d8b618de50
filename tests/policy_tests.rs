//! The promises of `tollgate test`: written cases are decided as a server would decide them, without
//! secrets, sources or a store; what goes otherwise is told, and fails.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "policy_tests/files.rs"]
mod files;
#[path = "policy_tests/page.rs"]
mod page;
#[path = "policy_tests/reports.rs"]
mod reports;

use std::fs;
use std::path::Path;

use binary::{Finished, run};
use tempfile::TempDir;

/// Nothing that it names is there: no database, no API, no store, no key, no variable.
const CONFIG: &str = r#"
server: {listen: "${LISTEN:?where}", tls: {certificate: ./no.crt, key: ./no.key}}
auth:
  issuers:
    - {issuer: https://login.invalid/, audiences: [a], secret: "${JWT_SECRET:?at least 32 bytes}"}
    - {issuer: https://keys.invalid/, audiences: [a], jwks: {file: ./no.json}}
  apiKeysFile: ./no-keys.yaml
  scopes: {"customer:admin": {includes: ["customer:read"]}}
quotas: {store: "redis://127.0.0.1:1/", onStoreFailure: deny, denialLimit: 3/m}
sources:
  shop: {sqlite: "${file:./no-database-path}"}
  crm: {http: "${CRM_URL}", headers: {Authorization: "Bearer ${CRM_TOKEN}"}}
tools:
  get_customer:
    description: A customer.
    scopes: ["customer:read"]
    rateLimit: 5/10s
    parameters: {id: {type: string, pattern: "^c-"}}
    rules:
      - deny: 'caller.subject == "eve"'
      - {deny: 'args.id.startsWith("c-vip")', because: VIPs are for people}
      - {deny: 'args.id == "c-odd"', mode: shadow}
    sql: {source: shop, statement: "SELECT :id", result: one}
  open_ticket:
    description: A ticket.
    scopes: {anyOf: ["ticket:write", "ticket:admin"]}
    parameters: {title: {type: string}}
    http: {source: crm, method: POST, path: /tickets, body: {title: title}}
resources:
  "customers://{id}":
    name: customer
    scopes: ["customer:read"]
    parameters: {id: {maxLength: 9}}
    sql: {source: shop, statement: "SELECT :id", result: one}
prompts:
  greet:
    description: Greet.
    scopes: ["customer:read"]
    parameters: {name: {type: string, maxLength: 9}}
    messages: [{text: "Greet {name}."}]
tenants:
  globex: {tools: {get_customer: {enabled: false}}}
telemetry: {traces: [otlp]}
"#;

const CALLERS: &str = r#"
callers:
  ada: {tenant: acme, subject: ada, scopes: ["customer:read"]}
  bob: {tenant: acme, subject: bob, scopes: ["customer:admin"]}
  eve: {tenant: acme, subject: eve, scopes: ["customer:read"]}
  guest: {tenant: acme, subject: guest}
  hank: {tenant: globex, subject: hank, scopes: ["customer:read"]}
cases:
"#;

/// A folder with the configuration, and a file of these cases below [`CALLERS`].
fn folder_with(cases: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "tollgate.yaml", CONFIG);
    write(
        folder.path(),
        "cases.yaml",
        &format!("{}{cases}", &CALLERS[1..]),
    );
    folder
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).expect("a file");
}

fn decide(cases: &str) -> Finished {
    run(folder_with(cases).path(), &["test", "cases.yaml"])
}

#[track_caller]
fn passes(cases: &str) {
    let done = decide(cases);
    assert_eq!((done.code, &*done.stderr), (Some(0), ""), "{}", done.stdout);
}

#[test]
fn every_refusal_that_a_policy_decides_can_be_expected() {
    passes(
        r#"
  - {caller: ada, tool: get_customer, arguments: {id: c-42}, expect: allow}
  - {caller: guest, tool: get_customer, expect: {refusal: insufficient-scope, missing: ["customer:read"], detail: "Missing scopes: ['customer:read']"}}
  - {caller: ada, tool: open_ticket, expect: {refusal: insufficient-scope, missing: [], missingAnyOf: ["ticket:admin", "ticket:write"]}}
  - {caller: eve, tool: get_customer, arguments: {id: c-42}, expect: {refusal: refused-by-rule, rule: 0}}
  - {caller: ada, tool: get_customer, arguments: {id: c-vip-1}, expect: {refusal: refused-by-rule, rule: 1, detail: VIPs are for people}}
  - {caller: ada, tool: get_customer, arguments: {id: 42}, expect: invalid-arguments}
  - {caller: ada, tool: no_such_tool, expect: unknown-tool}
  - {caller: hank, tool: get_customer, expect: unknown-tool}
  - {caller: ada, resource: "customers://c-42", expect: allow}
  - {caller: ada, resource: "orders://1", expect: unknown-resource}
  - {caller: ada, resource: "customers://abcdefghij", expect: {refusal: invalid-arguments, detail: Resource not found}}
  - {caller: ada, prompt: greet, arguments: {name: Bob}, expect: allow, then: [{arguments: {name: Bartholomew}, expect: invalid-arguments}]}
  - {caller: guest, prompt: greet, expect: insufficient-scope}
  - {caller: ada, prompt: no_such_prompt, expect: unknown-prompt}
  - {caller: ada, tool: get_customer, arguments: {id: c-42}, expect: [5 x allow, 2 x quota-exceeded]}
  - {caller: guest, tool: get_customer, expect: [3 x insufficient-scope, too-many-denials]}
"#,
    );
}

#[test]
fn a_caller_holds_what_its_scopes_include() {
    passes("  - {caller: bob, tool: get_customer, arguments: {id: c-42}, expect: allow}\n");
}

#[test]
fn what_shadow_mode_would_refuse_can_be_expected() {
    passes(
        r#"
  - {caller: ada, tool: get_customer, arguments: {id: c-odd}, expect: {wouldDeny: ["rules[2]"]}}
  - {caller: bob, tool: get_customer, arguments: {id: c-42}, expect: {wouldDeny: []}}
  - {caller: eve, resource: "customers://c-odd", expect: allow}
"#,
    );
}

#[test]
fn time_passes_only_where_a_case_says_so_and_buckets_are_of_the_tenant() {
    passes(
        r#"
  - name: five at once, then one every two seconds
    caller: ada
    tool: get_customer
    arguments: {id: c-42}
    expect: [5 x allow, quota-exceeded]
    then:
      - {caller: bob, expect: quota-exceeded}
      - {after: 1999ms, expect: quota-exceeded}
      - {after: 1ms, expect: [allow, quota-exceeded]}
      - {after: 10s, arguments: {id: c-43}, expect: 5 x allow}
      - {tool: open_ticket, expect: insufficient-scope}
      - {resource: "customers://c-42", expect: 9 x allow}
"#,
    );
}

#[test]
fn every_case_starts_with_full_buckets() {
    let spent = "  - {name: NAME, caller: ada, tool: get_customer, arguments: {id: c-42}, expect: [5 x allow, quota-exceeded]}\n";
    passes(&[spent.replace("NAME", "one"), spent.replace("NAME", "two")].concat());
}

#[test]
fn a_variable_that_decides_must_be_set() {
    let folder = folder_with("  - {caller: ada, tool: t, expect: allow}\n");
    let config = CONFIG.replace("rateLimit: 5/10s", "rateLimit: ${LIMIT}");
    write(folder.path(), "tollgate.yaml", &config);
    let done = run(folder.path(), &["test", "cases.yaml"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.stderr,
        "tollgate.yaml:17: tools.get_customer.rateLimit: environment variable `LIMIT` is not set; set it, or write `${LIMIT:-default}`\n"
    );
}

#[test]
fn a_policy_that_no_server_would_start_with_is_a_fault() {
    let folder = folder_with("  - {caller: ada, tool: t, expect: allow}\n");
    let config = CONFIG.replace("caller.subject == \"eve\"", "caller.name == 1");
    write(folder.path(), "tollgate.yaml", &config);
    let done = run(folder.path(), &["test", "cases.yaml"]);
    assert_eq!((done.code, &*done.stdout), (Some(1), ""));
    assert!(
        done.stderr
            .starts_with("tollgate.yaml:20: tools.get_customer.rules[0].deny: "),
        "{}",
        done.stderr
    );
}

#[test]
fn nothing_is_written() {
    let folder = folder_with(
        "  - {caller: ada, tool: get_customer, arguments: {id: c-42}, expect: allow}\n",
    );
    let done = run(folder.path(), &["test", "cases.yaml"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
}
