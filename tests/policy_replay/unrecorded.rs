//! Where arguments were not recorded, what depends on them is undecidable, and nothing else is.

use serde_json::{Value, json};

use crate::{CONFIG, allowed, folder, id, refused, replay, told, with, write};

fn digest_only(call: Value) -> Value {
    with(call, json!({"arguments": {"digest": "d"}}))
}

#[test]
fn scopes_rules_on_the_caller_and_limits_are_decided_without_arguments() {
    let without_scope = with(allowed(0, id("")), json!({"scopes": ["other"]}));
    let eve = with(allowed(1, id("")), json!({"subject": "eve"}));
    let gone = with(allowed(2, id("")), json!({"target": "gone"}));
    let resource = json!({"method": "resources/read", "target": "a://{id}", "scopes": ["other"]});
    let resource = with(allowed(3, id("")), resource);
    let calls = [without_scope, eve, gone, resource].map(digest_only);
    let rule = "rules: [{deny: 'args.id == \"x\"'}, {deny: 'caller.subject == \"eve\"'}]\n    rateLimit: 2/10s";
    let (code, told) = told(&folder(&calls, "rateLimit: 2/10s", rule), &[]);
    assert_eq!(code, Some(1));
    assert_eq!(
        (&told["allowedToRefused"], &told["undecidable"]),
        (&json!(4), &json!(0)),
        "{told:#}"
    );
    let calls = [0, 1, 2].map(|at| digest_only(allowed(at, id(""))));
    let (_, told) = self::told(&folder(&calls, "", ""), &["--quotas"]);
    assert_eq!(
        (&told["allowedToRefused"], &told["undecidable"]),
        (&json!(1), &json!(2)),
        "{told:#}"
    );
}

