//! What happens to connections before there are requests.

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundCounter, Meter};

use super::super::names;

/// All are there from the start, as zeros, so that the first one shows as an increase.
pub(super) struct Edge {
    /// Connections for which there was no place.
    pub(super) refused: BoundCounter<u64>,
    /// Connections whose answers nobody read.
    pub(super) cut: BoundCounter<u64>,
    pub(super) certificate_loads: CertificateLoads,
}

/// Certificates that changed on disk.
pub(super) struct CertificateLoads {
    pub(super) used: BoundCounter<u64>,
    pub(super) refused: BoundCounter<u64>,
}

impl Edge {
    pub(super) fn new(meter: &Meter) -> Self {
        let counter = |name, description| meter.u64_counter(name).with_description(description);
        let plain = |name, description| {
            let plain = counter(name, description).build().bind(&[]);
            // Without labels a series begins with its first number.
            plain.add(0);
            plain
        };
        let loads = counter(
            names::CERTIFICATE_LOADS,
            "Certificates that changed on disk, by whether they could be used",
        );
        let loads = loads.build();
        let outcome = |outcome| loads.bind(&[KeyValue::new(names::OUTCOME, outcome)]);
        Self {
            refused: plain(
                names::CONNECTIONS_REFUSED,
                "Connections for which there was no place",
            ),
            cut: plain(
                names::CONNECTIONS_CUT,
                "Connections cut because too many answers waited to be read",
            ),
            certificate_loads: CertificateLoads {
                used: outcome("ok"),
                refused: outcome("failed"),
            },
        }
    }
}
