//! YAML text as a tree whose every node knows its line.
//!
//! The first stage of `config`: text → [`Document`] → expansion → JSON value → schema → sections.
//! A reader would ask why not deserialize straight into structs: serde stops at the first fault and
//! forgets where the others are. The tree stays, so that any later check finds the line of any key through [`At`].

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Budget, Error, MessageFormatter, Options, Spanned, UserMessageFormatter};

use super::faults::{Faults, Origin};

/// One node of the file. Deliberately without `Debug`: after expansion it may hold secrets.
pub(super) struct Node {
    /// Line of the node's key, or of the node itself in a list; counted from 1.
    line: usize,
    /// Whether this is a string that `${…}` had a part in, and so may stand for a number.
    pub(super) expanded: bool,
    /// Whether expansion already found a fault here, so that later stages stay silent about it.
    pub(super) faulty: bool,
    pub(super) content: Content,
}

/// What a node holds.
pub(super) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

/// Parses one YAML document.
///
/// Duplicate keys, several documents, unknown tags and oversized files (100,000 nodes, 4 MiB of text,
/// 64 levels, aliases expanded) are refused. YAML 1.2 booleans only: `yes` and `no` are text.
pub(super) fn parse(text: &str, file: &Path) -> Result<Node, Faults> {
    let mut budget = Budget::default();
    (
        budget.max_nodes,
        budget.max_depth,
        budget.max_total_scalar_bytes,
    ) = (100_000, 64, 4 << 20);
    let mut options = Options::default();
    options.alias_limits.max_total_replayed_events = 100_000;
    options.budget = Some(budget);
    options.strict_booleans = true;
    options.reject_unsupported_tags = true;
    options.with_snippet = false;
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let line = error
            .location()
            .and_then(|at| usize::try_from(at.line()).ok())
            .filter(|line| *line > 0);
        let origin = Origin {
            file: file.to_path_buf(),
            path: String::new(),
            line,
        };
        origin
            .fault(format!("not a valid YAML file: {}", reason(&error)))
            .into()
    })
}

/// What is wrong. The library's texts are kept where they quote no value: one that should have been in
/// quotes may be a secret.
fn reason(error: &Error) -> Cow<'_, str> {
    match error {
        Error::UnsupportedTag { .. } => {
            "a text that starts with `!` must be in quotes (tags are not supported)".into()
        }
        Error::NonFiniteFloat { .. } => {
            "a number must be finite; put a text that looks like one in quotes".into()
        }
        _ => UserMessageFormatter.format_message(error),
    }
}

impl Node {
    /// The node as a plain JSON value, mappings in the order of the file.
    pub(super) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Content::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    fn child(&self, step: &str) -> Option<&Node> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::List(items) => items.get(step.parse::<usize>().ok()?),
            Content::Map(entries) => entries
                .iter()
                .find(|(key, _)| key == step)
                .map(|(_, node)| node),
        }
    }

    /// The node `steps` below this one, by key or index.
    pub(super) fn descend<'s>(
        &mut self,
        steps: impl Iterator<Item = &'s str>,
    ) -> Option<&mut Node> {
        let mut node = self;
        for step in steps {
            node = match &mut node.content {
                Content::Scalar(_) => return None,
                Content::List(items) => items.get_mut(step.parse::<usize>().ok()?)?,
                Content::Map(entries) => &mut entries.iter_mut().find(|(key, _)| key == step)?.1,
            };
        }
        Some(node)
    }
}

/// A place in the document: its key path for people, and its line even where the key is missing
/// (then the line of the nearest key above).
#[derive(Clone)]
pub(super) struct At<'a> {
    file: &'a Path,
    path: String,
    line: usize,
    node: Option<&'a Node>,
}

impl<'a> At<'a> {
    /// The top of the document.
    pub(super) fn root(file: &'a Path, node: &'a Node) -> Self {
        Self {
            file,
            path: String::new(),
            line: node.line,
            node: Some(node),
        }
    }

    /// The place one key, or one list index, further down.
    pub(super) fn key(&self, step: &str) -> Self {
        let in_list = matches!(
            self.node,
            Some(Node {
                content: Content::List(_),
                ..
            })
        );
        let plain = !step.is_empty()
            && step
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        let path = match (in_list, plain) {
            (true, _) => format!("{}[{step}]", self.path),
            (false, true) if self.path.is_empty() => step.to_owned(),
            (false, true) => format!("{}.{step}", self.path),
            (false, false) if self.path.is_empty() => format!("\"{step}\""),
            (false, false) => format!("{}.\"{step}\"", self.path),
        };
        let node = self.node.and_then(|node| node.child(step));
        Self {
            file: self.file,
            path,
            line: node.map_or(self.line, |node| node.line),
            node,
        }
    }

    /// The place of a list entry.
    pub(super) fn index(&self, index: usize) -> Self {
        self.key(&index.to_string())
    }

    /// This place, to keep beyond loading.
    pub(super) fn origin(&self) -> Origin {
        Origin {
            file: self.file.to_path_buf(),
            path: self.path.clone(),
            line: (self.line > 0).then_some(self.line),
        }
    }