#[test]
fn what_depends_on_arguments_is_undecidable_and_says_why() {
    let redacted =
        json!({"arguments": {"digest": "d", "values": {"id": "[redacted]"}, "redacted": ["/id"]}});
    let too_long = json!({"arguments": {"digest": "d", "redacted": ["*"]}});
    let resource = json!({"method": "resources/read", "target": "a://{id}"});
    let unknown = json!({"method": "resources/read", "target": null});
    let calls = [
        digest_only(allowed(0, id(""))),
        with(allowed(1, id("")), redacted),
        with(allowed(2, id("")), too_long),
        digest_only(with(allowed(3, id("")), resource)),
        digest_only(with(
            refused(4, "unknown-resource", "invalid", id("")),
            unknown,
        )),
        digest_only(refused(5, "invalid-arguments", "invalid", id(""))),
    ];
    let (code, told) = told(&folder(&calls, "", ""), &[]);
    assert_eq!(
        (code, &told["undecidable"]),
        (Some(1), &json!(6)),
        "{told:#}"
    );
    let why = |group: &Value| {
        (
            group["target"].clone(),
            group["why"].clone(),
            group["count"].clone(),
        )
    };
    let groups: Vec<_> = told["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .map(why)
        .collect();
    let group = |target: &str, why: &str, count: u64| (json!(target), json!(why), json!(count));
    assert_eq!(
        groups,
        [
            group("*", "its URI was not recorded", 1),
            group("a://{id}", "its arguments were not recorded", 1),
            group("get", "its arguments were not recorded", 2),
            group("get", "its arguments were recorded in part", 2),
        ]
    );
}

#[test]
fn with_the_file_that_was_in_force_only_what_changed_is_undecidable() {
    let calls = [
        digest_only(allowed(0, id(""))),
        digest_only(with(
            refused(1, "invalid-arguments", "invalid", id("")),
            json!({"stages": {"authenticate": 1, "authorize": 1, "admit": 1}}),
        )),
        // It never came as far as its arguments.
        digest_only(with(
            refused(2, "insufficient-scope", "denied", id("")),
            json!({"scopes": ["a:all"]}),
        )),
    ];
    let before = ["--before", "old.yaml"];
    // Scopes have changed, and nothing that reads arguments.
    let folder_a = folder(
        &calls,
        "scopes: [\"a:read\"]",
        "scopes: {anyOf: [\"a:read\", \"a:all\"]}",
    );
    write(folder_a.path(), "old.yaml", CONFIG);
    let (_, told_a) = told(&folder_a, &before);
    assert_eq!(
        (&told_a["same"], &told_a["undecidable"]),
        (&json!(2), &json!(1)),
        "{told_a:#}"
    );
    for (from, to) in [
        ("maxLength: 9", "maxLength: 8"),
        (
            "rateLimit: 2/10s",
            "rules: [{deny: 'args.id == \"x\"'}]\n    rateLimit: 2/10s",
        ),
    ] {
        let folder_b = folder(&calls[..2], from, to);
        write(folder_b.path(), "old.yaml", CONFIG);
        let (code, told_b) = told(&folder_b, &before);
        assert_eq!(
            (code, &told_b["undecidable"]),
            (Some(1), &json!(2)),
            "{told_b:#}"
        );
    }
}

#[test]
fn what_cannot_be_decided_names_its_tenant_if_it_is_of_one() {
    let of = |number, tenant: &str| {
        let call = digest_only(allowed(number, id("")));
        with(call, json!({ "tenant": tenant }))
    };
    for (tenants, whose) in [
        (["acme", "acme"], ("tenant acme", "acme")),
        (["acme", "globex"], ("several tenants", "*")),
    ] {
        let calls = [of(0, tenants[0]), of(1, tenants[1])];
        let folder = folder(&calls, "", "");
        let (_, told) = told(&folder, &[]);
        assert_eq!(told["groups"][0]["tenant"], whose.1, "{told}");
        let text = replay(&folder, &[]).stdout;
        let line = format!("2  get  {}  its arguments were not recorded", whose.0);
        assert!(text.contains(&line), "{text}");
    }
}

#[test]
fn rules_on_arguments_that_may_look_at_other_scopes_are_undecidable() {
    let calls = [digest_only(allowed(0, id("")))];
    let rule =
        "rules: [{deny: 'args.id == \"x\" && !(\"vip\" in caller.scopes)'}]\n    rateLimit: 2/10s";
    let ruled = CONFIG.replace("rateLimit: 2/10s", rule);
    let includes = "auth: {scopes: {\"a:read\": {includes: [vip]}}, ";
    for (config, undecidable) in [(&ruled, 1), (&CONFIG.to_owned(), 0)] {
        let folder = folder(&calls, "", "");
        write(folder.path(), "old.yaml", config);
        write(
            folder.path(),
            "new.yaml",
            &config.replace("auth: {", includes),
        );
        let (_, told) = told(&folder, &["--before", "old.yaml"]);
        assert_eq!(told["undecidable"], undecidable, "{told:#}");
    }
}

#[test]
fn a_resource_whose_uri_is_unknown_is_undecidable_where_another_may_answer_for_it() {
    let read = json!({"method": "resources/read", "target": "a://{id}", "scopes": ["a:read"]});
    let refused = json!({"scopes": [], "error": "insufficient-scope", "outcome": "denied", "stages": {"authenticate": 1}});
    let read = with(allowed(0, id("")), read);
    let calls = [read.clone(), with(read, refused)].map(digest_only);
    let resource = |uri: &str, scope: &str| {
        format!(
            "  \"{uri}\":\n    name: b\n    scopes: [\"{scope}\"]\n    sql: {{source: shop, statement: \"SELECT 1\", result: one}}\n"
        )
    };
    let known = "resources:\n";
    for (first, undecidable) in [
        (resource("a://c-vip-{id}", "vip"), 2),
        (resource("a://vip", "vip"), 2),
        (resource("b://c-vip-{id}", "vip"), 0),
        (resource("a://x/{id}", "vip"), 0),
    ] {
        let first = first.replace(
            "SELECT 1",
            if first.contains("{id}") {
                "SELECT :id"
            } else {
                "SELECT 1"
            },
        );
        let folder = folder(&calls, known, &format!("{known}{first}"));
        write(folder.path(), "old.yaml", CONFIG);
        let (_, told) = told(&folder, &["--before", "old.yaml"]);
        assert_eq!(told["undecidable"], undecidable, "{first}: {told:#}");
    }
    // One that comes after it, by name, answers for nothing that it answers for.
    let prompts = "prompts:\n";
    let after = format!(
        "{}{prompts}",
        resource("a://{id}x", "vip").replace("SELECT 1", "SELECT :id")
    );
    let folder = folder(&calls, prompts, &after);
    write(folder.path(), "old.yaml", CONFIG);
    let (_, told) = told(&folder, &["--before", "old.yaml"]);
    assert_eq!(
        (&told["same"], &told["undecidable"]),
        (&json!(2), &json!(0)),
        "{told:#}"
    );
}
