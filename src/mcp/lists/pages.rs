//! A list cut into pages, and the cursors that lead from one to the next.
//!
//! A cursor is a digest of the whole list, as this caller sees it, and of where the page begins: so
//! any replica that serves the same list knows it, nobody gets anything with it but a page of its own
//! list, and it ends with the list: pages of two states are never put together. It is compared with
//! those that we hand out and never read, so there is none that could confuse us. A reader would ask
//! why it is not signed: whoever computes one has read the list that it is of.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;

/// So much of the digest makes a cursor, 22 characters.
const CURSOR_BYTES: usize = 16;

/// A list as it is answered.
pub(super) struct Pages {
    /// Never empty.
    pages: Vec<Page>,
    bytes: u64,
    /// Equal for equal lists in equal pages, also those of another configuration.
    pub(super) mark: u64,
}

struct Page {
    /// `None`: the first one.
    cursor: Option<String>,
    result: Bytes,
}

/// What a result holds around its entries.
pub(super) struct Frame<'a> {
    /// From its brace to the bracket that opens the list.
    pub(super) head: &'a str,
    /// What follows the list and the cursor, to the closing brace.
    pub(super) end: &'a str,
}

impl Pages {
    /// Cuts `entries`, each written as JSON, into pages of `size`.
    pub(super) fn of(entries: &[&str], size: usize, frame: &Frame<'_>) -> Self {
        let size = size.max(1);
        let mut digest = Context::new(&SHA256);
        digest.update(&(size as u64).to_be_bytes());
        for part in [frame.head, frame.end].iter().chain(entries) {
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        let list = digest.finish();
        let list = list.as_ref();
        let count = entries.len().div_ceil(size).max(1);
        let cursor = |page: usize| {
            (1..count)
                .contains(&page)
                .then(|| cursor(list, page * size))
        };
        let page = |page: usize| {
            let first = (page * size).min(entries.len());
            let entries = &entries[first..entries.len().min(first + size)];
            Page {
                cursor: cursor(page),
                result: write(entries, cursor(page + 1).as_deref(), frame),
            }
        };
        let pages: Vec<Page> = (0..count).map(page).collect();
        Self {
            bytes: pages.iter().map(|page| page.result.len() as u64).sum(),
            pages,
            mark: list
                .iter()
                .take(8)
                .fold(0, |mark, byte| mark << 8 | u64::from(*byte)),
        }
    }

    /// The page at a cursor, the first without one; `None` for a cursor that is not of this list.
    pub(super) fn at(&self, cursor: Option<&str>) -> Option<Bytes> {
        let mut pages = self.pages.iter();
        let page = pages.find(|page| page.cursor.as_deref() == cursor)?;
        Some(page.result.clone())
    }

    /// How long all pages are together.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn cursor(list: &[u8], first: usize) -> String {
    let mut digest = Context::new(&SHA256);
    digest.update(list);
    digest.update(&(first as u64).to_be_bytes());
    let digest = digest.finish();
    URL_SAFE_NO_PAD.encode(&digest.as_ref()[..CURSOR_BYTES])
}

fn write(entries: &[&str], next: Option<&str>, frame: &Frame<'_>) -> Bytes {
    let mut result = String::from(frame.head);
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            result.push(',');
        }
        result.push_str(entry);
    }
    result.push(']');
    if let Some(next) = next {
        result.push_str(",\"nextCursor\":\"");
        result.push_str(next);
        result.push('"');
    }
    result.push_str(frame.end);
    Bytes::from(result)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const FRAME: Frame<'_> = Frame {
        head: "{\"tools\":[",
        end: "}",
    };

    fn pages(count: usize, size: usize) -> Pages {
        let entries: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
        Pages::of(&entries, size, &FRAME)
    }

    /// The numbers on a page and the cursor of the next one.
    fn read(page: &[u8]) -> (Vec<u64>, Option<String>) {
        let page: Value = serde_json::from_slice(page).expect("JSON");
        let numbers = page["tools"].as_array().expect("a list").iter();
        let numbers = numbers.filter_map(Value::as_u64).collect();
        (numbers, page["nextCursor"].as_str().map(str::to_owned))
    }

    proptest! {
        #[test]
        fn pages_joined_are_the_whole_list_whatever_their_size(count in 0_usize..60, size in 0_usize..70) {
            let list = pages(count, size);
            let (mut joined, mut cursor, mut seen) = (Vec::new(), None, 0);
            loop {
                let page = list.at(cursor.as_deref()).expect("a cursor of ours");
                let (numbers, next) = read(&page);
                prop_assert!(numbers.len() <= size.max(1));
                prop_assert!(!numbers.is_empty() || count == 0);
                joined.extend(numbers);
                seen += 1;
                prop_assert!(seen <= count.max(1));
                match next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
            prop_assert_eq!(joined, (0..count as u64).collect::<Vec<_>>());
        }

        #[test]
        fn a_cursor_is_of_one_list_and_one_size_of_pages(
            one in (0_usize..30, 1_usize..8),
            other in (0_usize..30, 1_usize..8),
        ) {
            let (list, others) = (pages(one.0, one.1), pages(other.0, other.1));
            prop_assert_eq!(list.mark == others.mark, one == other);
            let mut cursor = None;
            while let (_, Some(next)) = read(&list.at(cursor.as_deref()).expect("ours")) {
                prop_assert_eq!(others.at(Some(&next)).is_some(), one == other);
                cursor = Some(next);
            }
        }

        #[test]
        fn a_cursor_that_we_did_not_make_is_none(cursor in ".{0,40}", count in 0_usize..30) {
            prop_assert!(pages(count, 2).at(Some(&cursor)).is_none());
        }
    }
}
