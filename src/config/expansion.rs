//! Expands `${…}` in one string.
//!
//! | written | becomes |
//! |---|---|
//! | `${X}` | the variable; unset is a fault |
//! | `${X:-text}` | the variable, or `text` where it is unset or empty |
//! | `${X:?message}` | the variable; unset or empty is a fault with that message |
//! | `${file:PATH}` | the file's text without one trailing newline; relative to the config file |
//! | `$$` | `$` |
//!
//! A lone `$` stays, so that regular expressions need no escape. Text, message and path may hold further
//! `${…}`, four levels deep; the branch not taken is checked but not looked up. A default cannot hold `}`.
//! One left-to-right pass over the text: linear, and what a lookup returns is never expanded again.
//! A reader would ask why the YAML library's own interpolation is not used: it knows neither files nor our faults.

use std::path::Path;

use super::Environment;

/// How deep `${A:-${B:-…}}` may go: more is a mistake, and the parser recurses.
const MAX_DEPTH: usize = 4;

/// The outcome of expanding one string; `text` counts only when there are no faults.
#[derive(Default)]
pub(super) struct Expansion {
    pub(super) text: String,
    pub(super) faults: Vec<String>,
    /// Whether any `${…}` stood in the text.
    pub(super) looked_up: bool,
}

/// Expands one string.
pub(super) fn expand(text: &str, file: &Path, environment: &dyn Environment) -> Expansion {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut expander = Expander {
        rest: text,
        folder,
        environment,
        done: Expansion::default(),
        broken: false,
    };
    let expanded = expander.text(0, true);
    Expansion {
        text: expanded,
        ..expander.done
    }
}

struct Expander<'a> {
    rest: &'a str,
    folder: &'a Path,
    environment: &'a dyn Environment,
    done: Expansion,
    /// Whether a syntax fault has been reported, which every level of braces then runs into.
    broken: bool,
}

impl<'a> Expander<'a> {
    /// Reads up to the end, or inside braces up to (not including) the closing one.
    /// Looks nothing up unless `live`.
    fn text(&mut self, depth: usize, live: bool) -> String {
        let mut out = String::new();
        loop {
            let stop = self
                .rest
                .find(|c| c == '$' || (depth > 0 && c == '}'))
                .unwrap_or(self.rest.len());
            out.push_str(self.take(stop));
            if self.skip("$$") {
                out.push('$');
            } else if self.skip("${") {
                out.push_str(&self.braces(depth + 1, live));
            } else if self.rest.starts_with('$') {
                out.push_str(self.take(1));
            } else {
                return out;
            }
        }
    }

