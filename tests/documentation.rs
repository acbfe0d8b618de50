//! Every YAML example of the documentation is a configuration that `tollgate check` takes: what it
//! says, and for the rest what `tollgate init` writes. Faulty examples have the faults they show, and no
//! key is left out.

#[path = "support/binary.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod binary;
#[path = "support/tls.rs"]
#[expect(dead_code, reason = "other test files use the rest")]
mod tls;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use tls::Certificate;

const SECTIONS: [&str; 10] = [
    "server",
    "auth",
    "stdio",
    "quotas",
    "sources",
    "tools",
    "resources",
    "tenants",
    "telemetry",
    "audit",
];
/// What secrets are in the examples: files that only the reader has, and variables.
const SECRET: &str = "n6Gq3Wc8TzV1yKf5RbX0sJdLh7Pm2UaE";

/// A fenced block of a page.
struct Block {
    /// Page and line, for failures.
    place: String,
    language: String,
    text: String,
}

/// All blocks of `README.md`, `docs/` and `docs/deploy/`, in their order.
fn blocks() -> Vec<Block> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = ["docs", "docs/deploy"].map(|folder| fs::read_dir(root.join(folder)));
    let docs = docs.into_iter().flat_map(|pages| pages.expect("the pages"));
    let mut pages: Vec<PathBuf> = docs.map(|page| page.expect("a page").path()).collect();
    pages.retain(|page| page.extension().is_some_and(|kind| kind == "md"));
    pages.push(root.join("README.md"));
    pages.sort();
    pages.iter().flat_map(|page| blocks_of(page)).collect()
}

