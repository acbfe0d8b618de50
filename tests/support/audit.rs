//! An audit log in a folder of its own, and an independent reader that checks its chain.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tollgate::Clock;
use tollgate::audit::{
    AuditSettings, ChainKey, Check, Durability, Head, Log, Mac, Redaction, Rotation, Verdict,
    verify,
};

pub(crate) const KEY: &str = "the-audit-key-of-more-than-32-bytes";
pub(crate) const OTHER_KEY: &str = "another-audit-key-of-over-32-bytes";

/// How long anything that must happen may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn settings(file: &Path, durability: Durability) -> AuditSettings {
    AuditSettings {
        file: Some(file.to_owned()),
        key: KEY.to_owned().into(),
        previous_key: None,
        durability,
        redaction: Redaction::default(),
        rotation: Rotation::default(),
    }
}

pub(crate) fn open(file: &Path) -> Log {
    open_with(settings(file, Durability::Strict))
}

pub(crate) fn open_with(settings: AuditSettings) -> Log {
    Log::open(settings, Clock::turned()).expect("the log opens")
}

/// What the check finds in each lane, with these keys, the one in force first.
pub(crate) fn verdicts(file: &Path, keys: &[&str]) -> Vec<Verdict> {
    let keys: Vec<ChainKey> = keys
        .iter()
        .map(|key| ChainKey::new(key.as_bytes()))
        .collect();
    let check = Check {
        keys: &keys,
        since: 1,
        first_is_in_force: true,
        keeps_few: false,
    };
    verify(file, &check, &mut |_| {}).expect("a log")
}

/// What it finds in the only lane.
pub(crate) fn verdict(file: &Path, keys: &[&str]) -> Verdict {
    let mut verdicts = verdicts(file, keys);
    assert_eq!(verdicts.len(), 1);
    verdicts.pop().expect("a lane")
}

/// Why the log does not open.
pub(crate) fn fault(file: &Path) -> String {
    let opened = Log::open(settings(file, Durability::Strict), Clock::turned());
    opened.err().expect("the log does not open").to_string()
}

/// Appends a line with this number, and waits until it is on disk.
pub(crate) fn append(log: &Log, number: u64) {
    let ticket = log.append(line(number)).expect("there is room");
    wait(log.synced(ticket)).expect("it is written");
}

/// The body of a line with this number.
pub(crate) fn line(number: u64) -> impl FnOnce(&mut Vec<u8>) {
    body(json!({"kind": "call", "number": number}))
}

pub(crate) fn body(members: Value) -> impl FnOnce(&mut Vec<u8>) {
    move |body| body.extend(members.to_string().bytes())
}

pub(crate) fn close(log: &Log) {
    log.close(PATIENCE);
}

pub(crate) fn wait<T>(what: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let waited = tokio::time::timeout(PATIENCE, what).await;
        waited.expect("it happens in time")
    })
}

/// What a lane holds, checked.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) lines: Vec<Value>,
    pub(crate) last: Head,
}

impl Held {
    pub(crate) fn kinds(&self) -> Vec<&str> {
        let kinds = self.lines.iter().map(|line| &line["kind"]);
        kinds.map(|kind| kind.as_str().expect("a kind")).collect()
    }

    /// The numbers of [`line`]s.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        let numbers = self.lines.iter().filter_map(|line| line["number"].as_u64());
        numbers.collect()
    }

    /// The last mark of a kind.
    pub(crate) fn mark(&self, kind: &str) -> &Value {
        let mut lines = self.lines.iter().rev();
        lines
            .find(|line| line["kind"] == kind)
            .expect("such a mark")
    }
}

/// The files of a lane, full ones first.
pub(crate) fn files(file: &Path) -> Vec<PathBuf> {
    let name = file.file_name().and_then(|name| name.to_str());
    let start = format!("{}.", name.expect("a name"));
    let folder = file.parent().expect("a folder");
    let full = fs::read_dir(folder).expect("a folder").filter_map(|entry| {
        let name = entry.expect("an entry").file_name().into_string().ok()?;
        let digits = name.strip_prefix(&start)?.parse::<u64>().ok()?;
        Some((digits, folder.join(name)))
    });
    let full: BTreeMap<u64, PathBuf> = full.collect();
    let mut files: Vec<PathBuf> = full.into_values().collect();
    if file.exists() {
        files.push(file.to_owned());
    }
    files
}

/// Reads a lane, checking every seal, every number and every fragment. Keys: in the order of their use.
pub(crate) fn check(file: &Path, keys: &[&str]) -> Result<Held, String> {
    let keys: Vec<ChainKey> = keys
        .iter()
        .map(|key| ChainKey::new(key.as_bytes()))
        .collect();
    let (mut keys, mut lines) = (keys.iter(), Vec::new());
    let mut key = keys.next().expect("a key");
    let (mut seq, mut before, mut fragment) = (None, None, None);
    for path in files(file) {
        let text = fs::read(&path).expect("a file");
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        for bytes in text.split(|byte| *byte == b'\n') {
            let value = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
            let prev = value["prev"].as_str();
            let prev = prev.map(|prev| Mac::parse(prev.as_bytes()).expect("a MAC"));
            let sealed = before.or(prev).map(|before| key.check(&before, bytes));
            let Some(Ok(sealed)) = sealed else {
                if fragment.replace(bytes.to_vec()).is_some() {
                    return Err(format!("{}: two bad lines", path.display()));
                }
                continue;
            };
            if seq.is_some_and(|seq| sealed.seq != seq + 1) {
                return Err(format!("{seq:?} is followed by {}", sealed.seq));
            }
            let is_named = |bytes: Vec<u8>| {
                value["kind"] == "torn"
                    && value["count"] == bytes.len()
                    && value["fragment"] == key.digest(&bytes)
            };
            if !fragment.take().is_none_or(is_named) {
                return Err(format!("{}: a bad line before {value}", path.display()));
            }
            if value["kind"] == "rekeyed" {
                key = keys.next().expect("another key");
                assert_eq!(value["key"], key.id());
            }
            (seq, before) = (Some(sealed.seq), Some(sealed.mac));
            lines.push(value);
        }
    }
    match (fragment, seq, before) {
        (None, Some(seq), Some(mac)) => Ok(Held {
            lines,
            last: Head { seq, mac },
        }),
        _ => Err("it ends with a bad line, or is empty".to_owned()),
    }
}

/// Reads a lane that must be good, and ends where its head says.
pub(crate) fn held(file: &Path) -> Held {
    let held = check(file, &[KEY]).expect("a good chain");
    assert_eq!(head(file), Some(held.last));
    held
}

/// Where the head says that the chain ends.
pub(crate) fn head(file: &Path) -> Option<Head> {
    let mut name = file.as_os_str().to_owned();
    name.push(".head");
    let text = fs::read_to_string(name).expect("a head");
    ChainKey::new(KEY.as_bytes()).open_head(&text)
}
