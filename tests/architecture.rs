//! The invariants of `ARCHITECTURE.md`, checked on the text of `src/`.
//!
//! Each rule is a function over the sources that answers with violations, each naming file, line and
//! rule; each test applies one of them, and the last two plant violations to see every rule bite.
//! Why text and not a syntax tree: no dependency, and a second instead of a minute (`text` says what
//! is blanked before a rule looks). A renamed import can fool it: this guards against drift, while
//! the types of the pipeline guard the order of the checks.

#[path = "architecture/text.rs"]
mod text;

#[path = "architecture/planted.rs"]
mod planted;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use text::{Source, item_end, numbers, sources, words};

/// The rooms of `src/` from the top floor down. A room imports only from floors below its own.
const FLOORS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["testing"],
    &["demo"],
    &["server"],
    &["transport"],
    &["mcp", "source"], // side by side: the server hands the tools of `source` to the catalogue
    &["pipeline"],
    &["record", "run", "task"],
    &["error"],
    &["approval"],
    &["quota"],
    &["access"],
    &["tool"],
    &["auth"],
    &["audit", "config", "log", "seal", "trace"],
    &["build", "clock", "files", "json", "network", "stderr"],
];

/// Rooms that may import less than their floor allows: exactly these.
const NARROW: &[(&str, &[&str])] = &[
    (
        "source",
        &["tool", "auth", "trace", "clock", "json", "network"],
    ),
    ("trace", &["clock"]),
    ("config", &[]),
];

/// The rooms that may see the configuration. All others, `source` included, get what `server` reads out of it.
const WIRING: &[&str] = &["main", "cli", "testing", "demo", "server"];

/// Statuses of the IANA registry that say "no"; a closed list, so that a buffer of 512 bytes is not one.
const REFUSALS: &[Range<u32>] = &[
    400..418,
    421..427,
    428..430,
    431..432,
    451..452,
    500..509,
    510..512,
];

type Violations = Vec<String>;
type Rule = fn(&[Source]) -> Violations;

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn outside<'a>(sources: &'a [Source], homes: &'a [&str]) -> impl Iterator<Item = &'a Source> {
    sources.iter().filter(|source| !source.is(homes))
}

// ---- The rules.

fn floors(sources: &[Source]) -> Violations {
    let mut found = Vec::new();
    for source in outside(sources, &["lib"]) {
        let (room, own) = (source.room(), floor(source.room()));
        if own.is_none() {
            found.push(source.fault(
                0,
                &format!(
                    "room `{room}` has no floor: give it one in FLOORS and in ARCHITECTURE.md"
                ),
            ));
        }
        let narrow = NARROW
            .iter()
            .find(|(name, _)| *name == room)
            .map(|(_, allowed)| allowed);
        for (at, name) in source.imports() {
            let rule = match floor(name) {
                None => format!(
                    "`{name}` is not a room: name the room it lives in, not the root's re-export"
                ),
                Some(_) if narrow.is_some_and(|allowed| !allowed.contains(&name)) => {
                    format!("`{room}` may not import `{name}`; NARROW lists what it may")
                }
                Some(floor) if own.is_some_and(|own| floor <= own) => {
                    format!("`{room}` may not import `{name}`: imports run down the floors only")
                }
                Some(_) => continue,
            };
            found.push(source.fault(at, &rule));
        }
    }
    found
}

/// Takes away rooms that import nothing of what is left until nothing moves: what stays is a circle, or above one.
fn circles(sources: &[Source]) -> Violations {
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in outside(sources, &["lib"]) {
        let imports = source.imports().into_iter().map(|(_, name)| name);
        graph.entry(source.room()).or_default().extend(imports);
    }
    loop {
        let left: BTreeSet<_> = graph.keys().copied().collect();
        graph.retain(|_, imports| !imports.is_disjoint(&left));
        if graph.len() == left.len() {
            break;
        }
    }
    if graph.is_empty() {
        Vec::new()
    } else {
        vec![format!("rooms in a circle, or above one: {graph:?}")]
    }
}

