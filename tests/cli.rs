//! The promises of the command line: what each command does, says and returns. 0: done, 1: refused or
//! failed, 2: wrong usage.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "cli/check.rs"]
mod check;
#[path = "support/commands.rs"]
mod commands;

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use binary::{GET_CUSTOMER, Server, run};
use commands::{JANE, fails, folder, initialized};
use serde_json::{Value, json};

#[test]
fn init_writes_a_configuration_a_secret_and_a_database() {
    let folder = folder();
    let done = run(folder.path(), &["init", "new/shop"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let shop = folder.path().join("new/shop");
    let mut names: Vec<String> = fs::read_dir(&shop)
        .expect("a folder")
        .map(|entry| {
            entry
                .expect("a file")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["audit.key", "shop.db", "tollgate.secret", "tollgate.yaml"]
    );
    assert_eq!(
        done.stdout,
        "wrote new/shop/tollgate.yaml, new/shop/tollgate.secret, new/shop/audit.key (keep these two out of version control) and new/shop/shop.db\n\
         next: tollgate check --config new/shop/tollgate.yaml\n"
    );
    let secret = fs::read_to_string(shop.join("tollgate.secret")).expect("a secret");
    assert_eq!(secret.trim().len(), 43, "32 random bytes");
    assert!(!done.stdout.contains(secret.trim()) && !done.stderr.contains(secret.trim()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(shop.join("tollgate.secret"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let other = initialized();
    let other = fs::read_to_string(other.path().join("tollgate.secret")).expect("a secret");
    assert_ne!(secret, other);
}

#[test]
fn init_never_overwrites_and_writes_all_or_nothing() {
    for name in ["tollgate.yaml", "tollgate.secret", "audit.key", "shop.db"] {
        let folder = folder();
        fs::write(folder.path().join(name), "mine").expect("a file");
        fails(
            &run(folder.path(), &["init"]),
            1,
            "is there already; nothing was written",
        );
        assert_eq!(
            fs::read_to_string(folder.path().join(name)).expect("a file"),
            "mine"
        );
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}

#[tokio::test]
async fn what_init_writes_works_from_check_to_call() {
    let folder = initialized();
    let check = run(folder.path(), &["check"]);
    assert_eq!((check.code, check.stderr.as_str()), (Some(0), ""));

    let arguments = [
        "token",
        "--tenant",
        "acme",
        "--subject",
        "ci",
        "--scope",
        "customer:read",
        "--ttl",
        "15m",
    ];
    let minted = run(folder.path(), &arguments);
    assert_eq!(
        (minted.code, minted.stdout.lines().count()),
        (Some(0), 1),
        "{minted:?}"
    );
    let token = minted.stdout.trim();

    let server = Server::start(folder.path(), &[]);
    let arguments = json!({"customer_id": "c-42"});
    let answer = server.post(GET_CUSTOMER, Some(token), &arguments).await;
    assert_eq!(answer.body["result"]["name"], "Jane Doe");

    let arguments = [
        "call",
        "get_customer",
        "customer_id=c-42",
        "--url",
        &server.url,
        "--token",
        token,
    ];
    let called = run(folder.path(), &arguments);
    assert_eq!(
        (called.code, called.stdout.as_str(), called.stderr.as_str()),
        (Some(0), JANE, "")
    );
    // Here, without a server, as whom `stdio` names.
    let called = run(folder.path(), &["call", "get_customer", "customer_id=c-42"]);
    assert_eq!((called.code, called.stdout.as_str()), (Some(0), JANE));
}

#[test]
fn check_prints_who_may_call_what_how_often() {
    let folder = initialized();
    let check = run(folder.path(), &["check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    insta::assert_snapshot!(check.stdout, @r"
    TARGET                     TENANT  SCOPES         RULES  QUOTA PER TENANT  TIMEOUT  AT ONCE
    find_orders                *       orders:search  none   10/10s            2s       half
    get_customer               *       customer:read  none   5/10s             2s       8
    customers://{customer_id}  *       customer:read  none   5/10s             2s       half
    prompt/answer_customer     *       customer:read  none   10/10s            30s      half
    ");
}

#[test]
fn check_writes_nothing_not_even_where_the_audit_log_will_be() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(run(folder.path(), &["init"]).code, Some(0));
    assert_eq!(run(folder.path(), &["check"]).code, Some(0));
    let files = std::fs::read_dir(folder.path()).expect("the folder");
    let names = files.map(|file| file.expect("a file").file_name());
    let logs: Vec<_> = names
        .filter(|name| name.to_string_lossy().contains("audit.jsonl"))
        .collect();
    assert!(logs.is_empty(), "{logs:?}");

    let file = folder.path().join("tollgate.yaml");
    let text = std::fs::read_to_string(&file).expect("the file");
    let elsewhere = text.replace("./audit.jsonl", "./nowhere/audit.jsonl");
    assert_ne!(elsewhere, text);
    std::fs::write(&file, elsewhere).expect("the file");
    let check = run(folder.path(), &["check"]);
    assert_eq!(check.code, Some(1));
    assert!(
        check.stderr.contains("audit.file: there is no folder"),
        "{}",
        check.stderr
    );
}

#[test]
fn check_tells_every_fault_at_once_with_its_line() {
    let folder = folder();
    let shape = "sever: {}\nserver:\n  listen: 8080\n  colour: red\ntools:\n  t:\n    scopes: [a]\n    ratelimit: 5/10s\n";
    let meaning = "server:\n  listen: 0.0.0.0:80\n  shutdownGrace: 5 parsecs\nauth:\n  issuers:\n    - {issuer: a, audiences: [b], secret: short}\nstdio: {}\nsources: {shop: {sqlite: ./shop.db}}\ntools:\n  t:\n    description: Nobody may call it.\n    rateLimit: often\n    sql: {source: shop, statement: SELECT 1, result: one}\n";
    let database = "sources:\n  a: {sqlite: ./a.db}\n  b: {sqlite: ./b.db}\n";
    for (text, lines) in [
        (shape, vec![1, 3, 4, 6, 8]),
        (meaning, vec![2, 3, 6, 7, 10, 12]),
        (database, vec![2, 3]),
    ] {
        fs::write(folder.path().join("tollgate.yaml"), text).expect("a file");
        for command in [&["check"][..], &["serve", "--port", "0"]] {
            let finished = run(folder.path(), command);
            fails(&finished, 1, "tollgate.yaml:");
            let found: Vec<usize> = finished
                .stderr
                .lines()
                .map(|line| {
                    line.split(':')
                        .nth(1)
                        .expect("a line")
                        .parse()
                        .expect("a number")
                })
                .collect();
            assert_eq!(found, lines, "{}", finished.stderr);
        }
    }
}

#[test]
fn a_missing_configuration_says_what_to_do() {
    let folder = folder();
    let advice = "there is no tollgate.yaml in this folder: write one with `tollgate init`, name one with --config, or try the demo with --dev";
    for command in [
        &["check"][..],
        &["serve", "--port", "0"],
        &["serve", "--mode", "stdio"],
        &["call", "get_customer"],
        &["token", "--tenant", "a", "--subject", "b"],
    ] {
        fails(&run(folder.path(), command), 1, advice);
    }
    let named = run(folder.path(), &["check", "--config", "nope.yaml"]);
    fails(&named, 1, "nope.yaml: cannot read the config file");
    assert_eq!(
        fs::read_dir(folder.path()).expect("a folder").count(),
        0,
        "nothing was written"
    );
}

#[test]
fn wrong_usage_exits_with_2_and_every_help_holds_an_example() {
    let folder = folder();
    let missing = ["call", "token"];
    for command in ["serve", "init", "check", "token", "call", "schema"] {
        fails(
            &run(folder.path(), &[command, "--nonsense"]),
            2,
            "unexpected argument '--nonsense'",
        );
        if missing.contains(&command) {
            fails(&run(folder.path(), &[command]), 2, "required arguments");
        }
        let help = run(folder.path(), &[command, "--help"]);
        assert_eq!(help.code, Some(0));
        let example = help
            .stdout
            .split("Example")
            .nth(1)
            .unwrap_or_else(|| panic!("{}", help.stdout));
        assert!(
            example.contains(&format!("  tollgate {command}")),
            "{example}"
        );
    }
    fails(
        &run(folder.path(), &["sevre"]),
        2,
        "unrecognized subcommand 'sevre'",
    );
    fails(
        &run(folder.path(), &["serve", "--port", "70000"]),
        2,
        "--port",
    );
    fails(
        &run(folder.path(), &["serve", "--mode", "sse"]),
        2,
        "possible values: http, stdio",
    );
}

#[test]
fn schema_is_a_2020_12_schema_that_what_init_writes_fits() {
    let folder = initialized();
    let printed = run(folder.path(), &["schema"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");

    let example = yaml(&folder.path().join("tollgate.yaml"));
    let faults: Vec<String> = validator
        .iter_errors(&example)
        .map(|error| error.to_string())
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    for (pointer, value) in [
        ("/server/listen", json!(8080)),
        ("/tools/get_customer/sql/result", json!("some")),
        ("/tools/get_customer/scopes", json!("customer:read")),
        ("/telemetry/traces/0", json!("file")),
    ] {
        let mut broken = example.clone();
        *broken.pointer_mut(pointer).expect(pointer) = value;
        assert!(!validator.is_valid(&broken), "{pointer}");
    }
    let mut broken = example;
    broken["unheardOf"] = json!(1);
    assert!(!validator.is_valid(&broken));
}

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    serde_saphyr::from_str(&text).expect("YAML")
}

#[test]
fn a_busy_port_is_told_in_one_line() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let port = address.port().to_string();
    let finished = run(folder.path(), &["serve", "--dev", "--port", &port]);
    fails(
        &finished,
        1,
        &format!("error: cannot listen on {address}: "),
    );
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
}
