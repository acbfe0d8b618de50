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
        /// Statements that may run at once, 1 to 64, default 4.
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
            threads: raw.threads,
            origin: at.key(&name).origin(),
        };
        (name, source)
    };
    raw.into_iter().map(source).collect()
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
        assert_eq!(
            (path.as_path(), *threads),
            (Path::new("/etc/tollgate/./shop.db"), 4)
        );
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
