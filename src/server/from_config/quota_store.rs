//! The quota store of a configuration.

use std::path::Path;

use crate::config::{self, Faults};
use crate::files::read_bounded;
use crate::quota::{OnStoreFailure, StoreAddress, StoreSettings};

/// Longest file of certificates, in bytes.
const MAX_ROOTS_BYTES: usize = 1024 * 1024;

pub(super) fn settings(
    store: Option<&config::QuotaStore>,
    faults: &mut Faults,
) -> Option<StoreSettings> {
    let store = store?;
    let address = StoreAddress::parse(&store.url)
        .map_err(|error| faults.0.push(store.origin.fault(error.to_string())))
        .ok();
    let roots = match &store.roots {
        Some((path, origin)) => match read_roots(path) {
            Ok(roots) => Some(roots),
            Err(message) => {
                faults.0.push(origin.fault(message));
                None
            }
        },
        None => None,
    };
    Some(StoreSettings {
        on_failure: match store.on_failure {
            config::OnStoreFailure::Local => OnStoreFailure::Local,
            config::OnStoreFailure::Deny => OnStoreFailure::Deny,
            config::OnStoreFailure::Allow => OnStoreFailure::Allow,
        },
        timeout: store.timeout,
        key_prefix: store.key_prefix.clone(),
        roots,
        ..StoreSettings::new(address?)
    })
}

/// The certificates, if there are any in the file.
fn read_roots(path: &Path) -> Result<Vec<u8>, String> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    let bytes = read_bounded(path, MAX_ROOTS_BYTES)
        .map_err(|error| format!("cannot read the certificates: {error}"))?;
    let mut certificates = CertificateDer::pem_slice_iter(&bytes).peekable();
    if certificates.peek().is_none() || certificates.any(|read| read.is_err()) {
        return Err("the file must hold certificates in PEM".to_owned());
    }
    Ok(bytes)
}
