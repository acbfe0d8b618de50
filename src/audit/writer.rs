//! The one writer: numbers lines, seals them, writes and syncs them, and says how far it came.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::log::{Progress, Shared};
use super::{AuditError, ChainKey, Durability, Head, Kind, Mac, Mark, Sealed};
use crate::clock::{Clock, rfc3339};

/// How long a batch is gathered where nobody waits for it.
const GATHERING: Duration = Duration::from_millis(10);
/// How long after a write that failed it is tried again.
const RETRY: Duration = Duration::from_millis(200);
/// Room for the longest line when the end of a file is looked for.
const LAST_BYTES: u64 = 1 << 20;

/// An open file and where its chain ends.
pub(super) struct OpenLog {
    path: PathBuf,
    file: File,
    key: Arc<ChainKey>,
    head: Head,
}

impl OpenLog {
    pub(super) fn open(path: &Path, key: Arc<ChainKey>, clock: &Clock) -> Result<Self, AuditError> {
        let fault = |fault: String| AuditError {
            file: path.display().to_string(),
            fault,
        };
        let unusable = |error: io::Error| fault(format!("cannot be opened for writing: {error}"));
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let mut file = options.open(path).map_err(unusable)?;
        let head = match last_line(&mut file).map_err(unusable)? {
            None => Head {
                seq: 0,
                mac: Mac::default(),
            },
            Some(line) => {
                let last = Sealed::claimed(&line).ok_or_else(|| {
                    fault("does not end with a line of an audit log: move it away".to_owned())
                })?;
                Head {
                    seq: last.seq,
                    mac: last.mac,
                }
            }
        };
        let mut log = Self {
            path: path.to_owned(),
            file,
            key,
            head,
        };
        let (prev, id) = (log.head.mac.to_string(), log.key.id().to_owned());
        let opened = Mark {
            prev: Some(prev.into()),
            key: Some(id.into()),
            by: Some(concat!("tollgate ", env!("CARGO_PKG_VERSION")).into()),
            because: Some("started".into()),
            ..Mark::new(Kind::Opened, rfc3339(clock.unix()))
        };
        let mut text = serde_json::to_vec(&opened).unwrap_or_default();
        text.push(b'\n');
        log.write(&text, true).map_err(unusable)?;
        Ok(log)
    }

    /// Seals the bodies of `text` and appends them.
    fn write(&mut self, text: &[u8], syncs: bool) -> io::Result<()> {
        let (mut out, mut head) = (Vec::with_capacity(text.len() * 5 / 4), self.head);
        for body in text
            .split(|byte| *byte == b'\n')
            .filter(|body| !body.is_empty())
        {
            head.seq += 1;
            head.mac = self.key.seal(&head.mac, head.seq, body, &mut out);
        }
        let length = self.file.metadata()?.len();
        if let Err(error) = self.file.write_all(&out) {
            // No half of a line may stay before what comes next.
            self.file.set_len(length)?;
            return Err(error);
        }
        self.head = head;
        if syncs {
            self.file.sync_data()?;
        }
        std::fs::write(
            self.path.with_extension("jsonl.head"),
            self.key.seal_head(&self.head),
        )
    }
}

/// The last line of a file, without its newline.
fn last_line(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let end = end.strip_suffix(b"\n").unwrap_or(&end);
    let line = end.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok((!line.is_empty()).then(|| line.to_vec()))
}

/// Takes what waits, again and again.
pub(super) struct Writer {
    log: OpenLog,
    shared: Arc<Shared>,
    durability: Durability,
}

impl Writer {
    pub(super) fn new(log: OpenLog, shared: Arc<Shared>, durability: Durability) -> Self {
        Self {
            log,
            shared,
            durability,
        }
    }

    pub(super) fn start(self) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || self.run())
    }

    fn run(mut self) {
        let strict = self.durability == Durability::Strict;
        loop {
            let is_closing = self.shared.wait().is_closing;
            if !strict && !is_closing {
                std::thread::park_timeout(GATHERING);
            }
            let (text, last) = {
                let mut pending = self.shared.pending();
                pending.since = None;
                (std::mem::take(&mut pending.text), pending.last)
            };
            while let Err(error) = self.log.write(&text, strict) {
                self.failed(last, &error);
                std::thread::park_timeout(RETRY);
            }
            let sequence = self.log.head.seq;
            self.shared.progress.send_modify(|progress| {
                *progress = Progress {
                    written: last,
                    synced: last,
                    failed: progress.failed,
                    is_failing: false,
                    sequence,
                };
            });
            if is_closing {
                return;
            }
        }
    }

    fn failed(&self, last: u64, error: &io::Error) {
        self.shared.progress.send_modify(|progress| {
            if !progress.is_failing {
                tracing::error!(%error, "the audit log cannot be written");
            }
            progress.is_failing = true;
            progress.failed = last;
        });
    }
}
