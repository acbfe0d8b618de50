//! The `sources` section: where tools get their data.
//!
//! A reader would ask why the database is not opened here: `config` only reads; the source reports what it
//! finds wrong with a statement through [`super::Sql::origin`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::document::At;
use super::faults::Origin;
use super::raw::RawSource;

/// One checked source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// An SQLite file.
    Sqlite {
        /// Path of the file; a relative one has been joined to the folder of the config file.
        path: PathBuf,
        /// Statements that may run at once, 1 to 64.
        threads: usize,
        /// Where the source stands, for faults found later.
        origin: Origin,
    },
}

pub(super) fn check(
    raw: BTreeMap<String, RawSource>,
    file: &Path,
    at: &At<'_>,
) -> BTreeMap<String, Source> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let source = |(name, raw): (String, RawSource)| {
        let source = Source::Sqlite {
            path: folder.join(raw.sqlite),
            threads: raw.threads.unwrap_or_else(default_threads),
            origin: at.key(&name).origin(),
        };
        (name, source)
    };
    raw.into_iter().map(source).collect()
}

/// As many as cores, at most four: beyond that threads take turns, and handing over costs more than it gains.
fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::testing::{Fixed, faults};

    #[test]
    fn paths_are_relative_to_the_config_file() {
        let text =
            "sources:\n  near: {sqlite: ./shop.db}\n  far: {sqlite: /data/shop.db, threads: 8}\n";
        let config = Config::parse(
            text,
            Path::new("/etc/tollgate/tollgate.yaml"),
            &Fixed::default(),
        )
        .unwrap();
        let Source::Sqlite {
            path,
            threads,
            origin,
        } = &config.sources["near"];
        assert_eq!(path.as_path(), Path::new("/etc/tollgate/./shop.db"));
        assert!((1..=4).contains(threads));
        assert_eq!(
            (origin.path.as_str(), origin.line),
            ("sources.near", Some(2))
        );
        let Source::Sqlite { path, threads, .. } = &config.sources["far"];
        assert_eq!((path.as_path(), *threads), (Path::new("/data/shop.db"), 8));
    }

    #[test]
    fn a_source_needs_a_file_and_sensible_threads() {
        assert_eq!(
            faults("sources:\n  a: {}\n  b: {sqlite: '', threads: 65}\n"),
            [
                "tollgate.yaml:2: sources.a: the key `sqlite` is missing: Path of the SQLite file, such as `./shop.db`",
                "tollgate.yaml:3: sources.b.sqlite: must not be empty",
                "tollgate.yaml:3: sources.b.threads: must be at most 64",
            ]
        );
    }
}
