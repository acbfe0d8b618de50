//! Why the shared store did not count a call: for the operator, without a library's words.

use redis::{ErrorKind, RedisError};

/// What kept the store from answering.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StoreFault {
    #[error("no answer in time")]
    TimedOut,
    #[error("no connection, or it broke")]
    Unreachable,
    #[error("it refuses the user name or the password of quotas.store")]
    Credentials,
    #[error("it answered {0}: {advice}", advice = advice(.0))]
    Refused(String),
    #[error("it answered something else than was asked")]
    Nonsense,
}

impl StoreFault {
    /// In a word, for spans.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::TimedOut => "timeout",
            Self::Unreachable => "unreachable",
            Self::Credentials => "credentials",
            Self::Refused(_) => "refused",
            Self::Nonsense => "nonsense",
        }
    }
}

/// Longest error code that is repeated; those of Redis have up to 11 letters.
const MAX_CODE_BYTES: usize = 24;

impl From<RedisError> for StoreFault {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => return Self::Credentials,
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => return Self::Nonsense,
            _ if error.is_timeout() => return Self::TimedOut,
            _ => {}
        }
        match error.code() {
            Some("NOAUTH" | "WRONGPASS") => Self::Credentials,
            Some(code) if is_code(code) => Self::Refused(code.to_owned()),
            Some(_) => Self::Nonsense,
            None => Self::Unreachable,
        }
    }
}

/// Whether it can stand in a line of the log: the other side is not trusted.
fn is_code(code: &str) -> bool {
    let letters = code.bytes().all(|b| b.is_ascii_uppercase());
    letters && (1..=MAX_CODE_BYTES).contains(&code.len())
}

fn advice(code: &str) -> &'static str {
    match code {
        "READONLY" => "it is a replica; quotas.store must lead to the primary",
        "OOM" => "it is out of memory; give it more, or evict with volatile-ttl",
        "NOPERM" => "its user may not run what docs/quotas.md lists",
        "LOADING" => "it is still reading its data",
        "CROSSSLOT" => "it is a cluster; write redis+cluster:// in quotas.store",
        "MOVED" | "ASK" => "it is a cluster; write redis+cluster:// in quotas.store",
        "MISCONF" => "it cannot save to its disk",
        _ => "see its log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str) -> StoreFault {
        redis::make_extension_error(code.to_owned(), Some("a secret".to_owned())).into()
    }

    #[test]
    fn what_the_other_side_says_is_repeated_only_where_it_is_a_code() {
        assert_eq!(of("OOM"), StoreFault::Refused("OOM".to_owned()));
        assert_eq!(of("WRONGPASS"), StoreFault::Credentials);
        for bad in ["a b", "\u{1b}[31m", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ""] {
            assert_eq!(of(bad), StoreFault::Nonsense);
        }
        assert!(!of("OOM").to_string().contains("a secret"));
    }
}
