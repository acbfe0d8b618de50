//! What others carry of an approval between one request and the next.
//!
//! Sealed for its caller, tool and arguments, so that it is worth nothing to anybody else and for
//! nothing else. It says whether the approval was only asked for, or given already, and has a number
//! by which it is used once.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::{Unusable, VALID};
use crate::auth::Principal;
use crate::json::canonical_object;
use crate::seal::{Broken, Seal};
use crate::tool::Arguments;

/// How long an approval goes on while the tool itself asks something, as long as what it remembers.
pub(super) const LONGEST: Duration = Duration::from_secs(15 * 60);
/// What tickets are sealed for, together with their call.
const PURPOSE: &str = "approval";

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It was asked for.
    Asked = 1,
    /// It was given, and the tool itself asked something.
    Given = 2,
}

/// What was carried.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) phase: Phase,
    pub(super) nonce: u128,
}

/// The call that it is of.
pub(super) struct About<'a> {
    principal: &'a Principal,
    tool: &'a str,
    arguments: String,
}

impl<'a> About<'a> {
    pub(super) fn new(principal: &'a Principal, tool: &'a str, arguments: &Arguments) -> Self {
        let mut canonical = Vec::new();
        canonical_object(arguments, &mut canonical);
        Self {
            principal,
            tool,
            arguments: URL_SAFE_NO_PAD.encode(digest(&SHA256, &canonical)),
        }
    }

    fn purpose(&self) -> [&str; 5] {
        let (tenant, subject) = (self.principal.tenant(), self.principal.subject());
        [PURPOSE, tenant, subject, self.tool, &self.arguments]
    }

    /// A new ticket; `None` without randomness.
    pub(super) fn seal(&self, seal: &Seal, phase: Phase) -> Option<String> {
        let valid = match phase {
            Phase::Asked => VALID,
            Phase::Given => LONGEST,
        };
        let mut content = vec![phase as u8];
        content.extend_from_slice(Uuid::new_v4().as_bytes());
        seal.seal(&self.purpose(), &content, valid)
    }

    /// The ticket in a text, if it is one of this call.
    pub(super) fn open(&self, seal: &Seal, text: &str) -> Result<Ticket, Unusable> {
        let content = seal.open(&self.purpose(), text);
        let content = content.map_err(|broken| match broken {
            Broken::Expired => Unusable::Expired,
            Broken::Foreign => Unusable::Foreign,
        })?;
        let (phase, nonce) = content.split_first().ok_or(Unusable::Foreign)?;
        let phase = match phase {
            1 => Phase::Asked,
            2 => Phase::Given,
            _ => return Err(Unusable::Foreign),
        };
        let nonce = nonce.try_into().map_err(|_| Unusable::Foreign)?;
        Ok(Ticket {
            phase,
            nonce: u128::from_be_bytes(nonce),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Clock;

    fn caller(tenant: &str, subject: &str) -> Principal {
        Principal::configured(tenant, subject, [""; 0]).expect("a good name")
    }

    fn arguments(amount: u32) -> Arguments {
        Arguments::from_iter([("amount".to_owned(), json!(amount))])
    }

    #[test]
    fn a_ticket_is_of_its_caller_tool_and_arguments_alone_and_ends() {
        let clock = Clock::turned();
        let seal = Seal::new(&[7; 32], clock.clone());
        let ada = caller("acme", "ada");
        let about = About::new(&ada, "refund", &arguments(5));
        let text = about.seal(&seal, Phase::Asked).expect("random");
        let other = about.seal(&seal, Phase::Asked).expect("random");
        let opened = about.open(&seal, &text).expect("ours");
        assert_eq!(opened.phase, Phase::Asked);
        assert_ne!(about.open(&seal, &other).expect("ours").nonce, opened.nonce);
        let (bob, stranger) = (caller("acme", "bob"), caller("globex", "ada"));
        for other in [
            About::new(&bob, "refund", &arguments(5)),
            About::new(&stranger, "refund", &arguments(5)),
            About::new(&ada, "refund2", &arguments(5)),
            About::new(&ada, "refund", &arguments(6)),
        ] {
            assert_eq!(other.open(&seal, &text), Err(Unusable::Foreign));
        }
        clock.advance(VALID);
        assert_eq!(about.open(&seal, &text), Err(Unusable::Expired));
    }
}