fn blocks_of(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).expect("a page");
    let (mut all, mut open) = (Vec::new(), None::<Block>);
    for (number, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block {
                    place: format!("{}:{}", page.display(), number + 1),
                    language: language.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => all.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{} ends within a block", page.display());
    all
}

impl Block {
    /// The block as a whole file, if it has sections of one. `…` stands for what need not be shown.
    fn sections(&self) -> Option<Value> {
        if self.language != "yaml" {
            return None;
        }
        let lines = self.text.lines().filter(|line| line.trim() != "…");
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        let value: Value = serde_saphyr::from_str(&text).expect(&self.place);
        let names: Vec<&String> = value
            .as_object()
            .into_iter()
            .flat_map(|map| map.keys())
            .collect();
        let is_file =
            !names.is_empty() && names.iter().all(|name| SECTIONS.contains(&name.as_str()));
        is_file.then_some(value)
    }
}

/// `tollgate init`, and every file that an example names.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    assert_eq!(binary::run(path, &["init"]).code, Some(0));
    Certificate::new().write(path);
    fs::create_dir(path.join("secrets")).expect("a folder");
    for (name, text) in [
        ("batch-keys.json", r#"{"keys": []}"#),
        ("api-keys.yaml", "[]"),
        ("secrets/jwt", SECRET),
        ("secrets/state", SECRET),
        ("secrets/introspection", SECRET),
        ("secrets/audit-before", SECRET),
    ] {
        fs::write(path.join(name), text).expect("a file");
    }
    // The log that one example began is gone on with by the next.
    let key = fs::copy(path.join("audit.key"), path.join("secrets/audit"));
    key.expect("the key of the log");
    let schema = blocks().into_iter().find(|block| block.language == "sql");
    let library = Connection::open(path.join("library.db")).expect("a database");
    let made = library.execute_batch(&schema.expect("the schema of the library").text);
    made.expect("books");
    folder
}

/// Puts what an example says over `base`, as a reader does who edits the file.
fn lay_over(base: &mut Value, example: &Value) {
    match (base, example) {
        (Value::Object(base), Value::Object(example)) => {
            for (key, value) in example {
                lay_over(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, example) => *base = example.clone(),
    }
}

/// A faulty example, and what the page says that `check` says of it.
fn shows_its_faults(folder: &Path, example: &Block, shown: &Block) {
    fs::write(folder.join("bad.yaml"), &example.text).expect("a file");
    let done = binary::run(folder, &["check", "--config", "bad.yaml"]);
    let told = format!("$ tollgate check --config bad.yaml\n{}", done.stderr);
    assert_eq!(
        (done.code, told),
        (Some(1), shown.text.clone()),
        "{}",
        shown.place
    );
}

#[test]
fn every_example_passes_check() {
    let folder = folder();
    let file = folder.path().join("tollgate.yaml");
    let template = fs::read_to_string(&file).expect("what init wrote");
    let mut template: Value = serde_saphyr::from_str(&template).expect("YAML");
    template["sources"]["library"] = json!({"sqlite": "./library.db"});
    let (mut passed, all) = (0, blocks());
    for pair in all.windows(2) {
        let (block, next) = (&pair[0], &pair[1]);
        let Some(example) = block.sections() else {
            continue;
        };
        if next
            .text
            .starts_with("$ tollgate check --config bad.yaml\n")
        {
            shows_its_faults(folder.path(), block, next);
            continue;
        }
        let mut whole = template.clone();
        lay_over(&mut whole, &example);
        // JSON is YAML.
        let text = whole.to_string().replace("/run/secrets/", "./secrets/");
        fs::write(&file, text).expect("a file");
        let mut check = binary::tollgate(folder.path(), &["check"]);
        check.env("TOLLGATE_JWT_SECRET", SECRET);
        let done = binary::finish(check);
        assert_eq!(done.code, Some(0), "{}: {}", block.place, done.stderr);
        passed += 1;
    }
    assert!(passed > 15, "not all of them were found: {passed}");
}

/// The file of `init` with the keys that it only hints at: comments that are no sentences.
fn uncommented(template: &str) -> String {
    let lines = template.lines().map(|line| {
        let Some((indent, text)) = line.split_once("# ") else {
            return format!("{line}\n");
        };
        let is_key = text
            .trim_start()
            .starts_with(|c: char| c == '-' || c.is_ascii_lowercase());
        if indent.trim().is_empty() && is_key {
            format!("{indent}{text}\n")
        } else {
            format!("{line}\n")
        }
    });
    lines.collect()
}

#[test]
fn what_init_hints_at_passes_check_too() {
    let folder = folder();
    let file = folder.path().join("tollgate.yaml");
    let whole = uncommented(&fs::read_to_string(&file).expect("what init wrote"));
    for key in [
        "tls:",
        "- issuer: https:",
        "apiKeysFile:",
        "rules:",
        "tenants:",
    ] {
        let found = whole.lines().any(|line| line.trim_start().starts_with(key));
        assert!(found, "{key}\n{whole}");
    }
    fs::write(&file, &whole).expect("a file");
    let done = binary::run(folder.path(), &["check"]);
    assert_eq!(done.code, Some(0), "{}\n{whole}", done.stderr);
}

/// Every member of every mapping in a schema.
fn keys_of(schema: &Value) -> BTreeSet<String> {
    let definitions = schema["$defs"].as_object().expect("definitions").values();
    let mappings = definitions.filter_map(|definition| definition["properties"].as_object());
    mappings.flat_map(|keys| keys.keys().cloned()).collect()
}

#[test]
fn every_key_of_the_configuration_stands_in_a_table_of_its_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(page).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with('|'));
    let code = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let told: BTreeSet<&str> = code
        .flat_map(|code| code.split(|c: char| !c.is_ascii_alphabetic()))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let schema = binary::run(folder.path(), &["schema"]).stdout;
    let keys = keys_of(&serde_json::from_str(&schema).expect("JSON"));
    assert!(keys.len() > 60, "{keys:?}");
    for key in &keys {
        assert!(
            told.contains(key.as_str()),
            "docs/configuration.md lacks {key}"
        );
    }
}
