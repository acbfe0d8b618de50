//! What cannot work is refused at load: all of it at once, with its key path and line.

use tempfile::TempDir;

use crate::declared::configure;
use crate::{YAML, shop_in};

/// The faults of a file with these tools, without the folder's name. `statement` is on line 6 of a
/// tool that starts on line 4.
fn faults(folder: &TempDir, yaml: &str) -> Vec<String> {
    let Err(faults) = configure(yaml, folder.path()) else {
        panic!("it was loaded");
    };
    let prefix = format!("{}/", folder.path().display());
    let faults = faults.replace(&prefix, "");
    faults.lines().map(str::to_owned).collect()
}

fn shop() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    shop_in(&folder);
    folder
}

/// The fault of a tool with this statement.
fn fault_of(folder: &TempDir, inputs: &str, statement: &str) -> String {
    let yaml = format!(
        "sources: {{shop: {{sqlite: ./shop.db}}}}
tools:
  t:
    description: A tool.
    anyAuthenticated: true
    {inputs}
    sql:
      source: shop
      statement: {statement:?}
      result: many
"
    );
    let mut faults = faults(folder, &yaml);
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

#[test]
fn the_file_of_the_other_tests_is_good() {
    assert!(configure(YAML, shop().path()).is_ok());
}

#[test]
fn a_statement_that_writes_or_does_more_than_ask_is_refused_with_its_place() {
    let folder = shop();
    let before = std::fs::read(folder.path().join("shop.db")).unwrap();
    for (statement, part) in [
        (
            "DELETE FROM customers",
            "only statements that read are allowed",
        ),
        (
            "UPDATE customers SET tier = 'gold'",
            "only statements that read",
        ),
        (
            "INSERT INTO customers VALUES (1, 2, 3, 4)",
            "only statements that read",
        ),
        (
            "INSERT INTO customers VALUES (1, 2, 3, 4) RETURNING id",
            "only statements that read",
        ),
        ("DROP TABLE customers", "only statements that read"),
        ("CREATE TEMP TABLE t (a)", "only statements that read"),
        ("ATTACH 'other.db' AS other", "only statements that read"),
        ("PRAGMA table_info(customers)", "only statements that read"),
        ("BEGIN", "only statements that read"),
        ("VACUUM INTO 'copy.db'", ""),
        (
            "EXPLAIN SELECT id FROM customers",
            "the statement is not a query",
        ),
        ("SELECT load_extension('x')", ""),
        (
            "SELECT 1; DELETE FROM customers",
            "only statements that read",
        ),
        (
            "SELECT 1 AS one; SELECT 2 AS two",
            "there is more than one statement",
        ),
        (
            "SELECT id FROM customers WHERE id = ?",
            "is not a named one",
        ),
        (
            "SELECT id, id FROM customers",
            "two columns are named \"id\"",
        ),
        ("SELECT id FROM clients", "no such table: clients"),
        ("SELEC id", "syntax error"),
        ("-- nothing", "the statement is empty"),
    ] {
        let fault = fault_of(&folder, "title: Tool", statement);
        let place = "tollgate.yaml:9: tools.t.sql.statement: ";
        assert!(fault.starts_with(place), "{statement}: {fault}");
        assert!(fault.contains(part), "{statement}: {fault}");
    }
    assert_eq!(
        std::fs::read(folder.path().join("shop.db")).unwrap(),
        before
    );
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing was made"
    );
}

#[test]
fn a_parameter_that_is_unknown_or_unused_is_refused_with_its_place() {
    let folder = shop();
    let statement = "SELECT id FROM customers WHERE tenant = :tenant AND id = :id";
    for (inputs, message) in [
        (
            "bind: {tenant: caller.tenant}",
            "the statement uses :id, which is neither in `parameters` nor in `bind`",
        ),
        (
            "parameters: {id: {type: string}}",
            "the statement uses :tenant, which is neither in `parameters` nor in `bind`",
        ),
        (
            "parameters: {id: {type: string}, ide: {type: string}}",
            "`ide` is declared, but the statement does not use :ide",
        ),
    ] {
        assert_eq!(
            fault_of(&folder, inputs, statement),
            format!("tollgate.yaml:9: tools.t.sql.statement: {message}")
        );
    }
    let both = fault_of(
        &folder,
        "parameters: {tenant: {type: string}}\n    bind: {tenant: caller.tenant}",
        "SELECT :tenant AS tenant",
    );
    assert!(
        both.contains("tools.t.bind.tenant: is also in `parameters`"),
        "{both}"
    );
}

#[test]
fn a_database_that_is_missing_or_none_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.db"), "not a database ".repeat(100)).unwrap();
    let yaml = "sources:
  gone: {sqlite: ./gone.db}
  text: {sqlite: ./text.db}
  here: {sqlite: .}
";
    let found = faults(&folder, yaml);
    assert_eq!(found.len(), 3, "{found:?}");
    for (place, part) in [
        (
            "tollgate.yaml:2: sources.gone: ",
            "there is no database file at gone.db: correct the path or create it first",
        ),
        (
            "tollgate.yaml:3: sources.text: ",
            "is not an SQLite database",
        ),
        ("tollgate.yaml:4: sources.here: ", "is not a regular file"),
    ] {
        let fault = found.iter().find(|fault| fault.starts_with(place));
        assert!(
            fault.is_some_and(|fault| fault.contains(part)),
            "{part}: {found:?}"
        );
    }
    assert!(!folder.path().join("gone.db").exists(), "it is never made");
}

#[test]
fn faults_of_sources_statements_and_templates_are_told_together() {
    let folder = shop();
    let yaml = "sources:
  shop: {sqlite: ./shop.db}
  gone: {sqlite: ./gone.db}
tools:
  one:
    description: Writes.
    anyAuthenticated: true
    sql: {source: shop, statement: DELETE FROM customers, result: many}
  two:
    description: Misspelt.
    anyAuthenticated: true
    sql: {source: shop, statement: SELECT idd FROM customers, result: many}
resources:
  \"things://{+id}\":
    name: thing
    anyAuthenticated: true
    sql: {source: shop, statement: \"SELECT :id AS id\", result: one}
";
    let found = faults(&folder, yaml);
    let places = [3, 8, 12, 14].map(|line| format!("tollgate.yaml:{line}: "));
    assert_eq!(found.len(), places.len(), "{found:?}");
    for place in places {
        assert!(
            found.iter().any(|fault| fault.starts_with(&place)),
            "{place}{found:?}"
        );
    }
}