fn json_rpc(sources: &[Source]) -> Violations {
    let rule = "only `mcp`, `error` and `source/upstream` know JSON-RPC or an MCP SDK";
    let attribute = "jsonrpc.request.id"; // OpenTelemetry's name for the request id, which `record` writes
    let mut found = Vec::new();
    for source in outside(sources, &["mcp", "error"]) {
        let said = source.spoken.to_ascii_lowercase();
        let said = said.replace(attribute, &" ".repeat(attribute.len()));
        let names = ["jsonrpc", "json-rpc", "json_rpc", "rmcp"];
        let places = names.iter().flat_map(|name| said.match_indices(name));
        found.extend(places.map(|(at, _)| source.fault(at, rule)));
    }
    found.retain(|fault| !fault.starts_with("src/source/upstream"));
    found
}

fn codes(sources: &[Source]) -> Violations {
    let rule =
        "only `error` holds status and error codes, and `source/http/status` those of others";
    // What `transport` may say of a status: the one that `error` chose, and that all went well.
    let relayed = [
        "StatusCode::from_u16",
        "StatusCode::OK",
        "StatusCode::ACCEPTED",
    ];
    let durations = ["from_millis(", "from_micros(", "from_nanos(", "from_secs("];
    let refusal = |code: u32| REFUSALS.iter().any(|range| range.contains(&code));
    // What the statuses of others mean, in one table of its own.
    let theirs = "src/source/http/status.rs";
    let mut found = Vec::new();
    let all = outside(sources, &["error"]);
    for source in all.filter(|source| source.path != theirs) {
        for at in words(&source.live, "StatusCode::") {
            let relay = relayed
                .iter()
                .any(|name| source.live[at..].starts_with(name));
            if !(relay && source.is(&["transport"])) {
                found.push(source.fault(at, rule));
            }
        }
        for (at, number) in numbers(&source.live) {
            let before = &source.live[..at];
            let time = durations.iter().any(|unit| before.ends_with(unit));
            let reserved = before.ends_with('-') && (32_000..32_800).contains(&number);
            let own = refusal(number / 100) && (1..10).contains(&(number % 100));
            if !time && (refusal(number) || reserved || own) {
                found.push(source.fault(at, rule));
            }
        }
    }
    found
}

/// The names count where they mean the crate's own: SQLite has an `authorize` too, and every command a `run`.
fn one_way_to_run(sources: &[Source]) -> Violations {
    let rule = "only `pipeline.rs` turns a principal into a running tool";
    let mut found = Vec::new();
    let others = sources.iter();
    for source in others.filter(|source| source.path != "src/pipeline.rs") {
        for (name, home) in [("authorize", "access"), ("admit", "quota"), ("run", "run")] {
            let imported = source.imports().iter().any(|(_, name)| *name == home);
            for at in words(&source.live, name).filter(|_| !source.is(&[home])) {
                let before = source.live[..at].trim_end();
                let call =
                    source.live[at + name.len()..].starts_with('(') && !before.ends_with("fn");
                let ours = name == "admit" || (imported && !before.ends_with(['.', ':']));
                if before.ends_with(&format!("{home}::")) || (call && ours) {
                    found.push(source.fault(at, rule));
                }
            }
        }
    }
    found
}

fn wiring(sources: &[Source]) -> Violations {
    let rule = "only `server` and what stands above it see the config; take the value you need";
    let mut found = Vec::new();
    for source in outside(sources, WIRING).filter(|source| !source.is(&["lib", "config"])) {
        let imports = source.imports().into_iter();
        let config = imports.filter(|(_, name)| *name == "config");
        found.extend(config.map(|(at, _)| source.fault(at, rule)));
    }
    found
}

fn surroundings(sources: &[Source]) -> Violations {
    let environment = [
        "env::var",
        "env::var_os",
        "env::vars",
        "env::vars_os",
        "env::set_var",
        "env::remove_var",
    ];
    let clocks = [
        "Instant::now",
        "SystemTime::now",
        "elapsed()",
        "now_utc",
        "now_local",
        "now_v7",
    ];
    let rules: [(&str, &[&str], &str); 2] = [
        (
            "config",
            &environment,
            "only `config` reads the environment",
        ),
        ("clock", &clocks, "only `clock` tells the time"),
    ];
    let mut found = Vec::new();
    for (home, names, rule) in rules {
        for source in outside(sources, &[home]) {
            let places = names.iter().flat_map(|name| words(&source.live, name));
            found.extend(places.map(|at| source.fault(at, rule)));
        }
    }
    found
}

