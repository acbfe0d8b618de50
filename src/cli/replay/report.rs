//! What of the recorded calls changes, as a table for people and as JSON for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};
use uuid::Uuid;

use super::tally::{Class, SEVERAL, Tally};
use crate::log::Inert;

impl Class {
    fn title(self) -> &'static str {
        match self {
            Self::Refused => "allowed, would be refused",
            Self::Allowed => "refused, would be allowed",
            Self::Asked => "allowed, would need approval",
            Self::Unasked => "needed approval, would not",
            Self::Reason => "refused, would be refused for another reason",
            Self::Undecidable => "undecidable",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Refused => "allowedToRefused",
            Self::Allowed => "refusedToAllowed",
            Self::Asked => "allowedToConfirm",
            Self::Unasked => "confirmToAllowed",
            Self::Reason => "otherReason",
            Self::Undecidable => "undecidable",
        }
    }
}

pub(super) fn text(tally: &Tally) -> String {
    let mut text = String::new();
    // Writing to a `String` cannot fail.
    for (count, what, always) in [
        (tally.same, "the same", true),
        (tally.refused, Class::Refused.title(), true),
        (tally.allowed, Class::Allowed.title(), true),
        (tally.asked, Class::Asked.title(), false),
        (tally.unasked, Class::Unasked.title(), false),
        (tally.reason, Class::Reason.title(), false),
        (tally.undecidable, Class::Undecidable.title(), false),
        (tally.undecided, "skipped: no policy decided them", false),
        (tally.unidentified, "skipped: nobody knew who called", false),
        (tally.unreadable, "lines that cannot be read", false),
    ] {
        if always || count > 0 {
            let _ = writeln!(text, "{count:>8}  {what}");
        }
    }
    let mut last = None;
    for (group, members) in &tally.groups {
        if last.replace(group.class) != Some(group.class) {
            let _ = writeln!(text, "\n{}", group.class.title());
        }
        let examples: Vec<String> = members.examples.iter().map(Uuid::to_string).collect();
        let (target, why) = (Inert(&group.target), Inert(&group.why));
        let whose = match members.tenant.as_str() {
            SEVERAL => "several tenants".to_owned(),
            tenant => format!("tenant {}", Inert(tenant)),
        };
        let _ = writeln!(text, "{:>8}  {target}  {whose}  {why}", members.count);
        let _ = writeln!(text, "{:8}  such as {}", "", examples.join(", "));
    }
    if tally.decided() == 0 {
        text.push_str(match tally.is_empty() {
            true => "\nno recorded call is in the window and fits the filters\n",
            false => "\nno recorded call could be decided\n",
        });
    }
    text
}

pub(super) fn json(tally: &Tally) -> Value {
    let groups = tally.groups.iter().map(|(group, members)| {
        json!({
            "change": group.class.name(),
            "target": group.target,
            "tenant": members.tenant,
            "why": group.why,
            "count": members.count,
            "examples": members.examples,
        })
    });
    json!({
        "same": tally.same,
        "allowedToRefused": tally.refused,
        "refusedToAllowed": tally.allowed,
        "allowedToConfirm": tally.asked,
        "confirmToAllowed": tally.unasked,
        "otherReason": tally.reason,
        "undecidable": tally.undecidable,
        "skipped": {
            "undecided": tally.undecided,
            "unidentified": tally.unidentified,
            "unreadableLines": tally.unreadable,
        },
        "groups": groups.collect::<Vec<_>>(),
    })
}
