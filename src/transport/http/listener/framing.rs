//! Where one HTTP/1 request ends and the next begins, by the letter of RFC 9112.
//!
//! A proxy in front and this server must never disagree about that, or one request hides in
//! another's body. hyper is lenient where the RFC lets it be (a bare LF ends a line, equal lengths
//! are folded, a length beside chunks is dropped), so heads and the framing of bodies pass here
//! first, and what could be read in two ways is refused. A reader would ask why this is no second
//! parser: it looks at lines, keeps four facts of a head, and skips bodies; all else is hyper's.

use memchr::memchr;

/// Longest line within a chunked body: a size with its extensions, a trailer.
const MAX_BODY_LINE: usize = 4_096;

/// Follows one connection's bytes, however they are split.
pub(super) struct Framing {
    next: Next,
    /// The start of a line whose end has not come.
    carry: Vec<u8>,
}

/// Where the bytes stop making sense: only the first `keep` of those just scanned are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) keep: usize,
    /// Whether it is in a head rather than in a body.
    pub(super) in_head: bool,
}

/// What the connection's next bytes are.
enum Next {
    /// A line of a head.
    Head(Head),
    /// So much of a body with a length.
    Body(u64),
    ChunkSize,
    /// So much of a chunk.
    ChunkData(u64),
    /// The line break after a chunk.
    ChunkEnd,
    Trailers,
}

/// What of a head decides about framing.
#[derive(Default)]
struct Head {
    /// Before the request line: whether an empty line came (RFC 9112 §2.2 lets one pass).
    blank: bool,
    version: Option<Version>,
    host: bool,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

/// It could be read in two ways, or in none.
struct Ambiguous;

impl Framing {
    pub(super) fn new() -> Self {
        Self {
            next: Next::Head(Head::default()),
            carry: Vec::new(),
        }
    }

    /// Takes the connection's next bytes. After a violation there is nothing more to ask.
    pub(super) fn scan(&mut self, bytes: &[u8]) -> Result<(), Violation> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            if let Next::Body(left) | Next::ChunkData(left) = &mut self.next {
                let here = usize::try_from(*left).map_or(rest.len(), |left| left.min(rest.len()));
                *left -= here as u64;
                at += here;
                self.next.skip_finished();
                continue;
            }
            let in_head = matches!(self.next, Next::Head(_));
            let violation = |_| Violation { keep: at, in_head };
            // Nearly all lines come whole, and one look finds their end and all that they may not hold.
            if self.carry.is_empty()
                && let Some(end) = first_control(rest)
                && let [b'\r', b'\n', ..] = &rest[end..]
            {
                self.next.take_line(&rest[..end]).map_err(violation)?;
                at += end + 2;
                continue;
            }
            let Some(end) = memchr(b'\n', rest) else {
                self.carry.extend_from_slice(rest);
                // Within a head, hyper's cap is the bound.
                let fits = in_head || self.carry.len() <= MAX_BODY_LINE;
                return fits.then_some(()).ok_or(Ambiguous).map_err(violation);
            };
            let line = if self.carry.is_empty() {
                &rest[..end]
            } else {
                self.carry.extend_from_slice(&rest[..end]);
                &self.carry
            };
            let line = ended(line).map_err(violation)?;
            self.next.take_line(line).map_err(violation)?;
            self.carry.clear();
            at += end + 1;
        }
        Ok(())
    }
}

impl Next {
    fn skip_finished(&mut self) {
        match self {
            Self::Body(0) => *self = Self::Head(Head::default()),
            Self::ChunkData(0) => *self = Self::ChunkEnd,
            _ => {}
        }
    }

    /// A line without its line break, and without control characters other than tabs.
    fn take_line(&mut self, line: &[u8]) -> Result<(), Ambiguous> {
        if let Self::Head(head) = self {
            if let Some(body) = head.take_line(line)? {
                *self = body;
            }
            return Ok(());
        }
        if line.len() >= MAX_BODY_LINE {
            return Err(Ambiguous);
        }
        *self = match self {
            Self::ChunkSize => match chunk_size(line)? {
                0 => Self::Trailers,
                size => Self::ChunkData(size),
            },
            Self::ChunkEnd if line.is_empty() => Self::ChunkSize,
            Self::Trailers if line.is_empty() => Self::Head(Head::default()),
            Self::Trailers => {
                field(line)?;
                Self::Trailers
            }
            _ => return Err(Ambiguous),
        };
        Ok(())
    }
}

impl Head {
    /// A line; after the last one, what the body looks like.
    fn take_line(&mut self, line: &[u8]) -> Result<Option<Next>, Ambiguous> {
        match (self.version, line.is_empty()) {
            (None, true) if !self.blank => self.blank = true,
            (None, _) => self.version = Some(request_line(line)?),
            (Some(version), true) => return self.body(version).map(Some),
            (Some(version), false) => self.take_field(version, line)?,
        }
        Ok(None)
    }

