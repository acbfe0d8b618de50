//! The keyed hash chain that lines are sealed into, and the head that tells where it ends.
//!
//! A line is a JSON object whose first member is its sequence number and whose last one is its MAC:
//! `{"seq":7,…,"mac":"…"}`. The MAC is HMAC-SHA-256 (RFC 2104) over the MAC of the line before, as 32
//! bytes, and the line up to its own `,"mac"`. An edit, a swap, a deletion or a line made with another
//! key breaks the chain there. What was cut off the end is found by the head: a small file beside the
//! log, sealed with a key of its own, that names the last line. A reader would ask why the text is
//! authenticated and not its meaning: then nothing has to be parsed or put in order to check it.

use std::fmt;
use std::io::Write as _;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a line ends with, around its MAC.
const MAC_OPENS: &[u8] = b",\"mac\":\"";
const MAC_CLOSES: &[u8] = b"\"}";
/// 32 bytes in base64url without padding.
const MAC_CHARS: usize = 43;
const TAIL_BYTES: usize = MAC_OPENS.len() + MAC_CHARS + MAC_CLOSES.len();

/// What a line is authenticated by, and the next one continues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mac([u8; 32]);

impl Mac {
    /// Reads one as it stands in a line; `None` if it is none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut mac = [0; 32];
        let read = URL_SAFE_NO_PAD.decode_slice(text, &mut mac);
        (read == Ok(32)).then_some(Self(mac))
    }
}

/// As it stands in a line: base64url without padding, 43 characters.
impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// The keys that one secret gives: one for each use, so that nothing made for one passes for another.
pub struct ChainKey {
    chain: hmac::Key,
    head: hmac::Key,
    digest: hmac::Key,
    id: String,
}

/// A line that is what its MAC says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its sequence number.
    pub seq: u64,
    /// What the next line continues.
    pub mac: Mac,
}

/// Why a line is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// No sequence number in front or no MAC at the end.
    #[error("it is no line of an audit log")]
    Shape,
    /// The MAC is not the one that this key gives after the line before.
    #[error("its seal does not fit")]
    Seal,
}

/// Where a chain ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the last line.
    pub seq: u64,
    /// Its MAC.
    pub mac: Mac,
}

impl ChainKey {
    /// The keys that come from `secret`.
    pub fn new(secret: &[u8]) -> Self {
        let root = hmac::Key::new(HMAC_SHA256, secret);
        let derived = |label: &[u8]| {
            let key = hmac::sign(&root, label);
            hmac::Key::new(HMAC_SHA256, key.as_ref())
        };
        let id = hmac::sign(&root, b"tollgate audit 1 id");
        Self {
            chain: derived(b"tollgate audit 1 chain"),
            head: derived(b"tollgate audit 1 head"),
            digest: derived(b"tollgate audit 1 digest"),
            id: URL_SAFE_NO_PAD.encode(&id.as_ref()[..9]),
        }
    }

    /// What tells keys apart, and gives nothing of the secret away: 12 characters.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A digest that nobody without the key can compute for a guess.
    pub fn digest(&self, text: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.digest, text))
    }

    /// Appends the line with number `seq` that continues `before`, with its newline. `body` is a JSON
    /// object with at least one member and without newlines.
    pub fn seal(&self, before: &Mac, seq: u64, body: &[u8], out: &mut Vec<u8>) -> Mac {
        let start = out.len();
        // Into memory: this does not fail.
        let _ = write!(out, "{{\"seq\":{seq},");
        let members = body.strip_prefix(b"{").unwrap_or(body);
        out.extend_from_slice(members.strip_suffix(b"}").unwrap_or(members));
        let mac = self.mac_of(before, &out[start..]);
        out.extend_from_slice(MAC_OPENS);
        let mut chars = [0; MAC_CHARS];
        let _ = URL_SAFE_NO_PAD.encode_slice(mac.0, &mut chars);
        out.extend_from_slice(&chars);
        out.extend_from_slice(MAC_CLOSES);
        out.push(b'\n');
        mac
    }

    /// Checks a line, without its newline, against the MAC of the line before.
    ///
    /// # Errors
    /// [`LineFault`].
    pub fn check(&self, before: &Mac, line: &[u8]) -> Result<Sealed, LineFault> {
        let (seq, text, mac) = parts(line).ok_or(LineFault::Shape)?;
        let mut context = hmac::Context::with_key(&self.chain);
        context.update(&before.0);
        context.update(text);
        // Whoever can time this can read the file.
        if context.sign().as_ref() == mac.0 {
            Ok(Sealed { seq, mac })
        } else {
            Err(LineFault::Seal)
        }
    }

    /// The head's file: two lines, what it says and its seal. Always of one length, so that it can be
    /// written in place.
    pub fn seal_head(&self, head: &Head) -> String {
        let said = format!("{:020} {}", head.seq, head.mac);
        let seal = hmac::sign(&self.head, said.as_bytes());
        format!("{said}\n{}\n", URL_SAFE_NO_PAD.encode(seal))
    }

    /// Reads what [`seal_head`](Self::seal_head) wrote; `None` if it was not written with this key.
    pub fn open_head(&self, text: &str) -> Option<Head> {
        let (said, seal) = text.trim_end_matches('\n').split_once('\n')?;
        let seal = URL_SAFE_NO_PAD.decode(seal).ok()?;
        hmac::verify(&self.head, said.as_bytes(), &seal).ok()?;
        let (seq, mac) = said.split_once(' ')?;
        Some(Head {
            seq: seq.parse().ok()?,
            mac: Mac::parse(mac.as_bytes())?,
        })
    }

    fn mac_of(&self, before: &Mac, text: &[u8]) -> Mac {
        let mut context = hmac::Context::with_key(&self.chain);
        context.update(&before.0);
        context.update(text);
        let mut mac = Mac::default();
        mac.0.copy_from_slice(context.sign().as_ref());
        mac
    }
}

