//! `/metrics` read as Prometheus reads it (exposition formats, "Text-based format"), and strictly:
//! a line that breaks the format fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// All samples of one scrape.
#[derive(Debug)]
pub(crate) struct Scrape(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scrape {
    /// Reads the numbers of the admin listener at `url`.
    pub(crate) async fn of(url: &str) -> Self {
        let response = reqwest::get(format!("{url}/metrics")).await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(
            response.headers()["content-type"],
            "text/plain; version=0.0.4; charset=utf-8"
        );
        Self::parse(&response.text().await.expect("a body"))
    }

    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let (mut types, mut samples) = (BTreeMap::new(), Vec::<Sample>::new());
        let mut series = BTreeSet::new();
        for line in text.lines() {
            if let Some(comment) = line.strip_prefix("# ") {
                let mut words = comment.splitn(3, ' ');
                let (kind, name) = (words.next(), words.next().expect("a name"));
                match kind {
                    Some("TYPE") => {
                        let known = types.insert(name.to_owned(), words.next().expect("a type"));
                        assert_eq!(known, None, "one type a family: {line}");
                    }
                    Some("HELP") => assert!(words.next().is_some_and(|help| !help.is_empty())),
                    _ => panic!("a strange comment: {line}"),
                }
                continue;
            }
            let sample = sample(line);
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|suffix| sample.name.strip_suffix(suffix))
                .filter(|family| types.get(*family) == Some(&"histogram"))
                .unwrap_or(&sample.name);
            assert!(types.contains_key(family), "its type comes first: {line}");
            if types[family] == "counter" {
                assert!(sample.name.ends_with("_total"), "{line}");
            }
            assert!(
                series.insert((sample.name.clone(), sample.labels.clone())),
                "told twice: {line}"
            );
            samples.push(sample);
        }
        Self(samples)
    }

    /// The one sample of `name` that has these labels among its own.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<&Sample> = self.matching(name, labels).collect();
        assert_eq!(found.len(), 1, "{name} {labels:?}: {found:?} of {self:#?}");
        found[0].value
    }

    /// The sum over all samples of `name`; 0 when there is none.
    pub(crate) fn total(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|sample| sample.value).sum()
    }

    /// Every value that some label has.
    pub(crate) fn label_values(&self) -> BTreeSet<&str> {
        let labels = self.0.iter().flat_map(|sample| sample.labels.values());
        labels.map(String::as_str).collect()
    }

    fn matching(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        self.0.iter().filter(move |sample| {
            let has = |(label, value): &(&str, &str)| {
                sample.labels.get(*label).map(String::as_str) == Some(*value)
            };
            sample.name == name && labels.iter().all(has)
        })
    }
}

/// `name{label="value",…} number`.
fn sample(line: &str) -> Sample {
    let is_name = |name: &str| {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        !name.is_empty() && name.bytes().all(letters) && !name.as_bytes()[0].is_ascii_digit()
    };
    let (series, value) = line.rsplit_once(' ').expect("a value");
    let (name, mut rest) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').expect("closed braces")),
        None => (series, ""),
    };
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    while !rest.is_empty() {
        let (label, quoted) = rest.split_once("=\"").expect("a label");
        assert!(is_name(label), "{line}");
        let (text, after) = unquoted(quoted);
        assert_eq!(labels.insert(label.to_owned(), text), None, "{line}");
        rest = after.strip_prefix(',').unwrap_or(after);
    }
    let value = value
        .parse()
        .unwrap_or_else(|_| panic!("no number: {line}"));
    Sample {
        name: name.to_owned(),
        labels,
        value,
    }
}

/// The text up to its closing quote, and what follows.
fn unquoted(quoted: &str) -> (String, &str) {
    let (mut text, mut chars) = (String::new(), quoted.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => text.push('\n'),
                Some(c @ ('\\' | '"')) => text.push(c),
                other => panic!("a strange escape {other:?}: {quoted}"),
            },
            c => text.push(c),
        }
    }
    panic!("no closing quote: {quoted}")
}
