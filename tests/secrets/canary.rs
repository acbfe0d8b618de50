//! Texts that must not come out, and the search for any part of them.
//!
//! A reader would ask why parts: a message cut short, or with escapes in it, is a leak as well.

use std::collections::HashSet;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// So many bytes in a row of a secret, or of a form of it, are a leak.
const PART: usize = 12;
/// Likewise of the form that `Debug` gives bytes, which has four characters for each.
const LISTED_PART: usize = 40;

/// A secret, and the place where it was put.
#[derive(Clone)]
pub(crate) struct Canary {
    pub(crate) slot: &'static str,
    secret: Vec<u8>,
}

impl Canary {
    /// A text of 36 letters and digits that stands for this place and no other.
    pub(crate) fn new(slot: &'static str) -> Self {
        let text = STANDARD.encode(digest(&SHA256, slot.as_bytes()));
        let text: String = text.chars().filter(char::is_ascii_alphanumeric).collect();
        Self::of(slot, &text[..36])
    }

    /// A secret that somebody else made.
    pub(crate) fn of(slot: &'static str, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref().to_vec();
        assert!(secret.len() >= PART, "{slot}");
        Self { slot, secret }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.secret).expect("a text")
    }

    /// The secret as it is and in the forms that a program gives bytes.
    fn forms(&self) -> Vec<Vec<u8>> {
        let hex: String = self.secret.iter().map(|b| format!("{b:02x}")).collect();
        let mut forms = vec![self.secret.clone(), hex.to_uppercase().into(), hex.into()];
        // Base64 looks another way at each of three places; the ends depend on the neighbours.
        for skipped in 0..3 {
            let whole = &self.secret[skipped..];
            let whole = &whole[..whole.len() / 3 * 3];
            forms.push(STANDARD_NO_PAD.encode(whole).into());
            forms.push(URL_SAFE_NO_PAD.encode(whole).into());
        }
        forms
    }

    fn listed(&self) -> Vec<u8> {
        let list = format!("{:?}", self.secret);
        list.trim_matches(['[', ']']).into()
    }
}

/// The places whose secret shows in `output`.
pub(crate) fn leaks(canaries: &[Canary], output: &[u8]) -> Vec<&'static str> {
    let parts: HashSet<&[u8]> = output.windows(PART).collect();
    let listed: HashSet<&[u8]> = output.windows(LISTED_PART).collect();
    let shows = |canary: &&Canary| {
        let any = |form: &Vec<u8>| form.windows(PART).any(|part| parts.contains(part));
        let list = canary.listed();
        canary.forms().iter().any(any)
            || list.windows(LISTED_PART).any(|part| listed.contains(part))
    };
    let found = canaries.iter().filter(shows);
    found.map(|canary| canary.slot).collect()
}

/// What came out, with the name of where.
#[derive(Default)]
pub(crate) struct Outputs(Vec<(String, Vec<u8>)>);

impl Outputs {
    pub(crate) fn add(&mut self, from: impl Into<String>, output: impl Into<Vec<u8>>) {
        self.0.push((from.into(), output.into()));
    }

    /// None of the secrets shows anywhere; and there is something to look at.
    #[track_caller]
    pub(crate) fn hold_none_of(&self, canaries: &[Canary]) {
        assert!(!self.0.is_empty() && !canaries.is_empty());
        let mut found = Vec::new();
        for (from, output) in &self.0 {
            let leaks = leaks(canaries, output);
            if !leaks.is_empty() {
                let text = String::from_utf8_lossy(output);
                let line = text.lines().find(|line| {
                    let slots = self::leaks(canaries, line.as_bytes());
                    !slots.is_empty()
                });
                found.push(format!("{from} shows {leaks:?}: {line:?}"));
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }

    /// `text` is among what came out: the search looks at the right thing.
    #[track_caller]
    pub(crate) fn mention(&self, from: &str, text: &str) {
        let here = self.0.iter().filter(|(name, _)| name.starts_with(from));
        let mut texts = here.map(|(_, output)| String::from_utf8_lossy(output));
        assert!(texts.any(|output| output.contains(text)), "{from}: {text}");
    }
}

#[test]
fn a_secret_is_found_whole_in_part_and_in_every_form() {
    let canary = Canary::new("found");
    let (text, all) = (canary.text(), [canary.clone()]);
    let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
    for output in [
        text.to_owned(),
        format!("the value {:?}… is wrong", &text[..14]),
        format!("tail={}", &text[20..]),
        hex.to_uppercase(),
        format!("Basic {}", STANDARD.encode(format!("me:{text}"))),
        format!("Basic {}", STANDARD.encode(format!("you:{text}"))),
        URL_SAFE_NO_PAD.encode(format!("tollgate:{text}:")),
        format!("Vec({:?})", text.as_bytes()),
        format!("b{:?}", text),
    ] {
        assert_eq!(leaks(&all, output.as_bytes()), ["found"], "{output}");
    }
    let other = Canary::new("other");
    assert!(leaks(&all, other.text().as_bytes()).is_empty());
    assert!(leaks(&all, &text.as_bytes()[..11]).is_empty());
}