impl From<Sealed> for Head {
    fn from(Sealed { seq, mac }: Sealed) -> Self {
        Self { seq, mac }
    }
}

impl Sealed {
    /// What a line says of itself, unchecked: for finding where a chain goes on.
    pub fn claimed(line: &[u8]) -> Option<Self> {
        let (seq, _, mac) = parts(line)?;
        Some(Self { seq, mac })
    }
}

/// Sequence number, authenticated text and MAC of a line.
fn parts(line: &[u8]) -> Option<(u64, &[u8], Mac)> {
    let digits = line.strip_prefix(b"{\"seq\":")?;
    let digits = &digits[..digits.iter().position(|byte| *byte == b',')?];
    let seq = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (text, tail) = line.split_at(line.len().checked_sub(TAIL_BYTES)?);
    let mac = tail.strip_prefix(MAC_OPENS)?.strip_suffix(MAC_CLOSES)?;
    Some((seq, text, Mac::parse(mac)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain_of(key: &ChainKey, bodies: &[&str]) -> Vec<Vec<u8>> {
        let (mut before, mut lines) = (Mac::default(), Vec::new());
        for (seq, body) in (1..).zip(bodies) {
            let mut line = Vec::new();
            before = key.seal(&before, seq, body.as_bytes(), &mut line);
            assert_eq!(line.pop(), Some(b'\n'));
            lines.push(line);
        }
        lines
    }

    fn holds(key: &ChainKey, lines: &[Vec<u8>]) -> bool {
        let mut before = Mac::default();
        lines.iter().all(|line| match key.check(&before, line) {
            Ok(sealed) => {
                before = sealed.mac;
                true
            }
            Err(_) => false,
        })
    }

    #[test]
    fn a_chain_holds_until_a_line_is_changed_moved_or_taken_out() {
        let key = ChainKey::new(b"0123456789abcdef0123456789abcdef");
        let lines = chain_of(&key, &[r#"{"a":1}"#, r#"{"a":2}"#, r#"{"a":3}"#]);
        assert!(holds(&key, &lines));
        assert!(lines[1].starts_with(br#"{"seq":2,"a":2,"mac":""#));

        let mut edited = lines.clone();
        edited[1][12] ^= 1;
        let mut swapped = lines.clone();
        swapped.swap(1, 2);
        let without = [lines[0].clone(), lines[2].clone()];
        for tampered in [&edited[..], &swapped, &without, &lines[1..]] {
            assert!(!holds(&key, tampered));
        }
        assert!(!holds(
            &ChainKey::new(b"another secret of thirty-two byte"),
            &lines
        ));
    }

    #[test]
    fn a_head_opens_with_its_own_key_and_as_it_was_written() {
        let key = ChainKey::new(b"0123456789abcdef0123456789abcdef");
        let head = Head {
            seq: 7,
            mac: Mac([3; 32]),
        };
        let text = key.seal_head(&head);
        assert_eq!(key.open_head(&text), Some(head));
        assert_eq!(key.open_head(&text.replacen('7', "6", 1)), None);
        assert_eq!(ChainKey::new(b"other").open_head(&text), None);
    }
}
