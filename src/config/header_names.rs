//! Names of headers that a configuration adds to requests to an HTTP API.
//!
//! A reader would ask why some are refused: they frame the message or belong to the connection (RFC 9110 §7.6.1),
//! and a request whose frame a file can change is one that two servers may read differently.

use http::HeaderName;

use super::document::At;
use super::faults::Faults;

/// Headers that are ours to set.
const OURS: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "range",
];

pub(super) fn check<'a>(names: impl Iterator<Item = &'a String>, at: &At<'_>, faults: &mut Faults) {
    let mut known: Vec<HeaderName> = Vec::new();
    for name in names {
        match HeaderName::try_from(name.as_str()) {
            Ok(header) if OURS.contains(&header.as_str()) => {
                at.key(name)
                    .fault(faults, "is set by Tollgate itself; remove it");
            }
            Ok(header) if known.contains(&header) => {
                let message = "is there already, in other letters of the same name; keep one";
                at.key(name).fault(faults, message);
            }
            Ok(header) => known.push(header),
            Err(_) => {
                let message = "is no name of a header, such as Authorization or X-Api-Key";
                at.key(name).fault(faults, message);
            }
        }
    }
}
