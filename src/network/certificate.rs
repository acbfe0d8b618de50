//! Was it the certificate? Clients call every connection that did not come about the same.

use std::error::Error;
use std::io;

/// Whether a connection failed since nobody vouches for the other side's certificate, or it is another host's.
pub(crate) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        next = match error.downcast_ref::<io::Error>() {
            // Its source is that of what it wraps.
            Some(wrapping) => wrapping
                .get_ref()
                .map(|wrapped| wrapped as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    false
}
