//! What goes otherwise is told: what was wanted, what came, and why; for people and for programs.

use serde_json::{Value, json};

use crate::binary::run;
use crate::{decide, folder_with};

const CASES: &str = r#"
  - {name: "Ada reads <her> \"customer\"", caller: ada, tool: get_customer, arguments: {id: c-42}, expect: allow}
  - {name: guests & others, caller: guest, tool: get_customer, expect: allow}
  - {caller: ada, tool: get_customer, arguments: {id: c-42}, expect: [7 x allow]}
  - {caller: ada, tool: get_customer, arguments: {id: c-vip}, expect: {refusal: refused-by-rule, rule: 0}}
  - {name: shadow, caller: ada, tool: get_customer, arguments: {id: c-odd}, expect: {wouldDeny: []}}
"#;

#[test]
fn a_table_tells_people() {
    let done = decide(CASES);
    assert_eq!((done.code, &*done.stderr), (Some(1), ""));
    insta::assert_snapshot!(done.stdout, @r#"
    ok      cases.yaml:9   Ada reads <her> "customer"
    FAILED  cases.yaml:10  guests & others
    FAILED  cases.yaml:11  cases[2]: ada get_customer
    FAILED  cases.yaml:12  cases[3]: ada get_customer
    FAILED  cases.yaml:13  shadow

    cases.yaml:10: guests & others
      call 1: guest@acme get_customer
        wanted allow
        got    insufficient-scope: Missing scopes: ['customer:read']

    cases.yaml:11: cases[2]: ada get_customer
      call 6: ada@acme get_customer
        wanted allow
        got    quota-exceeded: Rate limit exceeded; retry in 2.0 s
      all calls
        wanted 7 x allow
        got    5 x allow, 2 x quota-exceeded

    cases.yaml:12: cases[3]: ada get_customer
      call 1: ada@acme get_customer
        wanted rules[0]
        got    rules[1]

    cases.yaml:13: shadow
      call 1: ada@acme get_customer
        wanted wouldDeny []
        got    wouldDeny [rules[2]]

    5 cases, 4 not as expected
    "#);
}

#[test]
fn json_tells_programs() {
    let folder = folder_with(CASES);
    let done = run(folder.path(), &["test", "cases.yaml", "--format", "json"]);
    assert_eq!(done.code, Some(1));
    let told: Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert_eq!((&told["total"], &told["failed"]), (&json!(5), &json!(4)));
    assert_eq!(
        told["cases"][2],
        json!({
            "name": "cases[2]: ada get_customer",
            "file": "cases.yaml",
            "line": 11,
            "asExpected": false,
            "wanted": [{"times": 7, "decision": "allow"}],
            "got": [{"times": 5, "decision": "allow"}, {"times": 2, "decision": "quota-exceeded"}],
            "difference": {
                "call": 6,
                "what": "ada@acme get_customer",
                "wanted": "allow",
                "got": "quota-exceeded: Rate limit exceeded; retry in 2.0 s",
            },
        })
    );
}

#[test]
fn junit_tells_ci_whatever_the_names_hold() {
    let folder = folder_with(CASES);
    let done = run(folder.path(), &["test", "cases.yaml", "--format", "junit"]);
    assert_eq!(done.code, Some(1));
    insta::assert_snapshot!(done.stdout, @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites tests="5" failures="4">
      <testsuite name="tollgate" tests="5" failures="4">
        <testcase classname="cases.yaml" name="Ada reads &lt;her&gt; &quot;customer&quot;"/>
        <testcase classname="cases.yaml" name="guests &amp; others">
          <failure message="wanted allow, got insufficient-scope: Missing scopes: ['customer:read']">cases.yaml:10: call 1: guest@acme get_customer</failure>
        </testcase>
        <testcase classname="cases.yaml" name="cases[2]: ada get_customer">
          <failure message="wanted allow, got quota-exceeded: Rate limit exceeded; retry in 2.0 s">cases.yaml:11: call 6: ada@acme get_customer</failure>
        </testcase>
        <testcase classname="cases.yaml" name="cases[3]: ada get_customer">
          <failure message="wanted rules[0], got rules[1]">cases.yaml:12: call 1: ada@acme get_customer</failure>
        </testcase>
        <testcase classname="cases.yaml" name="shadow">
          <failure message="wanted wouldDeny [], got wouldDeny [rules[2]]">cases.yaml:13: call 1: ada@acme get_customer</failure>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}