    fn take_field(&mut self, version: Version, line: &[u8]) -> Result<(), Ambiguous> {
        let (name, value) = field(line)?;
        // Most names are told apart by their length.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => once(&mut self.host),
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                let length = digits(value.trim_ascii()).ok_or(Ambiguous)?;
                let first = self.length.replace(length).is_none();
                (first && !self.chunked).then_some(()).ok_or(Ambiguous)
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                let plain = value.trim_ascii().eq_ignore_ascii_case(b"chunked");
                let alone = self.length.is_none() && version == Version::Http11;
                if !(plain && alone) {
                    return Err(Ambiguous);
                }
                once(&mut self.chunked)
            }
            _ => Ok(()),
        }
    }

    fn body(&self, version: Version) -> Result<Next, Ambiguous> {
        // RFC 9112 §3.2.
        if version == Version::Http11 && !self.host {
            return Err(Ambiguous);
        }
        Ok(match self.length {
            _ if self.chunked => Next::ChunkSize,
            None | Some(0) => Next::Head(Self::default()),
            Some(length) => Next::Body(length),
        })
    }
}

/// A line that ends as it should, without its CR: it comes without its LF.
fn ended(line: &[u8]) -> Result<&[u8], Ambiguous> {
    match line.split_last() {
        Some((b'\r', line)) if first_control(line).is_none() => Ok(line),
        _ => Err(Ambiguous),
    }
}

/// Notes what may be there once.
fn once(seen: &mut bool) -> Result<(), Ambiguous> {
    if std::mem::replace(seen, true) {
        return Err(Ambiguous);
    }
    Ok(())
}

/// `method SP request-target SP HTTP-version` (RFC 9112 §3).
fn request_line(line: &[u8]) -> Result<Version, Ambiguous> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, target, version) = (parts.next(), parts.next(), parts.next());
    let (Some(method), Some(target), None) = (method, target, parts.next()) else {
        return Err(Ambiguous);
    };
    let named = !method.is_empty() && token_length(method) == method.len();
    // A fragment is no part of a request-target, and some would cut it off and route the rest.
    let plain = !target.is_empty() && !target.iter().any(|byte| b"\t#".contains(byte));
    if !named || !plain {
        return Err(Ambiguous);
    }
    match version {
        Some(b"HTTP/1.1") => Ok(Version::Http11),
        Some(b"HTTP/1.0") => Ok(Version::Http10),
        _ => Err(Ambiguous),
    }
}

/// `field-name ":" field-value` (RFC 9112 §5): no space around the name, so no folded line either.
fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Ambiguous> {
    let (name, rest) = line.split_at(token_length(line));
    match rest.split_first() {
        Some((b':', value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Ambiguous),
    }
}

/// How much of the start could be a token (RFC 9110 §5.6.2).
fn token_length(bytes: &[u8]) -> usize {
    for (at, byte) in bytes.iter().enumerate() {
        if !TCHAR[usize::from(*byte)] {
            return at;
        }
    }
    bytes.len()
}

/// `1*HEXDIG [ ";" … ]` (RFC 9112 §7.1).
fn chunk_size(line: &[u8]) -> Result<u64, Ambiguous> {
    let end = line.iter().position(|byte| *byte == b';');
    let size = &line[..end.unwrap_or(line.len())];
    let plain = !size.is_empty() && size.len() <= 16 && size.iter().all(u8::is_ascii_hexdigit);
    if !plain {
        return Err(Ambiguous);
    }
    let size = std::str::from_utf8(size).map_err(|_| Ambiguous)?;
    u64::from_str_radix(size, 16).map_err(|_| Ambiguous)
}

/// `1*DIGIT` that fits.
fn digits(value: &[u8]) -> Option<u64> {
    let plain = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| plain)?;
    text.parse().ok()
}

/// Where the first control character other than a tab stands.
fn first_control(bytes: &[u8]) -> Option<usize> {
    let is_control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, bytes) in words.iter().enumerate() {
        let marks = marks(u64::from_le_bytes(*bytes));
        if marks == 0 {
            continue;
        }
        let first = marks.trailing_zeros() as usize / 8;
        let found = match bytes[first] {
            b'\t' => bytes.iter().position(is_control),
            _ => Some(first),
        };
        if let Some(found) = found {
            return Some(at * 8 + found);
        }
    }
    let found = rest.iter().position(is_control);
    found.map(|found| words.len() * 8 + found)
}

/// Marks, by its top bit, the first of eight bytes that is a control character or a tab. All eight in one
/// step: subtracting from each byte sets the top bit of those that are smaller and, by the borrow, perhaps
/// of some after them.
fn marks(word: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    let below_space = word.wrapping_sub(EACH * 0x20) & !word;
    let delete = word ^ (EACH * 0x7f);
    let is_delete = delete.wrapping_sub(EACH) & !delete;
    (below_space | is_delete) & (EACH * 0x80)
}

/// `tchar` (RFC 9110 §5.6.2).
static TCHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(
                b,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    table
};

#[cfg(test)]
#[path = "framing/tests.rs"]
mod tests;
