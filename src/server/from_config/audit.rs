//! The `audit` section.

use crate::audit::{AuditSettings, Durability, Redaction, Rotation};
use crate::config::Audit;

/// Where and how the log is kept.
pub(crate) fn settings(audit: &Audit) -> AuditSettings {
    AuditSettings {
        file: audit.file.clone(),
        key: audit.key.clone(),
        previous_key: audit.previous_key.clone(),
        durability: if audit.is_strict {
            Durability::Strict
        } else {
            Durability::BestEffort
        },
        redaction: Redaction {
            keeps_values: audit.records_arguments,
            left_out: audit.redact.clone(),
        },
        rotation: Rotation {
            max_bytes: audit.rotate.max_bytes,
            daily: audit.rotate.daily,
            keep: audit.rotate.keep,
        },
    }
}
