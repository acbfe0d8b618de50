//! The promises of `tollgate token` and `tollgate call`: what they print, refuse and return.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/commands.rs"]
mod commands;

use std::fs;
use std::net::TcpListener;

use binary::{Demo, finish, run, tollgate};
use commands::{JANE, fails, folder, initialized};

#[test]
fn token_refuses_what_the_server_would_refuse() {
    let folder = initialized();
    let token = |more: &[&str]| {
        let arguments = [&["token", "--tenant", "acme", "--subject", "ci"], more].concat();
        run(folder.path(), &arguments)
    };
    assert_eq!(token(&[]).code, Some(0));
    fails(&token(&["--dev"]), 1, "get a token from GET /mint-demo-jwt");
    fails(
        &token(&["--issuer", "https://elsewhere/"]),
        1,
        "no such issuer is configured",
    );
    fails(
        &token(&["--audience", "https://elsewhere/mcp"]),
        1,
        "the server would refuse the token",
    );
    fails(&token(&["--scope", "two words"]), 1, "scopes must be");
    fails(&token(&["--scope", ""]), 1, "scopes must be");
    fails(
        &token(&["--tenant", ""]),
        2,
        "cannot be used multiple times",
    );
    fails(
        &run(folder.path(), &["token", "--tenant", "", "--subject", "ci"]),
        1,
        "the tenant must be",
    );
    fails(&token(&["--ttl", "soon"]), 2, "--ttl");
    fs::write(folder.path().join("tollgate.yaml"), "{}\n").expect("a file");
    fails(&token(&[]), 1, "no such issuer is configured");
}

#[test]
fn call_here_reads_arguments_and_tells_refusals_with_their_id() {
    let folder = folder();
    let call = |arguments: &[&str]| run(folder.path(), &[&["call", "--dev"], arguments].concat());
    let done = call(&["get_customer", "customer_id=c-42"]);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (Some(0), JANE),
        "{done:?}"
    );
    let done = call(&["find_orders", "query=c-42", "limit:=1"]);
    assert_eq!(
        done.stdout,
        "[\n  {\n    \"order_id\": \"o-123\",\n    \"status\": \"shipped\"\n  }\n]\n"
    );

    for (arguments, detail) in [
        (&["get_customer", "customer_id=c-9"][..], "error: not found"),
        (&["get_customer"], "error: Invalid arguments: "),
        (
            &["find_orders", "query=x", "limit=1"],
            "error: Invalid arguments: /limit",
        ),
        (
            &["get_customer", "customer_id=c-42", "tenant=globex"],
            "error: Invalid arguments: ",
        ),
        (&["nope"], "error: Unknown tool"),
    ] {
        let refused = call(arguments);
        fails(&refused, 1, detail);
        let line = refused.stderr.lines().last().expect("a line");
        let (_, id) = line.split_once(" [call ").expect("an id");
        // The same id as in the trace that dev mode prints.
        assert!(
            refused
                .stderr
                .contains(&format!("call={}", id.trim_end_matches(']'))),
            "{refused:?}"
        );
    }
    for (arguments, fault) in [
        (
            &["get_customer", "customer_id"][..],
            "`customer_id` is not KEY=VALUE",
        ),
        (&["get_customer", "=c-42"], "has no key"),
        (&["get_customer", "a=1", "a=2"], "`a` is given twice"),
        (
            &["find_orders", "limit:=many"],
            "the value of `limit` is not JSON",
        ),
    ] {
        fails(&call(arguments), 2, fault);
    }
    for url in ["127.0.0.1:8080", "ftp://127.0.0.1", "foo"] {
        let call = call(&["get_customer", "--url", url]);
        fails(&call, 2, "--url must be an http or https URL, such as");
    }
}

#[tokio::test]
async fn call_asks_a_server_and_tells_its_refusals() {
    let demo = Demo::start();
    let folder = folder();
    let good = demo.server.mint("").await;
    let weak = demo.server.mint("?scope=").await;
    let call = |more: &[&str]| {
        let arguments = [
            "call",
            "get_customer",
            "customer_id=c-42",
            "--url",
            &demo.server.url,
        ];
        run(folder.path(), &[&arguments[..], more].concat())
    };
    assert_eq!(call(&["--token", &good]).stdout, JANE);
    let mut by_environment = tollgate(
        folder.path(),
        &[
            "call",
            "get_customer",
            "customer_id=c-42",
            "--url",
            &format!("{}/", demo.server.url),
        ],
    );
    by_environment.env("TOLLGATE_TOKEN", &good);
    assert_eq!(finish(by_environment).stdout, JANE);

    fails(
        &call(&[]),
        1,
        "error: 401 A valid bearer token is required [call 0",
    );
    let refused = call(&["--token", &weak]);
    fails(
        &refused,
        1,
        "error: 403 Missing scopes: ['customer:read'] [call ",
    );
    let id = refused
        .stderr
        .rsplit("[call ")
        .next()
        .expect("an id")
        .trim_end_matches("]\n");
    demo.server.process.stderr.line(&format!("call={id}"));

    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let arguments = ["call", "get_customer", "--url", &format!("http://{free}")];
    let unreachable = run(folder.path(), &arguments);
    fails(
        &unreachable,
        1,
        &format!("error: cannot reach http://{free}/mcp/tool/get_customer: "),
    );
    assert_eq!(unreachable.stderr.lines().count(), 1);
}

#[test]
fn help_hides_the_token_of_the_environment() {
    let folder = folder();
    let mut help = tollgate(folder.path(), &["call", "--help"]);
    help.env("TOLLGATE_TOKEN", "very-secret");
    let help = finish(help);
    assert!(help.stdout.contains("TOLLGATE_TOKEN") && !help.stdout.contains("very-secret"));
}
