//! Expands `${…}` in every string value of the document (never in keys).
//!
//! The walk; what may stand in a string is told in [`super::expansion`]. A reader would ask why a node that
//! could not be expanded stays and is only marked: so that the faults of all other keys still show.

use std::path::Path;

use serde_json::Value;

use super::Environment;
use super::document::{At, Content, Node};
use super::expansion::{Expansion, expand};
use super::faults::Faults;

/// Expands every string below `root` in place and reports what could not be expanded.
pub(super) fn expand_all(
    root: &mut Node,
    file: &Path,
    environment: &dyn Environment,
    faults: &mut Faults,
) {
    let mut found: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    expand_node(
        root,
        &mut Vec::new(),
        &|text| expand(text, file, environment),
        &mut found,
    );
    for (steps, messages) in &found {
        let at = steps
            .iter()
            .fold(At::root(file, root), |at, step| at.key(step));
        for message in messages {
            faults.0.push(at.origin().fault(message));
        }
    }
    for (steps, _) in &found {
        if let Some(node) = root.descend(steps.iter().map(String::as_str)) {
            node.faulty = true;
        }
    }
}

fn expand_node(
    node: &mut Node,
    steps: &mut Vec<String>,
    expand: &dyn Fn(&str) -> Expansion,
    found: &mut Vec<(Vec<String>, Vec<String>)>,
) {
    match &mut node.content {
        Content::Scalar(Value::String(text)) if text.contains('$') => {
            let expansion = expand(text);
            node.expanded = expansion.looked_up;
            if expansion.faults.is_empty() {
                *text = expansion.text;
            } else {
                found.push((steps.clone(), expansion.faults));
            }
        }
        Content::Scalar(_) => {}
        Content::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                steps.push(index.to_string());
                expand_node(item, steps, expand, found);
                steps.pop();
            }
        }
        Content::Map(entries) => {
            for (key, item) in entries {
                steps.push(key.clone());
                expand_node(item, steps, expand, found);
                steps.pop();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document;
    use crate::config::testing::Fixed;

    #[test]
    fn faults_carry_path_and_line_and_only_there_later_stages_stay_silent() {
        let file = Path::new("conf/tollgate.yaml");
        let mut node = document::parse("a:\n  - ok\n  - ${UNSET:?give it}\n${K}: ${HOST}\n", file)
            .unwrap_or_else(|f| panic!("{f}"));
        let mut faults = Faults::default();
        expand_all(
            &mut node,
            file,
            &Fixed::default().variable("HOST", "db.internal"),
            &mut faults,
        );
        assert_eq!(
            faults.to_string(),
            "conf/tollgate.yaml:3: a[1]: environment variable `UNSET` is not set or empty: give it"
        );
        assert_eq!(node.to_value()["${K}"], "db.internal");
        At::root(file, &node)
            .key("a")
            .index(1)
            .fault(&mut faults, "silent");
        assert_eq!(faults.0.len(), 1);
    }
}
