//! What came of all cases as JUnit's XML, as CI systems read it: a suite, a test case each, what failed.
//!
//! A reader would ask why no XML library writes it: five elements, and every text escaped in one place.

use std::fmt::Write as _;

use super::play::Played;
use super::report::{failed, place};

pub(super) fn xml(all: &[Played<'_>]) -> String {
    let counts = format!("tests=\"{}\" failures=\"{}\"", all.len(), failed(all));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n  <testsuite name=\"tollgate\" {counts}>\n"
    );
    for played in all {
        let file = played.case.origin.file.display().to_string();
        let (name, file) = (escaped(&played.case.name), escaped(&file));
        // Writing to a `String` cannot fail.
        let _ = write!(xml, "    <testcase classname=\"{file}\" name=\"{name}\"");
        let _ = match &played.difference {
            None => writeln!(xml, "/>"),
            Some(found) => writeln!(
                xml,
                ">\n      <failure message=\"wanted {}, got {}\">{}: call {}: {}</failure>\n    </testcase>",
                escaped(&found.wanted),
                escaped(&found.got),
                escaped(&place(played)),
                found.call,
                escaped(&found.what),
            ),
        };
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// Text for elements and attributes. What XML 1.0 cannot hold at all (§2.2) becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
