//! What the file says of the audit log, and nothing comes of.
//!
//! No fault: it errs on the side of recording less. But whoever wrote it thinks that arguments are
//! recorded, or that their secrets are not.

use crate::config::Config;

/// A sentence for each.
pub(super) fn of_audit(config: &Config) -> Vec<String> {
    let (mut said, mut is_recorded) = (Vec::new(), false);
    for one in config.governed() {
        let (section, name, own) = (one.section, one.name, &one.policy.audit);
        let Some(audit) = &config.audit else {
            if own.records_arguments.is_some() || own.redact.is_some() {
                said.push(format!("{section}.{name}.audit has no effect: there is no `audit` section, and no audit log"));
            }
            continue;
        };
        let records = own.records_arguments.unwrap_or(audit.records_arguments);
        is_recorded |= records;
        if own.redact.is_some() && !records {
            said.push(format!("{section}.{name}.audit.redact has no effect: its arguments are not recorded, only their digest"));
        }
    }
    if let Some(audit) = &config.audit
        && audit.names_redacted
        && !audit.records_arguments
        && !is_recorded
    {
        said.push("audit.redact has no effect: arguments are not recorded, only their digest; `audit.arguments: recorded` does".to_owned());
    }
    said
}
