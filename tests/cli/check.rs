//! `tollgate check`: the whole matrix of policies, and a failure for what nobody can call.

use std::fs;

use crate::binary::{Finished, run};
use crate::commands::initialized;

/// `check` in a folder with the demo's database and this file.
fn check(yaml: &str) -> Finished {
    let folder = initialized();
    fs::write(folder.path().join("tollgate.yaml"), yaml).expect("a file");
    run(folder.path(), &["check"])
}

const ISSUER: &str =
    "auth: {issuers: [{issuer: a, audiences: [b], secret: 'n6Gq3Wc8TzV1yKf5RbX0sJdLh7Pm2UaE'}]}\n";

/// An issuer that is asked about its tokens, which may be anybody's.
const INTROSPECTED: &str = "auth: {issuers: [{issuer: a, audiences: [b], introspection: {url: 'https://a.example/i', clientId: c, clientSecret: 'Zt4vQ9'}}]}\n";

/// An API key that is granted `z`, which includes `b` alone.
const API_KEY: &str = "auth: {scopes: {z: {includes: [b]}}, apiKeys: [{id: ci, hash: 'sha256:00000000000000000000000000000000000000000000000000000000000000ff', tenant: acme, subject: ci, scopes: [z], expires: never}]}\n";

/// The tool `t` from line 3 on, with these lines in its policy.
fn tool(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "sources: {{shop: {{sqlite: ./shop.db}}}}\ntools:\n  t:\n    description: A tool.\n    parameters: {{id: {{type: string, required: false}}}}\n    sql: {{source: shop, statement: 'SELECT :id', result: one}}\n{lines}"
    )
}