/// A function reaches from its `fn` to the brace that closes it: the first brace outside of the signature's brackets
/// opens the body, a semicolon there ends a function without one. Blanked literals make counting braces safe.
fn sizes(sources: &[Source]) -> Violations {
    let lines = |text: &str| text.lines().count();
    let mut found = Vec::new();
    for source in sources {
        let most = match source.path.as_str() {
            "src/pipeline.rs" => 150,
            "src/main.rs" => 60,
            _ => 600,
        };
        if lines(&source.text) > most {
            found.push(source.fault(
                0,
                &format!("{} lines; the limit here is {most}", lines(&source.text)),
            ));
        }
        for at in words(&source.code, "fn ") {
            let long = lines(&source.code[at..item_end(&source.code, at)]);
            if long > 60 {
                found.push(
                    source.fault(at, &format!("a function of {long} lines; the limit is 60")),
                );
            }
        }
    }
    let mut all: Vec<_> = sources.iter().map(|source| lines(&source.text)).collect();
    all.sort_unstable();
    let median = all[all.len() / 2];
    if median > 150 {
        found.push(format!(
            "src: the median file has {median} lines; the limit is 150"
        ));
    }
    found
}

fn openings(sources: &[Source]) -> Violations {
    let silent = sources
        .iter()
        .filter(|source| !source.text.starts_with("//! "));
    let silent = silent.map(|source| source.fault(0, "a file opens with `//!` and what it is for"));
    let named = sources
        .iter()
        .filter(|source| source.path.ends_with("/mod.rs"));
    silent
        .chain(named.map(|source| source.fault(0, "`name.rs` beside `name/`, not `mod.rs`")))
        .collect()
}

fn allowed_lints(sources: &[Source]) -> Violations {
    let mut found = Vec::new();
    for source in sources {
        for at in words(&source.code, "allow(") {
            let line = &source.code[source.code[..at].rfind('\n').map_or(0, |end| end + 1)..at];
            if line.contains("#[") || line.contains("#![") {
                found.push(source.fault(
                    at,
                    "`expect` with a reason, not `allow`: it tells when it is no longer needed",
                ));
            }
        }
    }
    found
}

fn unfinished(sources: &[Source]) -> Violations {
    let mut found = Vec::new();
    for source in sources {
        for name in ["todo!", "unimplemented!", "unwrap()"] {
            let places = words(&source.live, name);
            found.extend(places.map(|at| source.fault(at, &format!("`{name}` outside of tests: answer with an error, or `expect` with the proof"))));
        }
    }
    found
}

// ---- The promises.

fn hold(rule: Rule) {
    let found = rule(&sources());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn imports_run_from_the_top_floor_down() {
    hold(floors);
}

#[test]
fn no_rooms_import_each_other_in_a_circle() {
    hold(circles);
}

#[test]
fn only_mcp_error_and_upstream_know_json_rpc() {
    hold(json_rpc);
}

#[test]
fn only_error_holds_status_and_error_codes() {
    hold(codes);
}

#[test]
fn only_the_pipeline_turns_a_principal_into_a_running_tool() {
    hold(one_way_to_run);
}

#[test]
fn only_the_wiring_sees_the_config() {
    hold(wiring);
}

#[test]
fn only_config_reads_the_environment_and_only_clock_tells_the_time() {
    hold(surroundings);
}

#[test]
fn files_and_functions_stay_small() {
    hold(sizes);
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    hold(openings);
}

#[test]
fn lints_are_expected_and_never_allowed() {
    hold(allowed_lints);
}

#[test]
fn nothing_is_unfinished_or_unwrapped_outside_tests() {
    hold(unfinished);
}
