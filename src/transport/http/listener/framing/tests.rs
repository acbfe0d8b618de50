//! What is refused, that splits do not matter, and that what passes means the same to hyper's parser.

use proptest::prelude::*;

use super::*;

/// How many bytes passed, and whether there was a violation in a head (`true`) or a body.
fn verdict(bytes: &[u8], pieces: &[usize]) -> Option<bool> {
    let mut framing = Framing::new();
    let mut rest = bytes;
    for size in pieces.iter().copied().cycle() {
        if rest.is_empty() {
            return None;
        }
        let (piece, later) = rest.split_at(size.clamp(1, rest.len()));
        rest = later;
        if let Err(violation) = framing.scan(piece) {
            assert!(violation.keep <= piece.len());
            return Some(violation.in_head);
        }
    }
    None
}

fn whole(text: &str) -> Option<bool> {
    verdict(text.as_bytes(), &[usize::MAX])
}

const GOOD: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "\r\nGET /a?b=c HTTP/1.1\r\nhost:a\r\nx:\r\ny: \t z \t\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\na\nb\0c",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\n\r\n\0\r\n0A\r\n0123456789\r\n0\r\nx: y\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: \u{e9}\r\n\r\n",
];

#[test]
fn good_requests_pass_one_after_the_other() {
    for text in GOOD {
        assert_eq!(whole(text), None, "{text:?}");
    }
    assert_eq!(whole(&GOOD.concat()), None);
}

#[test]
fn ambiguous_heads_are_refused() {
    let with = |headers: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{headers}\r\n\r\n");
    for text in [
        "GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\n\n".to_owned(),
        "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /\tHTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n".to_owned(),
        "GET /\u{1}a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(),
        "GET / http/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\n".to_owned(),
        with("Host: a"),
        with("x : y"),
        with("x\ty: z"),
        with(" x: y"),
        with("x: y\r\n folded"),
        with(": y"),
        with("x"),
        with("x: a\rb"),
        with("x: a\0b"),
        with("x: a\u{7f}b"),
        with("x: a\u{1b}b"),
        with("x\u{e9}: a"),
        with("Content-Length: 1\r\nContent-Length: 1"),
        with("Content-Length: 1, 1"),
        with("Content-Length: +1"),
        with("Content-Length: -1"),
        with("Content-Length: 0x1"),
        with("Content-Length: 1 1"),
        with("Content-Length:"),
        with("Content-Length: 18446744073709551616"),
        with("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        with("Transfer-Encoding: chunked\r\nContent-Length: 1"),
        with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        with("Transfer-Encoding: chunked, chunked"),
        with("Transfer-Encoding: gzip, chunked"),
        with("Transfer-Encoding: xchunked"),
        with("Transfer-Encoding: identity"),
        with("Transfer-Encoding: \"chunked\""),
        with("Transfer-Encoding:"),
        with("Transfer-Encoding: chunked").replace("1.1", "1.0"),
    ] {
        assert_eq!(whole(&text), Some(true), "{text:?}");
        let later = format!("{}{text}", GOOD[3]);
        assert_eq!(whole(&later), Some(true), "after another: {text:?}");
    }
}

#[test]
fn ambiguous_chunks_are_refused() {
    for chunks in [
        "\r\n",
        "3\nabc\r\n",
        "3 \r\nabc\r\n",
        " 3\r\nabc\r\n",
        "0x3\r\nabc\r\n",
        "+3\r\nabc\r\n",
        "-1\r\n",
        "g\r\n",
        "fffffffffffffffff\r\n",
        "00000000000000003\r\nabc\r\n",
        "3;a\rb\r\nabc\r\n",
        "3;a\nabc\r\n",
        "3;\0\r\nabc\r\n",
        "3\r\nabcd\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "0\r\nx : y\r\n\r\n",
        "0\r\nx: y\n\r\n",
        "0\r\n\n",
        "0\r\n x\r\n\r\n",
    ] {
        let text =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert_eq!(whole(&text), Some(false), "{chunks:?}");
    }
    let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;";
    let long = format!("{head}{}", "x".repeat(10_000));
    assert_eq!(whole(&long), Some(false), "an extension without an end");
}

/// Requests and pieces of them, put together at random.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let parts: Vec<&'static str> = vec![
        "GET ",
        "POST ",
        "/",
        " HTTP/1.1",
        " HTTP/1.0",
        "\r\n",
        "\r\n",
        "\r\n",
        "\n",
        "\r",
        "\0",
        "Host: a\r\n",
        "host:b\r\n",
        "Content-Length: ",
        "Content-Length: 3\r\n",
        "3",
        "0",
        "1, 1",
        "Transfer-Encoding: chunked\r\n",
        "transfer-encoding: ",
        "chunked",
        "abc",
        " ",
        "\t",
        ":",
        "x: y\r\n",
        ";e=f",
        "\r\n\r\n",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\n",
    ];
    prop::collection::vec(prop::sample::select(parts), 0..24)
        .prop_map(|parts| parts.concat().into_bytes())
}

proptest! {
    #[test]
    fn any_split_gives_the_same_verdict(
        bytes in messages(),
        pieces in prop::collection::vec(1_usize..40, 1..12),
    ) {
        prop_assert_eq!(verdict(&bytes, &pieces), verdict(&bytes, &[usize::MAX]));
    }

    #[test]
    fn any_split_of_any_bytes_gives_the_same_verdict(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        pieces in prop::collection::vec(1_usize..40, 1..12),
    ) {
        prop_assert_eq!(verdict(&bytes, &pieces), verdict(&bytes, &[usize::MAX]));
    }

    /// The oracle is the parser inside hyper.
    #[test]
    fn a_head_that_passes_means_the_same_to_the_parser(bytes in messages()) {
        let mut framing = Framing::new();
        let end = (1..=bytes.len()).find(|end| {
            let scanned = framing.scan(&bytes[end - 1..*end]);
            let in_first = matches!(&framing.next, Next::Head(head) if head.version.is_some());
            scanned.is_err() || (bytes[..*end].ends_with(b"\r\n\r\n") && !in_first)
        });
        let Some(end) = end.filter(|_| verdict(&bytes, &[1]).is_none()) else {
            return Ok(());
        };
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        let Ok(parsed) = request.parse(&bytes[..end]) else {
            // Refused all the same.
            return Ok(());
        };
        prop_assert_eq!(parsed, httparse::Status::Complete(end));
        let named = |name: &str| {
            let found = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| header.value.to_vec()).collect::<Vec<_>>()
        };
        let (lengths, codings) = (named("content-length"), named("transfer-encoding"));
        prop_assert!(lengths.len() + codings.len() <= 1);
        prop_assert!(named("host").len() == 1 || request.version == Some(0));
        match framing.next {
            Next::ChunkSize => prop_assert!(codings[0].eq_ignore_ascii_case(b"chunked")),
            Next::Body(length) => prop_assert_eq!(&lengths[0], &length.to_string().into_bytes()),
            _ => prop_assert!(codings.is_empty() && (lengths.is_empty() || lengths[0] == b"0")),
        }
    }
}

proptest! {
    #[test]
    fn the_first_control_character_is_found_wherever_it_stands(
        bytes in proptest::collection::vec(
            prop_oneof![4 => any::<u8>(), 4 => b' '..=b'~', 1 => Just(b'\t'), 1 => Just(0x7f)],
            0..40,
        ),
    ) {
        let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        prop_assert_eq!(first_control(&bytes), bytes.iter().position(is_control));
    }
}