#[test]
fn the_matrix_shows_tenants_rules_and_shadows() {
    let policy = "scopes: {allOf: [a], anyOf: [b, c]}
rateLimit: {limit: 5/10s, mode: shadow}
rules:
- deny: |
    has(args.id) &&
      args.id == \"x\"
- allowOnlyIf: caller.subject != \"eve\"
  mode: shadow
";
    let tenants = "tenants:
  acme: {tools: {t: {rateLimit: 100/10s, rules: []}}}
  globex: {tools: {t: {enabled: false}}}
  initech: {tools: {t: {scopes: {anyOf: [d], mode: shadow}, anyAuthenticated: true}}}
";
    let found = check(&format!("{}{tenants}{ISSUER}", tool(policy)));
    assert_eq!(
        (found.code, found.stderr.as_str()),
        (Some(0), ""),
        "{found:?}"
    );
    insta::assert_snapshot!(found.stdout, @r#"
    TARGET  TENANT   SCOPES                            RULES         QUOTA PER TENANT  TIMEOUT  AT ONCE
    t       *        a (b | c)                         2, shadow: 1  shadow: 5/10s     30s      half
    t       acme     a (b | c)                         none          100/10s           30s      half
    t       globex   (not enabled)                     2, shadow: 1  shadow: 5/10s     30s      half
    t       initech  (any authenticated), shadow: (d)  2, shadow: 1  shadow: 5/10s     30s      half

    t  *  rules[0]  deny has(args.id) && args.id == "x"
    t  *  rules[1]  shadow: allowOnlyIf caller.subject != "eve"
    "#);
}

#[test]
fn what_nobody_can_call_fails_with_its_line() {
    for (lines, end, reason) in [
        (
            "scopes: [a]\nenabled: false\n",
            ISSUER,
            "it is enabled for no tenant; enable it or remove it",
        ),
        (
            "scopes: [a]\nrules: [{deny: '1 < 2'}]\n",
            ISSUER,
            "a rule refuses every call; change the rule, or set `enabled: false` for single tenants",
        ),
        (
            "scopes: [a]\nrules: [{allowOnlyIf: 'false'}]\n",
            ISSUER,
            "a rule refuses every call; change the rule, or set `enabled: false` for single tenants",
        ),
        (
            "scopes: [a]\n",
            "",
            "the file names no caller; give `auth.issuers`, `auth.apiKeys` or `stdio.principal`",
        ),
        (
            "scopes: [a]\n",
            "stdio: {principal: {tenant: acme, subject: me, scopes: [b]}}\n",
            "its scopes or rules refuse every caller that the file names; grant the scopes, or give `auth.issuers`",
        ),
        (
            "scopes: [a]\n",
            API_KEY,
            "its scopes or rules refuse every caller that the file names; grant the scopes, or give `auth.issuers`",
        ),
    ] {
        let found = check(&format!("{}{end}", tool(lines)));
        assert_eq!(found.code, Some(1), "{found:?}");
        assert_eq!(
            found.stderr,
            format!("tollgate.yaml:3: tools.t: nobody can call it: {reason}\n")
        );
        assert!(found.stdout.starts_with("TARGET"), "{found:?}");
    }
}

#[test]
fn what_somebody_can_call_passes() {
    for (lines, end) in [
        (
            "scopes: [a]\n",
            "stdio: {principal: {tenant: acme, subject: me, scopes: [a]}}\n",
        ),
        (
            "scopes: [a]\nrules: [{deny: 'true', mode: shadow}]\n",
            ISSUER,
        ),
        ("scopes: [b]\n", API_KEY),
        ("scopes: [a]\n", INTROSPECTED),
        (
            "scopes: [a]\nenabled: false\n",
            "tenants: {acme: {tools: {t: {enabled: true}}}}\nauth: {issuers: [{issuer: a, audiences: [b], secret: n6Gq3Wc8TzV1yKf5RbX0sJdLh7Pm2UaE}]}\n",
        ),
    ] {
        let found = check(&format!("{}{end}", tool(lines)));
        assert_eq!(
            (found.code, found.stderr.as_str()),
            (Some(0), ""),
            "{found:?}"
        );
    }
}

#[test]
fn what_anybody_could_call_does_not_load() {
    for (lines, path) in [
        (
            "rules: [{deny: 'false'}]\n",
            "tollgate.yaml:3: tools.t: says not who may call",
        ),
        (
            "scopes: []\n",
            "tollgate.yaml:7: tools.t.scopes: needs at least one scope",
        ),
        (
            "scopes: {allOf: [a], mode: shadow}\n",
            "tollgate.yaml:7: tools.t.scopes: in shadow mode scopes refuse nobody",
        ),
    ] {
        let found = check(&format!("{}{ISSUER}", tool(lines)));
        assert_eq!(found.code, Some(1));
        assert!(found.stderr.starts_with(path), "{found:?}");
    }
}

#[test]
fn a_faulty_rule_is_told_with_its_line() {
    let lines =
        "scopes: [a]\nrules:\n- deny: args.idd == \"\"\n- because: x\n  allowOnlyIf: role == 1\n";
    let tenants = "tenants: {acme: {tools: {t: {rules: [{deny: '1 +'}]}}}}\n";
    let found = check(&format!("{}{tenants}{ISSUER}", tool(lines)));
    let starts = [
        "tollgate.yaml:9: tools.t.rules[0].deny: column 5 names an argument that there is not; there are: id",
        "tollgate.yaml:11: tools.t.rules[1].allowOnlyIf: unknown name at column 1;",
        "tollgate.yaml:12: tenants.acme.tools.t.rules[0].deny: not a valid CEL expression at line 1, column 4",
    ];
    let lines: Vec<&str> = found.stderr.lines().collect();
    assert_eq!(lines.len(), starts.len(), "{found:?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn what_is_said_of_the_audit_log_in_vain_is_told() {
    let said = |audit: &str, own: &str| {
        let found = check(&format!("{}{audit}{ISSUER}", tool(own)));
        assert_eq!(found.code, Some(0), "{found:?}");
        let lines = found.stderr.lines();
        let told = lines.filter(|line| line.contains("has no effect"));
        told.map(str::to_owned).collect::<Vec<_>>()
    };
    let section = |more: &str| {
        let key = "Zm9vYmFyLXF1dXgtY29ycmdlLWdyYXVsdHk";
        format!("audit: {{file: a.jsonl, key: {key}{more}}}\n")
    };
    let tool = "anyAuthenticated: true\naudit: {redact: [customer_id]}";
    for (audit, own, told) in [
        (
            section(", redact: [pin]"),
            "anyAuthenticated: true",
            "audit.redact",
        ),
        (section(""), tool, "tools.t.audit.redact"),
        (String::new(), tool, "tools.t.audit"),
    ] {
        let said = said(&audit, own);
        let is_it = |line: &String| line.contains(&format!("{told} has no effect: "));
        assert!(
            said.len() == 1 && said.iter().all(is_it),
            "{told}: {said:?}"
        );
    }
    let records = "anyAuthenticated: true\naudit: {arguments: recorded, redact: [a]}";
    for (audit, own) in [
        (section(", arguments: recorded, redact: [pin]"), tool),
        (section(", redact: [pin]"), records),
        (section(""), "anyAuthenticated: true"),
    ] {
        assert!(said(&audit, own).is_empty(), "{audit} {own}");
    }
}

#[test]
fn an_audit_log_that_could_not_be_gone_on_with_is_refused() {
    const KEY: &str = "Wm4tPz8qLs2VbXc7Ru0yHn5KdJf3Ga6E";
    let policy = "anyAuthenticated: true\nrateLimit: unlimited";
    let folder = initialized();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).expect("a folder");
    fs::write(at("notes"), "Buy milk.\n").expect("a file");
    for (file, fault) in [
        ("folder", "is a directory: name a file in it"),
        ("notes", "is no audit log"),
        ("new.jsonl", ""),
    ] {
        let audit = format!("audit: {{file: ./{file}, key: '{KEY}'}}\n");
        let yaml = format!("{}{audit}{ISSUER}", tool(policy));
        fs::write(at("tollgate.yaml"), yaml).expect("a file");
        let found = run(folder.path(), &["check"]);
        let is_good = fault.is_empty();
        assert_eq!(found.code, Some(i32::from(!is_good)), "{found:?}");
        assert!(found.stderr.contains(fault), "{found:?}");
    }
    assert_eq!(
        fs::read_to_string(at("notes")).expect("a file"),
        "Buy milk.\n"
    );
    assert!(!at("new.jsonl").exists() && !at("notes.head").exists());
}
