//! Adding a key to the file of API keys, which a server may be reading at this moment.
//!
//! The entry is added as text, so that comments and order stay, and the whole is checked before it
//! takes the place of the old file in one step. What cannot be added to like this is left alone.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::entry::Entry;
use crate::cli::CliError;
use crate::config::{Environment, ProcessEnvironment, parse_api_keys};

pub(super) fn append(path: &Path, entry: &Entry<'_>) -> Result<(), CliError> {
    // A link stays one: its target is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let old = match ProcessEnvironment.file(&target) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("cannot read {}: {error}", path.display()).into()),
    };
    let text = with_entry(old.as_deref().unwrap_or_default(), path, entry)?;
    replace(&target, &text).map_err(|error| {
        format!("cannot write {}: {error}; no key was made", path.display()).into()
    })
}

/// The text of the file with the entry at its end.
fn with_entry(old: &str, path: &Path, entry: &Entry<'_>) -> Result<String, CliError> {
    let is_content = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let content: Vec<&str> = old.lines().filter(is_content).collect();
    let before = if content.is_empty() {
        0
    } else {
        let keys = parse_api_keys(old, path, &[])?;
        if keys.iter().any(|key| key.id == entry.id) {
            return Err(format!(
                "{} has a key with the id {} already: choose another --id, or take the old one out",
                path.display(),
                entry.id
            )
            .into());
        }
        keys.len()
    };
    // Items of a list are indented alike.
    let item = content
        .iter()
        .rfind(|line| line.trim_start().starts_with("- "));
    let indent = item.map_or("", |line| &line[..line.len() - line.trim_start().len()]);
    let mut text = if content == ["[]"] {
        old.replacen("[]", "", 1)
    } else {
        old.to_owned()
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&entry.yaml(indent));
    let added = parse_api_keys(&text, path, &[]).is_ok_and(|keys| {
        let last = keys.last();
        keys.len() == before + 1
            && last.is_some_and(|key| key.id == entry.id && key.tenant == entry.tenant)
    });
    if added {
        Ok(text)
    } else {
        Err(format!(
            "{} is no plain list that an entry can be added to at its end: leave --file out and paste the entry",
            path.display()
        )
        .into())
    }
}

/// Puts a file with this text in the place of the old one, with the same permissions.
fn replace(target: &Path, text: &str) -> io::Result<()> {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = target.with_file_name(name);
    // Never one that is there: somebody else may be writing it.
    let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| match fs::metadata(target) {
            Ok(old) => file.set_permissions(old.permissions()),
            Err(_) => Ok(()),
        })
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, target));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
