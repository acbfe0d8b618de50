//! The commands: `call` asks or is told, `check` shows, `test` and `replay` decide.

use std::fs;

use serde_json::Value;
use tollgate::server::Server;
use tollgate::tool::TenantPolicy;
use tollgate::{CallContext, Confirm, Resource, Tool, ToolError};

use crate::binary::run;
use crate::stdio::folder;

#[test]
fn call_runs_what_needs_confirmation_only_with_yes() {
    let folder = folder();
    let call = |more: &[&str]| {
        run(
            folder.path(),
            &[&["call", "close", "id=a-1"], more].concat(),
        )
    };
    let refused = call(&[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("needs confirmation: give --yes"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("id: \"a-1\""), "{refused:?}");
    let done = call(&["--yes"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("\"closed\": \"a-1\""), "{done:?}");
    let free = run(folder.path(), &["call", "close", "id=free"]);
    assert_eq!(free.code, Some(0), "{free:?}");
}

#[test]
fn check_shows_what_needs_approval_and_refuses_a_condition_that_is_none() {
    let folder = folder();
    let shown = run(folder.path(), &["check"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    let line = shown.stdout.lines().find(|line| line.contains("confirm"));
    let words: Vec<&str> = line.expect("a line").split_whitespace().collect();
    assert_eq!(words, ["close", "*", "confirm", "args.id", "!=", "'free'"]);
    let file = folder.path().join("tollgate.yaml");
    let text = fs::read_to_string(&file).expect("a file");
    fs::write(&file, text.replace("args.id !=", "args.idd !=")).expect("a file");
    let refused = run(folder.path(), &["check"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused
            .stderr
            .contains("tools.close.confirm: column 5 names an argument that there is not"),
        "{refused:?}"
    );
}

#[test]
fn test_tells_calls_that_need_approval_from_those_that_do_not() {
    let folder = folder();
    let cases = |wanted: &str| {
        let text = format!(
            "callers: {{ada: {{tenant: acme, subject: ada, scopes: []}}}}\ncases:\n- {{caller: ada, tool: close, arguments: {{id: a}}, expect: {wanted}}}\n- {{caller: ada, tool: close, arguments: {{id: free}}, expect: allow}}\n"
        );
        fs::write(folder.path().join("cases.yaml"), text).expect("a file");
        run(folder.path(), &["test", "cases.yaml"])
    };
    for good in ["confirm", "{confirm: true}", "2 x confirm"] {
        let played = cases(good);
        assert_eq!(played.code, Some(0), "{played:?}");
    }
    let played = cases("allow");
    assert_eq!(played.code, Some(1), "{played:?}");
    assert!(
        played.stdout.contains("got    confirm (args.id != 'free')"),
        "{played:?}"
    );
}

#[test]
fn a_server_is_not_built_on_a_bad_condition_or_one_for_a_resource() {
    let answer = async |_: CallContext, _: Value| Ok::<_, ToolError>(0);
    let tool = Tool::new("close", "Closes.").any_authenticated();
    let tool = tool.confirm(Confirm::when("args.amount >")).handler(answer);
    let refused = Server::builder().tool(tool).build().err();
    let refused = refused.expect("a fault").to_string();
    assert!(
        refused.contains("close: confirm: not a valid CEL expression"),
        "{refused}"
    );
    let always = TenantPolicy {
        confirm: Some(Confirm::Always),
        ..TenantPolicy::default()
    };
    let resource = Resource::new("notes://all", "notes").any_authenticated();
    let resource = resource.for_tenant("acme", always).handler(answer);
    let refused = Server::builder().resource(resource).build().err();
    let refused = refused.expect("a fault").to_string();
    assert!(
        refused.contains("only calls of tools can need approval"),
        "{refused}"
    );
}
