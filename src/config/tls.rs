//! `server.tls`: the files that hold the certificate and its key.
//!
//! A reader would ask why they are not read here: `config` only reads itself; the server reports what it finds
//! wrong with the files through [`Tls::origin`], and looks at them again while it runs.

use std::path::{Path, PathBuf};

use super::document::At;
use super::faults::Origin;
use super::raw::RawTls;

/// The checked `server.tls` section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Path of the chain in PEM; a relative one has been joined to the folder of the config file.
    pub certificate: PathBuf,
    /// Path of the private key in PEM, likewise.
    pub key: PathBuf,
    /// Where the section stands, for faults found later.
    pub origin: Origin,
}

pub(super) fn check(raw: RawTls, file: &Path, at: &At<'_>) -> Tls {
    let folder = file.parent().unwrap_or(Path::new(""));
    Tls {
        certificate: folder.join(raw.certificate),
        key: folder.join(raw.key),
        origin: at.origin(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;
    use crate::config::testing::{Fixed, faults};

    #[test]
    fn paths_are_relative_to_the_config_file() {
        let text = "server:\n  tls: {certificate: ./tls.crt, key: /run/tls.key}\n";
        let file = Path::new("/etc/tollgate/tollgate.yaml");
        let config = Config::parse(text, file, &Fixed::default()).expect("a good config");
        let tls = config.server.tls.expect("TLS");
        assert_eq!(tls.certificate, Path::new("/etc/tollgate/./tls.crt"));
        assert_eq!(tls.key, Path::new("/run/tls.key"));
        assert_eq!(
            tls.origin.fault("x").to_string(),
            "/etc/tollgate/tollgate.yaml:2: server.tls: x"
        );
    }

    #[test]
    fn a_certificate_needs_its_key() {
        assert_eq!(
            faults("server:\n  tls: {certificate: ./tls.crt}\n"),
            [
                "tollgate.yaml:2: server.tls: the key `key` is missing: Path of the private key in PEM"
            ]
        );
    }
}
