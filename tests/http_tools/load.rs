//! What cannot work is refused at load, with its key path and line, and no secret is shown.

use crate::YAML;
use crate::declared::configure;

/// The faults of a file with this source in line 2 and this request in line 7.
fn faults(source: &str, inputs: &str, http: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let yaml = format!(
        "sources:\n  crm: {source}\ntools:\n  t:\n    description: d\n    anyAuthenticated: true\n    http: {http}\n    {inputs}\n"
    );
    let Err(faults) = configure(&yaml, folder.path()) else {
        return Vec::new();
    };
    let faults = faults.replace(&format!("{}/", folder.path().display()), "");
    faults.lines().map(str::to_owned).collect()
}

const SOURCE: &str = "{http: 'https://crm.example.com', headers: {X-Key: sesame}}";

#[test]
fn the_file_of_the_other_tests_is_good() {
    let folder = tempfile::tempdir().expect("a folder");
    let yaml = YAML
        .replace("@URL", "http://127.0.0.1:1")
        .replace("@PORT", "1");
    assert!(configure(&yaml, folder.path()).is_ok());
}

#[test]
fn every_name_is_declared_and_every_declared_name_is_used() {
    let place = "tollgate.yaml:7: tools.t.http: ";
    for (inputs, http, message) in [
        (
            "parameters: {id: {type: string}}",
            "{source: crm, path: '/{ide}'}",
            "`id` is declared, but the request does not use it",
        ),
        (
            "title: T",
            "{source: crm, path: '/{id}'}",
            "the request uses `id`, which is neither in `parameters` nor in `bind`",
        ),
        (
            "title: T",
            "{source: crm, path: /, query: [id]}",
            "the request uses `id`, which is neither in `parameters` nor in `bind`",
        ),
        (
            "parameters: {id: {type: string}}",
            "{source: crm, path: /, headers: {X-Id: id}}",
            "the header `X-Id` must carry a name in `bind`, and none that the source sets itself",
        ),
        (
            "bind: {id: caller.tenant}",
            "{source: crm, path: /, headers: {x-key: id}}",
            "the header `x-key` must carry a name in `bind`, and none that the source sets itself",
        ),
        (
            "title: T",
            "{source: crm, path: tickets}",
            "`path` must start with `/`",
        ),
        (
            "title: T",
            "{source: crm, path: '/a?b=c'}",
            "`path` holds a character that cannot stand in a path as it is: letters, digits and -._~!$&'()*+,;=:@ can",
        ),
        (
            "title: T",
            "{source: crm, path: '/a/../b'}",
            "`path` has an empty segment, or one that is `.` or `..`",
        ),
    ] {
        assert_eq!(faults(SOURCE, inputs, http), [format!("{place}{message}")]);
    }
}

#[test]
fn a_source_that_must_not_be_reached_is_refused_with_its_place() {
    let http = "{source: crm, path: /}";
    for (source, part) in [
        (
            "{http: 'https://127.0.0.1/'}",
            "list its network in `allowPrivate`",
        ),
        (
            "{http: 'https://0x7f000001/'}",
            "list its network in `allowPrivate`",
        ),
        (
            "{http: 'https://169.254.169.254/', allowPrivate: [0.0.0.0/0]}",
            "never possible",
        ),
        (
            "{http: 'http://crm.internal', headers: {X-Key: sesame}}",
            "in the clear: use https",
        ),
        (
            "{http: 'https://sesame@crm.example.com'}",
            "must be a URL without user",
        ),
        (
            "{http: 'https://crm.example.com?key=sesame'}",
            "must be a URL without user",
        ),
    ] {
        let found = faults(source, "title: T", http);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("tollgate.yaml:2: sources.crm: "),
            "{found:?}"
        );
        assert!(
            found[0].contains(part) && !found[0].contains("sesame"),
            "{found:?}"
        );
    }
}
