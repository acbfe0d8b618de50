//! How many calls change and why, in groups, with some of their ids.
//!
//! Bounded, however long the log: callers can make up neither changes nor reasons, but there may be any
//! number of tenants, so beyond so many groups the rest becomes one.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::judge::Change;
use super::recorded::{Recorded, Skipped};

/// Most groups that are told apart.
const MAX_GROUPS: usize = 1_000;
/// Ids of each group that are told.
const EXAMPLES: usize = 3;
/// What stands for several targets or tenants.
pub(super) const SEVERAL: &str = "*";
/// Why a call would not need the approval that it needed.
const NOT_ASKED: &str = "no `confirm` asks for it";

/// What kind of change a group is of, in the order in which they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Refused,
    Allowed,
    Asked,
    Unasked,
    Reason,
    Undecidable,
}

/// What the calls of a group have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    pub(super) class: Class,
    pub(super) target: String,
    /// `None`: tenants are not told apart.
    tenant: Option<String>,
    pub(super) why: String,
}

/// How many, and some of them.
#[derive(Debug)]
pub(super) struct Members {
    pub(super) count: u64,
    /// Whose they are, if all are one tenant's.
    pub(super) tenant: String,
    pub(super) examples: Vec<Uuid>,
}

/// All that is counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) same: u64,
    pub(super) refused: u64,
    pub(super) allowed: u64,
    pub(super) asked: u64,
    pub(super) unasked: u64,
    pub(super) reason: u64,
    pub(super) undecidable: u64,
    /// Requests of callers whom nobody knew.
    pub(super) unidentified: u64,
    /// Calls that ended before a policy decided them.
    pub(super) undecided: u64,
    /// Lines that are none.
    pub(super) unreadable: u64,
    pub(super) groups: BTreeMap<Group, Members>,
}

impl Tally {
    /// Calls that were allowed and are refused, or need approval and did not; or the other way round.
    pub(super) fn flips(&self) -> u64 {
        self.refused + self.allowed + self.asked + self.unasked
    }

    /// Calls that could be decided.
    pub(super) fn decided(&self) -> u64 {
        self.same + self.flips() + self.reason
    }

    /// Whether there was no call at all.
    pub(super) fn is_empty(&self) -> bool {
        self.decided() + self.undecidable + self.unidentified + self.undecided == 0
    }

    /// Counts a line that is not decided again.
    pub(super) fn skip(&mut self, skipped: Skipped) {
        match skipped {
            Skipped::NoCall => {}
            Skipped::Unidentified => self.unidentified += 1,
            Skipped::Undecided => self.undecided += 1,
            Skipped::Unreadable => self.unreadable += 1,
        }
    }

    /// Counts what becomes of a call.
    pub(super) fn count(&mut self, call: &Recorded, change: Change) {
        let (class, count, why) = match change {
            Change::Same => {
                self.same += 1;
                return;
            }
            Change::Refused(why) => (Class::Refused, &mut self.refused, why),
            Change::Allowed(why) => (Class::Allowed, &mut self.allowed, why),
            Change::Asked(why) => (Class::Asked, &mut self.asked, why),
            Change::Unasked => (Class::Unasked, &mut self.unasked, NOT_ASKED.to_owned()),
            Change::Reason(why) => (Class::Reason, &mut self.reason, why),
            Change::Undecidable(why) => (Class::Undecidable, &mut self.undecidable, why.to_owned()),
        };
        *count += 1;
        // Nobody can act on one tenant's alone where nothing could be decided.
        let is_decided = class != Class::Undecidable;
        let mut group = Group {
            class,
            target: call.target.name().unwrap_or(SEVERAL).to_owned(),
            tenant: is_decided.then(|| call.tenant.clone()),
            why,
        };
        if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&group) {
            group = Group {
                class,
                target: SEVERAL.to_owned(),
                tenant: None,
                why: "others".to_owned(),
            };
        }
        let members = self.groups.entry(group).or_insert_with(|| Members {
            count: 0,
            tenant: call.tenant.clone(),
            examples: Vec::new(),
        });
        members.count += 1;
        if members.tenant != call.tenant {
            SEVERAL.clone_into(&mut members.tenant);
        }
        if members.examples.len() < EXAMPLES {
            members.examples.push(call.id);
        }
    }
}
