//! Files of cases: what is wrong in them is told at once, with line and path.

use crate::binary::run;
use crate::{decide, folder_with, write};

#[track_caller]
fn faults(cases: &str, told: &[&str]) {
    let done = decide(cases);
    assert_eq!((done.code, &*done.stdout), (Some(1), ""), "{done:?}");
    assert_eq!(done.stderr.lines().collect::<Vec<_>>(), told);
}

#[test]
fn misspelt_keys_and_words_are_told_with_what_was_meant() {
    faults(
        r"  - {caller: ada, tol: get_customer, expect: allow}
",
        &["cases.yaml:8: cases[0].tol: unknown key `tol`; did you mean `tool`?"],
    );
    faults(
        r"  - {caller: adda, tool: t, expect: quota-exeeded}
  - {caller: ada, expect: alow}
  - {caller: ada, tool: t, resource: 'a://b', expect: maybe}
",
        &[
            "cases.yaml:8: cases[0].caller: there is no `adda` among `callers`; did you mean `ada`?",
            "cases.yaml:8: cases[0].expect: unknown word; did you mean `quota-exceeded`?",
            "cases.yaml:9: cases[1]: needs either `tool`, `resource` or `prompt`",
            "cases.yaml:9: cases[1].expect: unknown word; did you mean `allow`?",
            "cases.yaml:10: cases[2]: give either `tool`, `resource` or `prompt`, and not more than one",
            "cases.yaml:10: cases[2].expect: expected one of: allow, confirm, insufficient-scope, refused-by-rule, unknown-tool, unknown-resource, unknown-prompt, invalid-arguments, quota-exceeded, too-many-denials; several calls in a row are written such as `5 x allow`",
        ],
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    faults(
        r"  - {name: same, caller: ada, tool: t, expect: allow}
  - {name: same, caller: ada, tool: t, expect: 0 x allow}
  - {caller: ada, resource: 'a://b', arguments: {a: 1}, expect: allow}
  - {caller: ada, tool: t, expect: {missing: [a], rule: 0, detail: no}}
  - {caller: ada, tool: t, expect: allow, then: [{after: 10, expect: allow}]}
  - {caller: ada, tool: t, expect: allow, then: [{after: 367d, expect: allow}]}
",
        &[
            "cases.yaml:12: cases[4].then[0].after: expected a string such as 10s, found a whole number",
        ],
    );
    faults(
        r"  - {name: same, caller: ada, tool: t, expect: allow}
  - {name: same, caller: ada, tool: t, expect: 0 x allow}
  - {caller: ada, resource: 'a://b', arguments: {a: 1}, expect: allow}
  - {caller: ada, tool: t, expect: {missing: [a], rule: 0, detail: no}}
  - {caller: ada, tool: t, expect: allow, then: [{after: 367d, expect: allow}]}
",
        &[
            "cases.yaml:9: cases[1].expect: the number of calls must be a whole number from 1 to 100000",
            "cases.yaml:9: cases[1].name: is the name of cases[0] already",
            "cases.yaml:10: cases[2].arguments: only a tool or a prompt has arguments; those of a resource are in its URI",
            "cases.yaml:11: cases[3].expect.detail: only goes with a `refusal`",
            "cases.yaml:11: cases[3].expect.missing: only goes with `refusal: insufficient-scope`",
            "cases.yaml:11: cases[3].expect.rule: only goes with `refusal: refused-by-rule`",
            "cases.yaml:12: cases[4].then[0].after: must be at most 366d",
        ],
    );
}

#[test]
fn a_file_without_a_case_shows_nothing_and_fails() {
    faults("  []\n", &["cases.yaml:7: cases: needs at least one entry"]);
    let folder = folder_with("");
    write(folder.path(), "cases.yaml", "callers: {}\n");
    let done = run(folder.path(), &["test", "cases.yaml"]);
    assert_eq!(done.code, Some(1));
    assert_eq!(
        done.stderr,
        "cases.yaml:1: the key `cases` is missing: The cases; each is decided by itself\n"
    );
}

#[test]
fn files_that_are_not_there_fail_and_no_file_is_wrong_usage() {
    let folder = folder_with("  - {caller: ada, tool: t, expect: unknown-tool}\n");
    let done = run(folder.path(), &["test", "cases.yaml", "none.yaml"]);
    assert_eq!((done.code, &*done.stdout), (Some(1), ""));
    assert!(
        done.stderr
            .starts_with("none.yaml: cannot read the file of cases: "),
        "{done:?}"
    );
    let done = run(
        folder.path(),
        &["test", "cases.yaml", "--config", "no.yaml"],
    );
    assert_eq!(done.code, Some(1));
    assert!(
        done.stderr
            .starts_with("no.yaml: cannot read the config file: "),
        "{done:?}"
    );
    assert_eq!(run(folder.path(), &["test"]).code, Some(2));
}

#[test]
fn the_schema_of_cases_knows_every_key() {
    let folder = folder_with("");
    let done = run(folder.path(), &["schema", "--cases"]);
    let schema: serde_json::Value = serde_json::from_str(&done.stdout).expect("JSON");
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let keys = schema["$defs"]["Case"]["properties"]
        .as_object()
        .expect("keys");
    let keys: Vec<&String> = keys.keys().collect();
    assert_eq!(
        keys,
        [
            "name",
            "caller",
            "tool",
            "resource",
            "prompt",
            "arguments",
            "expect",
            "then"
        ]
    );
}