    /// Reads what follows `${`, with its closing brace.
    fn braces(&mut self, depth: usize, live: bool) -> String {
        self.done.looked_up = true;
        if depth > MAX_DEPTH {
            return self.give_up(format!(
                "`${{…}}` is nested more than {MAX_DEPTH} levels deep"
            ));
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let name = self.take(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return self.give_up("`${` needs the name of an environment variable after it (a plain `${` is written `$${`)");
        }
        let value = if self.skip(":-") {
            let value = self.variable(name, live).filter(|value| !value.is_empty());
            let default = self.text(depth, live && value.is_none());
            value.unwrap_or(default)
        } else if self.skip(":?") {
            let before = self.rest;
            self.text(depth, false);
            let message = &before[..before.len() - self.rest.len()];
            let value = self.variable(name, live).filter(|value| !value.is_empty());
            self.require(value, live, || {
                format!("environment variable `{name}` is not set or empty: {message}")
            })
        } else if name == "file" && self.skip(":") {
            self.file(depth, live)
        } else {
            let value = self.variable(name, live);
            self.require(value, live, || {
                format!("environment variable `{name}` is not set; set it, or write `${{{name}:-default}}`")
            })
        };
        if !self.skip("}") {
            return self.give_up(match self.rest.is_empty() {
                true => "`${` has no closing `}`",
                false => "this form of `${…}` is unknown; write ${X}, ${X:-default}, ${X:?message} or ${file:PATH}",
            });
        }
        value
    }

    fn file(&mut self, depth: usize, live: bool) -> String {
        let before = self.rest;
        let path = self.text(depth, live);
        let written = &before[..before.len() - self.rest.len()];
        if written.is_empty() {
            self.done
                .faults
                .push("`${file:}` needs the path of a file".to_owned());
        }
        if !live || written.is_empty() || !self.rest.starts_with('}') {
            return String::new();
        }
        match self.environment.file(&self.folder.join(path)) {
            Ok(mut content) => {
                if content.ends_with('\n') {
                    content.truncate(content.len() - if content.ends_with("\r\n") { 2 } else { 1 });
                }
                content
            }
            Err(error) => {
                self.done.faults.push(format!(
                    "cannot read the file of `${{file:{written}}}`: {error}"
                ));
                String::new()
            }
        }
    }

    fn variable(&self, name: &str, live: bool) -> Option<String> {
        live.then(|| self.environment.variable(name)).flatten()
    }

    fn require(&mut self, value: Option<String>, live: bool, fault: impl Fn() -> String) -> String {
        if live && value.is_none() {
            self.done.faults.push(fault());
        }
        value.unwrap_or_default()
    }

    /// After a syntax fault the rest of this string means nothing.
    fn give_up(&mut self, fault: impl Into<String>) -> String {
        if !self.broken {
            self.done.faults.push(fault.into());
        }
        (self.broken, self.rest) = (true, "");
        String::new()
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    fn skip(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::Fixed;
    use proptest::prelude::*;

    fn fixed() -> Fixed {
        Fixed::default()
            .variable("HOST", "db.internal")
            .variable("EMPTY", "")
            .variable("TRICKY", "${HOST} $$")
            .file("conf/key", "s3cret\n\n")
            .file("/run/secrets/crlf", "s3cret\r\n")
    }

    fn run(text: &str) -> Expansion {
        expand(text, Path::new("conf/tollgate.yaml"), &fixed())
    }

    #[track_caller]
    fn becomes(text: &str, wanted: &str) {
        let expansion = run(text);
        assert_eq!(
            (expansion.text.as_str(), expansion.faults),
            (wanted, vec![]),
            "{text}"
        );
    }

    #[track_caller]
    fn fails(text: &str, wanted: &[&str]) {
        assert_eq!(run(text).faults, wanted, "{text}");
    }

    #[test]
    fn variables_and_defaults_are_read() {
        becomes("http://${HOST}:1/", "http://db.internal:1/");
        becomes("<${EMPTY}>", "<>");
        becomes(
            "${UNSET:-a b}${EMPTY:-c}${HOST:-d}${UNSET:-}",
            "a bcdb.internal",
        );
        becomes("${HOST:?needed}", "db.internal");
    }

    #[test]
    fn files_are_relative_to_the_config_file_and_lose_one_trailing_newline() {
        becomes("<${file:key}>", "<s3cret\n>");
        becomes("${file:/run/secrets/crlf}", "s3cret");
        becomes("${file:${UNSET:-key}}", "s3cret\n");
    }

    #[test]
    fn dollars_stay_unless_they_open_a_brace() {
        becomes("^c-[a-z0-9]+$", "^c-[a-z0-9]+$");
        becomes("$HOST $$ $${HOST} $$$$", "$HOST $ ${HOST} $$");
        becomes("a } b", "a } b");
    }

    #[test]
    fn a_value_is_never_expanded_again() {
        becomes("${TRICKY}", "${HOST} $$");
    }

    #[test]
    fn defaults_nest_four_levels_deep() {
        becomes("${A:-${B:-${C:-${D:-x}}}}", "x");
        fails(
            "${A:-${B:-${C:-${D:-${E:-x}}}}}",
            &["`${…}` is nested more than 4 levels deep"],
        );
    }

    #[test]
    fn the_branch_not_taken_is_not_looked_up() {
        becomes("${HOST:-${UNSET}${file:missing}}", "db.internal");
        becomes("${HOST:?set ${UNSET}}", "db.internal");
    }

    #[test]
    fn an_unset_variable_is_a_fault_that_names_it() {
        fails(
            "${UNSET} ${EMPTY:?at least 32 bytes} ${NONE:?}",
            &[
                "environment variable `UNSET` is not set; set it, or write `${UNSET:-default}`",
                "environment variable `EMPTY` is not set or empty: at least 32 bytes",
                "environment variable `NONE` is not set or empty: ",
            ],
        );
    }

    #[test]
    fn an_unreadable_file_is_a_fault_that_names_it() {
        fails(
            "${file:missing}",
            &["cannot read the file of `${file:missing}`: entity not found"],
        );
        fails("${file:}", &["`${file:}` needs the path of a file"]);
    }

    #[test]
    fn bad_forms_are_faults_that_say_how_to_write_it() {
        let unknown = "this form of `${…}` is unknown; write ${X}, ${X:-default}, ${X:?message} or ${file:PATH}";
        let nameless = "`${` needs the name of an environment variable after it (a plain `${` is written `$${`)";
        fails("${HOST", &["`${` has no closing `}`"]);
        fails("${HOST:-a", &["`${` has no closing `}`"]);
        fails("${file:key", &["`${` has no closing `}`"]);
        fails("${HOST:+a}", &[unknown]);
        fails("${HOST-a}", &[unknown]);
        fails("${}", &[nameless]);
        fails("${1X}", &[nameless]);
        fails("${HOST:-${}}", &[nameless]);
    }

    proptest! {
        #[test]
        fn text_without_a_dollar_is_unchanged(text in "[^$]*") {
            let expansion = run(&text);
            prop_assert_eq!(expansion.text, text);
            prop_assert!(expansion.faults.is_empty() && !expansion.looked_up);
        }

        #[test]
        fn doubled_dollars_protect_any_text(text in any::<String>()) {
            prop_assert_eq!(run(&text.replace('$', "$$")).text, text);
        }

        #[test]
        fn nothing_panics(text in "([$]|[{]|[}]|:-|:[?]|file:|HOST|UNSET|é|[ -~])*") {
            run(&text);
        }
    }

    #[test]
    fn the_work_is_linear_in_the_text() {
        // Quadratic work on a megabyte would take minutes.
        for part in [
            "${A:-",
            "$$",
            "${",
            "$",
            "}",
            "${HOST:?",
            "${UNSET:-x}",
            "${file:",
        ] {
            run(&part.repeat((1 << 20) / part.len()));
        }
    }
}
