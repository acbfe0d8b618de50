//! Rust as text, for the rules of `tests/architecture.rs`.
//!
//! Comments, the insides of literals and `#[cfg(test)]` items are blanked out with spaces, so that offsets
//! and lines stay those of the file and words and braces can be counted safely.

use std::ops::Range;
use std::path::Path;

use super::floor;

/// One file of `src/`, in the views the rules need. All views have the length of the text.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
    /// Without comments and the insides of literals.
    pub(crate) code: String,
    /// The same without `#[cfg(test)]` items.
    pub(crate) live: String,
    /// Without comments and `#[cfg(test)]` items, but with literals.
    pub(crate) spoken: String,
    /// Where `#[cfg(test)] mod name;` puts its file.
    test_file: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, mut spoken) = blank(text);
        let mut live = code.clone();
        let mut test_file = Vec::new();
        for attribute in ["#[cfg(test)]", "#[cfg(all(test"] {
            for (start, _) in code.match_indices(attribute) {
                let item = start..item_end(&code, start);
                if let Some((_, name)) =
                    code[item.clone()].trim_end_matches(';').rsplit_once("mod ")
                {
                    let folder = path.trim_end_matches(".rs").trim_end_matches("/lib");
                    test_file.push(format!("{folder}/{}", name.trim()));
                }
                wipe(&mut live, item.clone());
                wipe(&mut spoken, item);
            }
        }
        Self {
            path: path.into(),
            text: text.into(),
            code,
            live,
            spoken,
            test_file,
        }
    }

    /// The first name of the path below `src/`: `src/quota/memory.rs` belongs to `quota`.
    pub(crate) fn room(&self) -> &str {
        let below = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        below.split_once('/').map_or(below, |(room, _)| room)
    }

    pub(crate) fn is(&self, rooms: &[&str]) -> bool {
        rooms.contains(&self.room())
    }

    pub(crate) fn fault(&self, at: usize, rule: &str) -> String {
        let line = self.text[..at].matches('\n').count() + 1;
        let shown = self.text.lines().nth(line - 1).unwrap_or_default().trim();
        format!("{}:{line}: {rule}\n    {shown}", self.path)
    }

    /// Names that this file takes from the crate's root, with their places: `quota` of `use crate::{quota::Gcra}`.
    pub(crate) fn imports(&self) -> Vec<(usize, &str)> {
        let up = "super::".repeat(self.path.matches('/').count());
        let mut found: Vec<_> = words(&self.live, &up)
            .flat_map(|at| heads(&self.live, at + up.len()))
            .filter(|(_, name)| floor(name).is_some()) // in an inline module `super` is the file itself
            .collect();
        let roots: &[&str] = if self.is(&["main"]) {
            &["crate::", "tollgate::"]
        } else {
            &["crate::"]
        };
        for root in roots {
            found.extend(words(&self.live, root).flat_map(|at| heads(&self.live, at + root.len())));
        }
        found.retain(|(_, name)| *name != self.room() && *name != "self" && *name != "super");
        found
    }
}

/// All of `src/`, less the files that only tests see.
pub(crate) fn sources() -> Vec<Source> {
    fn walk(folder: &Path, path: &str, found: &mut Vec<Source>) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let entry = entry.expect("a source").path();
            let path = format!(
                "{path}/{}",
                entry.file_name().expect("a name").to_string_lossy()
            );
            if entry.is_dir() {
                walk(&entry, &path, found);
            } else if path.ends_with(".rs") {
                let text = std::fs::read_to_string(&entry).expect("a source in UTF-8");
                found.push(Source::new(&path, &text));
            }
        }
    }
    let mut found = Vec::new();
    walk(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        "src",
        &mut found,
    );
    found.sort_by(|a, b| a.path.cmp(&b.path));
    let tests: Vec<_> = found
        .iter()
        .flat_map(|source| source.test_file.clone())
        .collect();
    for source in &mut found {
        let module = source.path.trim_end_matches(".rs");
        if tests
            .iter()
            .any(|test| module == test || module.starts_with(&format!("{test}/")))
        {
            let all = 0..source.text.len();
            wipe(&mut source.live, all.clone());
            wipe(&mut source.spoken, all);
        }
    }
    assert!(!found.is_empty(), "no sources found");
    found
}

