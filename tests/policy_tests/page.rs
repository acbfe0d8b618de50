//! What `docs/policy-tests.md` shows is what the commands do.

use std::fs;
use std::path::Path;

use crate::binary::run;
use crate::write;

/// The fenced blocks of the page: language and text.
fn blocks() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/policy-tests.md");
    let page = fs::read_to_string(page).expect("the page");
    let fenced = page.split("\n```").skip(1).step_by(2);
    let split = |block: &str| {
        let (language, text) = block.split_once('\n').expect("a block has lines");
        (language.to_owned(), format!("{text}\n"))
    };
    fenced.map(split).collect()
}

/// The block after the one that begins so.
fn shown_after(start: &str) -> (String, String) {
    let blocks = blocks();
    let at = blocks.iter().position(|(_, text)| text.starts_with(start));
    let at = at.expect(start);
    let (_, command) = &blocks[at + 1];
    (blocks[at].1.clone(), command.clone())
}

#[test]
fn the_cases_of_the_page_are_decided_as_it_shows() {
    let (cases, shown) = shown_after("callers:");
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(run(folder.path(), &["init"]).code, Some(0));
    write(folder.path(), "cases.yaml", &cases);
    let done = run(folder.path(), &["test", "cases.yaml"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert_eq!(
        format!("$ tollgate test cases.yaml\n{}", done.stdout),
        shown
    );
}

#[test]
fn the_replay_of_the_page_tells_what_it_shows() {
    let (change, shown) = shown_after("tools:\n");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert_eq!(run(path, &["init"]).code, Some(0));
    let config = fs::read_to_string(path.join("tollgate.yaml")).expect("a file");
    // The last section is that of the audit log.
    let config = format!("{config}  arguments: recorded\n");
    write(path, "tollgate.yaml", &config);
    for arguments in [
        ["call", "get_customer", "customer_id=c-42"],
        ["call", "get_customer", "customer_id=c-1"],
        ["call", "find_orders", "query=o-123"],
    ] {
        assert_eq!(run(path, &arguments).code, Some(0));
    }
    let scopes = change.lines().last().expect("scopes").trim();
    write(
        path,
        "new.yaml",
        &config.replacen("scopes: [customer:read]", scopes, 1),
    );
    let done = run(path, &["replay", "--config", "new.yaml", "--since", "7d"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    let is_id = |word: &str| word.trim_end_matches(',').len() == 36 && word.contains('-');
    let words = done
        .stdout
        .split_inclusive([' ', '\n'])
        .map(|word| match word.trim_end() {
            id if is_id(id) => word.replace(id.trim_end_matches(','), "CALL-ID"),
            _ => word.to_owned(),
        });
    let told: String = words.collect();
    assert_eq!(
        format!("$ tollgate replay --config new.yaml --since 7d\n{told}"),
        shown
    );
}
