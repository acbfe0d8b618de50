//! As much of PromQL as it takes to tell which metrics and labels an expression names (Prometheus,
//! "Querying basics" and "Operators"), and strictly: what is not known here fails the test.

use std::collections::BTreeSet;

/// What follows an open bracket, or takes labels in brackets.
const GROUPING: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
const WORDS: [&str; 6] = ["and", "or", "unless", "offset", "bool", "atan2"];
const FUNCTIONS: [&str; 10] = [
    "sum",
    "max",
    "min",
    "rate",
    "increase",
    "resets",
    "topk",
    "histogram_quantile",
    "avg",
    "count",
];

/// One metric and the labels that its matchers name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    pub(crate) labels: Vec<String>,
}

/// What an expression names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) selectors: Vec<Selector>,
    /// In `by (…)` and its like.
    pub(crate) grouping: BTreeSet<String>,
}

#[derive(Debug, PartialEq)]
enum Token {
    Word(String),
    Number,
    Text,
    Range,
    Sign(char),
}

/// Reads an expression.
pub(crate) fn read(expression: &str) -> Named {
    let tokens = tokens(expression);
    let (mut named, mut at) = (Named::default(), 0);
    let mut depth = 0_i32;
    while let Some(token) = tokens.get(at) {
        at += 1;
        let next = tokens.get(at);
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth -= 1,
            Token::Sign(_) | Token::Number | Token::Range | Token::Text => {}
            Token::Word(word) if WORDS.contains(&word.as_str()) => {}
            Token::Word(word) if GROUPING.contains(&word.as_str()) => {
                let (labels, end) = list(&tokens, at, ('(', ')'));
                named.grouping.extend(labels);
                at = end;
            }
            Token::Word(word) if next == Some(&Token::Sign('(')) || is_grouped(next) => {
                let known = FUNCTIONS.contains(&word.as_str());
                assert!(known, "an unknown function {word}: {expression}");
            }
            Token::Word(word) => {
                let mut labels = Vec::new();
                if next == Some(&Token::Sign('{')) {
                    (labels, at) = list(&tokens, at, ('{', '}'));
                }
                let metric = word.clone();
                named.selectors.push(Selector { metric, labels });
            }
        }
        assert!(depth >= 0, "a bracket too many: {expression}");
    }
    assert_eq!(depth, 0, "an open bracket: {expression}");
    named
}

/// `sum by (…) (…)`.
fn is_grouped(next: Option<&Token>) -> bool {
    matches!(next, Some(Token::Word(word)) if ["by", "without"].contains(&word.as_str()))
}

/// The words between brackets, and where they end.
fn list(tokens: &[Token], from: usize, (open, close): (char, char)) -> (Vec<String>, usize) {
    assert_eq!(tokens.get(from), Some(&Token::Sign(open)), "{tokens:?}");
    let length = tokens[from..]
        .iter()
        .position(|token| *token == Token::Sign(close));
    let end = from + length.unwrap_or_else(|| panic!("no {close}: {tokens:?}"));
    let words = tokens[from..end].iter().filter_map(|token| match token {
        Token::Word(word) => Some(word.clone()),
        _ => None,
    });
    (words.collect(), end + 1)
}

fn tokens(expression: &str) -> Vec<Token> {
    let (mut tokens, mut rest) = (Vec::new(), expression);
    while let Some(first) = rest.chars().next() {
        let run = |goes_on: fn(char) -> bool| rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
        let (token, length) = match first {
            ' ' | '\n' => {
                rest = &rest[1..];
                continue;
            }
            'a'..='z' | 'A'..='Z' | '_' => {
                let length = run(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':');
                (Token::Word(rest[..length].to_owned()), length)
            }
            '0'..='9' => (Token::Number, run(|c| c.is_ascii_digit() || c == '.')),
            '"' => {
                let end = rest[1..].find('"').expect("a closing quote");
                assert!(
                    !rest[1..=end].contains('\\'),
                    "no escapes here: {expression}"
                );
                (Token::Text, end + 2)
            }
            '[' => (Token::Range, rest.find(']').expect("a closing bracket") + 1),
            c if "(){},=!~<>+-*/".contains(c) => (Token::Sign(c), 1),
            c => panic!("a strange character {c:?}: {expression}"),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    tokens
}