/// Two copies of the text: one without comments and the insides of literals, one without comments only.
fn blank(text: &str) -> (String, String) {
    let (mut code, mut spoken) = (text.to_owned(), text.to_owned());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let after_word = text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let raw = rest
            .trim_start_matches('b')
            .strip_prefix('r')
            .filter(|_| !after_word);
        let hashes = raw.map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let mut end = at + rest.chars().next().map_or(1, char::len_utf8);
        if rest.starts_with("//") {
            end = at + rest.find('\n').unwrap_or(rest.len());
            wipe(&mut spoken, at..end);
            wipe(&mut code, at..end);
        } else if rest.starts_with("/*") {
            end = at + block_comment(rest);
            wipe(&mut spoken, at..end);
            wipe(&mut code, at..end);
        } else if let (Some(raw), Some(hashes)) = (raw, hashes)
            && raw[hashes..].starts_with('"')
        {
            let close = format!("\"{}", "#".repeat(hashes));
            let open = text.len() - raw.len() + hashes + 1;
            end = open
                + text[open..]
                    .find(&close)
                    .map_or(text.len() - open, |length| length + close.len());
            wipe(&mut code, open..end - close.len());
        } else if rest.starts_with('"') || (rest.starts_with('\'') && is_char(rest)) {
            end = at + quoted(rest);
            wipe(&mut code, at + 1..end - 1);
        }
        at = end;
    }
    (code, spoken)
}

/// The length of the quoted literal that the text starts with, quotes included.
fn quoted(text: &str) -> usize {
    let quote = text.as_bytes()[0];
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            _ if byte == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Whether a `'` starts a character and not a lifetime.
fn is_char(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..text.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 1),
            b"*/" => (depth, at) = (depth - 1, at + 1),
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Puts spaces where the range is, keeping lines.
fn wipe(text: &mut String, range: Range<usize>) {
    let blanks: String = text[range.clone()]
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect();
    text.replace_range(range, &blanks);
}

/// Where the item that starts at `at` ends: behind its `;` or the brace that closes its body.
pub(crate) fn item_end(code: &str, at: usize) -> usize {
    let (mut brackets, mut braces) = (0, 0);
    for (offset, byte) in code.as_bytes()[at..].iter().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' => braces -= 1,
            _ => {}
        }
        if (*byte == b'}' && braces <= 0) || (*byte == b';' && braces == 0 && brackets == 0) {
            return at + offset + 1;
        }
    }
    code.len()
}

/// Places where `name` stands as whole words.
pub(crate) fn words<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let places = text.match_indices(name).map(|(at, _)| at);
    places.filter(move |at| {
        let open = !text[..*at].ends_with(part) || !name.starts_with(part);
        open && (!text[at + name.len()..].starts_with(part) || !name.ends_with(part))
    })
}

/// The first names of the path or group of paths at `at`; macros are no names.
fn heads(code: &str, at: usize) -> Vec<(usize, &str)> {
    let mut starts = vec![at];
    if code[at..].starts_with('{') {
        starts[0] += 1;
        let mut depth = 0;
        for (offset, byte) in code.as_bytes()[at..item_end(code, at)].iter().enumerate() {
            match byte {
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b',' if depth == 1 => starts.push(at + offset + 1),
                _ => {}
            }
        }
    }
    let named = starts.into_iter().filter_map(|start| {
        let start = start + code[start..].len() - code[start..].trim_start().len();
        let rest = &code[start..];
        let name = &rest[..rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len())];
        (!name.is_empty() && !rest[name.len()..].starts_with('!')).then_some((start, name))
    });
    named.collect()
}

/// Whole decimal numbers, without their suffix; not parts of names, fractions or hexadecimal numbers.
pub(crate) fn numbers(code: &str) -> Vec<(usize, u32)> {
    let mut found = Vec::new();
    let mut before = ' ';
    for (at, c) in code.char_indices() {
        let inside = before.is_alphanumeric() || before == '_' || before == '.';
        before = c;
        if !c.is_ascii_digit() || inside {
            continue;
        }
        let length = code[at..]
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(code.len() - at);
        let rest = &code[at + length..];
        let fraction = rest.starts_with('.') && rest[1..].starts_with(|c: char| c.is_ascii_digit());
        let digits = code[at..at + length].replace('_', "");
        let digits = digits
            .trim_end_matches("u16")
            .trim_end_matches("i32")
            .trim_end_matches("i64");
        if let (false, Ok(number)) = (fraction, digits.parse()) {
            found.push((at, number));
        }
    }
    found
}
