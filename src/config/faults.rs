//! What is wrong with a config file: every fault at once, each with file, line and key path.
//!
//! Every stage of `config` pushes into one [`Faults`]; modules that look deeper (the SQL check, the
//! URI templates) add theirs later through the [`Origin`] that each tool and resource carries.
//! A reader would ask why a fault never quotes the offending value: after expansion any value may
//! be a secret. Only keys, limits and the names of environment variables are shown.

use std::fmt;
use std::path::PathBuf;

/// Where in the config file something was declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The config file, as it was named on the command line.
    pub file: PathBuf,
    /// Key path, such as `tools.get_customer.sql.statement`; empty for the whole file.
    pub path: String,
    /// Line of the key, counted from 1; `None` when the file could not be read.
    pub line: Option<usize>,
}

impl Origin {
    /// A fault at this place. `message` is one sentence that says what to do, and holds no value of the file.
    pub fn fault(&self, message: impl AsRef<str>) -> Fault {
        Fault {
            file: self.file.clone(),
            path: inert(&self.path),
            line: self.line,
            message: inert(message.as_ref()),
        }
    }
}

/// One thing that is wrong, and where.
///
/// Made by [`Origin::fault`], which escapes control characters, so that a fault is always one inert line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The config file, as it was named on the command line.
    pub file: PathBuf,
    /// Key path, such as `tools.get_customer.rateLimit`; empty for the whole file.
    pub path: String,
    /// Line of the key, counted from 1; `None` when the file could not be read.
    pub line: Option<usize>,
    /// What is wrong and what to do about it, without any value of the file.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)
    }
}

/// All faults of one config file, one line each when displayed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// `value` when there are no faults, else the faults in the order of the file.
    ///
    /// # Errors
    /// The faults, if there is at least one.
    pub fn or<T>(self, value: T) -> Result<T, Faults> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self.in_order())
        }
    }

    /// The faults in the order of the file (by line, then key path), each once.
    pub(super) fn in_order(mut self) -> Self {
        self.0
            .sort_by(|a, b| (a.line, &a.path, &a.message).cmp(&(b.line, &b.path, &b.message)));
        self.0.dedup();
        self
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Escapes what could break a line, drive a terminal or reorder its text: what `log::Inert` does, which this
/// room may not import.
pub(super) fn inert(text: &str) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if harmful(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(path: &str, line: Option<usize>) -> Origin {
        Origin {
            file: "tollgate.yaml".into(),
            path: path.into(),
            line,
        }
    }

    #[test]
    fn a_fault_reads_as_file_line_path_and_sentence() {
        let fault =
            origin("tools.get_customer.rateLimit", Some(12)).fault("the period has no unit");
        assert_eq!(
            fault.to_string(),
            "tollgate.yaml:12: tools.get_customer.rateLimit: the period has no unit"
        );
    }

    #[test]
    fn a_fault_of_the_whole_file_has_neither_path_nor_line() {
        assert_eq!(
            origin("", None).fault("cannot be read").to_string(),
            "tollgate.yaml: cannot be read"
        );
    }

    #[test]
    fn control_characters_stay_inert() {
        let fault = origin("tools.\u{1b}[31m", Some(1)).fault("a\nb\u{202e}c");
        assert_eq!(
            fault.to_string(),
            r"tollgate.yaml:1: tools.\u{1b}[31m: a\u{a}b\u{202e}c"
        );
    }

    #[test]
    fn faults_come_in_the_order_of_the_file_and_once_each() {
        let (late, early) = (
            origin("b", Some(9)).fault("late"),
            origin("a", Some(2)).fault("early"),
        );
        let faults = Faults(vec![late.clone(), early, late])
            .or(())
            .expect_err("there are faults");
        assert_eq!(
            faults.to_string(),
            "tollgate.yaml:2: a: early\ntollgate.yaml:9: b: late"
        );
    }
}
