//! Violations planted to see every rule of `tests/architecture.rs` bite, and code on which none may.

use super::text::Source;
use super::*;

/// Each line is `path: code`, and the rule must find exactly one fault, on the first line of that path.
#[track_caller]
fn bites(rule: Rule, planted: &[&str]) {
    for line in planted {
        let (path, text) = line.split_once(": ").expect("path: code");
        let found = rule(&[Source::new(path, text)]);
        let place = format!("{path}:1: ");
        let hits = found.iter().filter(|fault| fault.starts_with(&place));
        assert_eq!(hits.count(), 1, "{line}: {found:?}");
    }
}

#[test]
fn a_wrong_import_is_found_however_it_is_written() {
    bites(
        floors,
        &[
            "src/auth/token.rs: use crate::{json::Strict, quota::{Gcra, Rate}};",
            "src/auth/token.rs: use super::super::quota::Gcra;",
            "src/run.rs: fn f(call: &crate::record::Call) {}",
            "src/source/sql.rs: use crate::error::CallError;",
            "src/config/tool.rs: use crate::clock::Clock;",
            "src/mcp.rs: use crate::Tool;",
            "src/main.rs: use tollgate::Tool;",
            "src/helper.rs: fn f() {}",
        ],
    );
    bites(wiring, &["src/source/sql.rs: use crate::config::Tool;"]);
    let circle = [
        ("src/quota.rs", "use crate::tool::A;"),
        ("src/tool.rs", "use crate::quota::B;"),
    ];
    let circle = circle.map(|(path, text)| Source::new(path, text));
    assert_eq!(circles(&circle).len(), 1);
}

#[test]
fn knowledge_in_the_wrong_room_is_found() {
    bites(
        json_rpc,
        &[
            "src/transport/http.rs: const V: &str = \"jsonrpc\";",
            "src/record.rs: struct JsonRpcId;",
            "src/source/sql.rs: use rmcp::model;",
        ],
    );
    bites(
        codes,
        &[
            "src/mcp/methods.rs: let status = StatusCode::NOT_FOUND;",
            "src/transport/rest.rs: let status = StatusCode::BAD_REQUEST;",
            "src/transport/rest.rs: let status = 429u16;",
            "src/mcp.rs: let code = -32_602;",
            "src/quota.rs: let code = 42901;",
        ],
    );
    bites(
        surroundings,
        &[
            "src/auth.rs: let secret = std::env::var(NAME);",
            "src/config.rs: let now = tokio::time::Instant::now();",
            "src/record.rs: let spent = start.elapsed();",
        ],
    );
}

#[test]
fn a_second_way_to_a_running_tool_is_found() {
    bites(
        one_way_to_run,
        &[
            "src/mcp.rs: fn f() { crate::access::authorize(principal, tool); }",
            "src/mcp.rs: use crate::access::{Permit, authorize}; fn f() { authorize(principal, tool); }",
            "src/transport/rest.rs: fn f() { quotas.admit(permit); }",
            "src/server.rs: use crate::run::run as go;",
            "src/server.rs: use crate::run::{run, Output}; fn f() { run(admission); }",
        ],
    );
}

#[test]
fn bulk_silence_and_loose_ends_are_found() {
    let lines = |count| "\n".repeat(count);
    bites(
        sizes,
        &[&format!("src/auth.rs: fn long() {{{}}}", lines(60))],
    );
    bites(sizes, &[&format!("src/pipeline.rs: {}", lines(151))]);
    bites(sizes, &[&format!("src/main.rs: {}", lines(61))]);
    let bulky = [("src/auth.rs", lines(601)), ("src/run.rs", lines(151))];
    let bulky = bulky.map(|(path, text)| Source::new(path, &text));
    assert_eq!(
        sizes(&bulky).len(),
        2,
        "one file over 600 lines, and a median over 150"
    );

    bites(
        openings,
        &[
            "src/auth.rs: use std::fmt;",
            "src/auth/mod.rs: //! Who is calling.",
        ],
    );
    bites(
        allowed_lints,
        &[
            "src/auth.rs: #[allow(dead_code)]",
            "src/auth.rs: #![cfg_attr(test, allow(dead_code))]",
        ],
    );
    bites(
        unfinished,
        &[
            "src/auth.rs: fn f() { unimplemented![] }",
            "src/auth.rs: fn f() { x.unwrap() }",
        ],
    );
}

#[test]
fn comments_literals_and_tests_break_no_rule() {
    let text = r##"//! JSON-RPC, crate::server, StatusCode::OK, 404
/* /* x.unwrap() */ #[allow(dead_code)] */
use crate::clock::Clock;
fn f<'a>(x: &'a str) -> [u8; 4] {
    let q = ('"', '\'', "\" 404 std::env::var", r#"" x.unwrap() "#, b"429", r"\");
    authorize(run(512, 4.04, 0x404, Duration::from_millis(500)))
}
#[cfg(test)]
#[expect(dead_code)]
mod tests { use crate::server::Server; fn f() { "{"; x.unwrap(); run::run(404); } }
"##;
    let source = [Source::new("src/tool.rs", text)];
    for rule in [
        floors,
        circles,
        json_rpc,
        codes,
        one_way_to_run,
        wiring,
        surroundings,
        sizes,
    ] {
        assert_eq!(rule(&source), Violations::new());
    }
    for rule in [openings, allowed_lints, unfinished] {
        assert_eq!(rule(&source), Violations::new());
    }
}
