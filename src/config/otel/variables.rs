//! Single variables: a text, a number, one word of a few.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crate::config::environment::Environment;

/// One more than the most spans that are held in memory, where each has its place from the start.
const MOST_SPANS: usize = 100_001;

/// A variable whose value cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {name} {fault}")]
pub struct OtelFault {
    name: String,
    fault: &'static str,
}

pub(super) fn fault(name: &str, fault: &'static str) -> OtelFault {
    OtelFault {
        name: name.to_owned(),
        fault,
    }
}

/// The environment. An empty value is as good as none ("Environment Variable Specification").
pub(super) struct Variables<'a>(pub(super) &'a dyn Environment);

impl Variables<'_> {
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.variable(name).filter(|value| !value.is_empty())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        let value = self.text(name);
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, OtelFault> {
        let value = self.text(name).map(|value| value.parse());
        let value = value.transpose();
        value.map_err(|_| fault(name, "must be a whole number that is not negative"))
    }

    /// A number of spans that there is room made for at once.
    pub(super) fn spans(&self, name: &str) -> Result<Option<usize>, OtelFault> {
        match self.number(name) {
            Ok(Some(0 | MOST_SPANS..)) | Err(_) => {
                Err(fault(name, "must be a whole number from 1 to 100000"))
            }
            number => number,
        }
    }

    pub(super) fn millis(&self, name: &str) -> Result<Option<Duration>, OtelFault> {
        match self.number(name) {
            Ok(Some(0)) | Err(_) => Err(fault(
                name,
                "must be a whole number of milliseconds above 0",
            )),
            Ok(millis) => Ok(millis.map(Duration::from_millis)),
        }
    }

    pub(super) fn one_of(
        &self,
        name: &str,
        known: &[&'static str],
        advice: &'static str,
    ) -> Result<Option<&'static str>, OtelFault> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        let found = known.iter().find(|known| **known == value);
        found.copied().map(Some).ok_or_else(|| fault(name, advice))
    }

    /// The `known` ones that are listed, each once; `none` alone for none of them.
    pub(super) fn list<T: Copy + PartialEq>(
        &self,
        name: &str,
        known: &[(&str, T)],
        advice: &'static str,
    ) -> Result<Option<Vec<T>>, OtelFault> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        let mut listed = Vec::new();
        if value == "none" {
            return Ok(Some(listed));
        }
        for item in value.split(',').map(str::trim) {
            let found = known.iter().find(|(word, _)| *word == item);
            let (_, meant) = found.ok_or_else(|| fault(name, advice))?;
            if !listed.contains(meant) {
                listed.push(*meant);
            }
        }
        Ok(Some(listed))
    }

    /// The file that `name` names.
    pub(super) fn file(&self, name: &str) -> Result<Option<Vec<u8>>, OtelFault> {
        let Some(path) = self.text(name) else {
            return Ok(None);
        };
        let text = self.0.file(Path::new(&path));
        let text = text.map_err(|_| fault(name, "names a file that cannot be read"))?;
        Ok(Some(text.into_bytes()))
    }
}