    /// Reports a fault here, unless expansion already found one at this very place.
    pub(super) fn fault(&self, faults: &mut Faults, message: impl AsRef<str>) {
        if !self.node.is_some_and(|node| node.faulty) {
            faults.0.push(self.origin().fault(message));
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Content>::deserialize(deserializer)?;
        let line = usize::try_from(spanned.referenced.line()).unwrap_or_default();
        Ok(Self {
            line,
            expanded: false,
            faulty: false,
            content: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    /// A whole float (`10.0`) becomes an integer: to JSON Schema the two are one number, to serde they are not.
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Content, E> {
        let number = if value.fract() == 0.0 && value.abs() < 9e15 {
            Number::from(value as i64)
        } else {
            Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?
        };
        Ok(Content::Scalar(number.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Content, E> {
        Ok(Content::Scalar(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut items = Vec::new();
        while let Some(node) = list.next_element()? {
            items.push(node);
        }
        Ok(Content::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, mut node)) = map.next_entry::<Spanned<String>, Node>()? {
            node.line = usize::try_from(key.referenced.line()).unwrap_or(node.line);
            entries.push((key.value, node));
        }
        Ok(Content::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tree(text: &str) -> Node {
        parse(text, Path::new("tollgate.yaml")).unwrap_or_else(|faults| panic!("{faults}"))
    }

    fn refusal(text: &str) -> String {
        parse(text, Path::new("tollgate.yaml"))
            .err()
            .expect("a fault")
            .to_string()
    }

    fn place(text: &str, steps: &[&str]) -> String {
        let node = tree(text);
        let at = steps
            .iter()
            .fold(At::root(Path::new("tollgate.yaml"), &node), |at, step| {
                at.key(step)
            });
        at.origin().fault("here").to_string()
    }

    #[test]
    fn values_keep_their_kind_and_order() {
        let value =
            tree("b: 1\na: [true, ~, 1.5, 10.0, yes, '1', 18446744073709551615]\n").to_value();
        assert_eq!(
            value,
            json!({"b": 1, "a": [true, null, 1.5, 10, "yes", "1", 18446744073709551615u64]})
        );
        assert_eq!(
            value.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["b", "a"]
        );
    }

    #[test]
    fn a_key_has_the_line_it_is_written_on() {
        let text = "# a comment\ntools:\n  one:\n    sql:\n      statement: |\n        SELECT\n        1\n";
        assert_eq!(
            place(text, &["tools", "one"]),
            "tollgate.yaml:3: tools.one: here"
        );
        assert_eq!(
            place(text, &["tools", "one", "sql", "statement"]),
            "tollgate.yaml:5: tools.one.sql.statement: here"
        );
    }

    #[test]
    fn a_missing_key_has_the_line_of_its_parent() {
        assert_eq!(
            place("tools:\n  one: {}\n", &["tools", "one", "sql"]),
            "tollgate.yaml:2: tools.one.sql: here"
        );
    }

    #[test]
    fn odd_keys_are_quoted_and_list_entries_are_numbered() {
        let text = "resources:\n  'a://{b}': 1\n0:\n  - x\n  - 7: y\n";
        assert_eq!(
            place(text, &["resources", "a://{b}"]),
            "tollgate.yaml:2: resources.\"a://{b}\": here"
        );
        assert_eq!(
            place(text, &["0", "1", "7"]),
            "tollgate.yaml:5: 0[1].7: here"
        );
    }

    #[test]
    fn aliases_and_merge_keys_work_and_point_at_their_use() {
        let text = "base: &base {a: 1}\nuse:\n  <<: *base\n  b: 2\nagain: *base\n";
        assert_eq!(
            tree(text).to_value(),
            json!({"base": {"a": 1}, "use": {"a": 1, "b": 2}, "again": {"a": 1}})
        );
        assert_eq!(place(text, &["again"]), "tollgate.yaml:5: again: here");
    }

    #[test]
    fn a_duplicate_key_is_refused_with_its_line() {
        let text = refusal("a: 1\nb: 2\na: 3\n");
        assert!(
            text.starts_with("tollgate.yaml:3: not a valid YAML file: ")
                && text.contains("duplicate"),
            "{text}"
        );
    }

    #[test]
    fn a_syntax_error_is_one_fault_with_its_line() {
        let text = refusal("a: 1\nb: [1, 2\nc: 3\n");
        assert!(
            text.starts_with("tollgate.yaml:") && text.lines().count() == 1,
            "{text}"
        );
    }

    #[test]
    fn several_documents_tags_and_alias_bombs_are_refused() {
        assert!(refusal("a: 1\n---\nb: 2\n").contains("not a valid YAML file"));
        assert!(refusal("a: !exec rm\n").contains("tag"));
        let mut bomb = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..30 {
            let below = level - 1;
            bomb += &format!("a{level}: &a{level} [*a{below}, *a{below}]\n");
        }
        assert!(refusal(&bomb).contains("not a valid YAML file"));
        assert!(refusal(&"[".repeat(10_000)).contains("not a valid YAML file"));
    }
}
