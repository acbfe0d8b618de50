//! The floor for an audit log: what any Rust program pays for a line that tells of a call.
//!
//! A line of the size of ours, chained to the one before by HMAC-SHA-256, with a keyed digest of the
//! arguments; written by a thread that takes what there is, and for `strict` synced before the call is
//! answered. No rotation, no head, no recovery, no line before the tool runs.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use tokio::sync::oneshot;
use uuid::Uuid;

/// How long lines gather where nobody waits for them.
const GATHERING: Duration = Duration::from_millis(3);

/// Puts calls on record.
#[derive(Clone)]
pub(crate) struct Recorder {
    lines: Sender<Waiting>,
    key: hmac::Key,
    is_strict: bool,
}

/// A line, and who waits until it is on disk.
struct Waiting {
    text: Vec<u8>,
    synced: Option<oneshot::Sender<()>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    kind: &'a str,
    time_us: u64,
    call_id: Uuid,
    surface: &'a str,
    method: &'a str,
    target: &'a str,
    tenant: &'a str,
    subject: &'a str,
    scopes: [&'a str; 1],
    address: &'a str,
    arguments: Digest<'a>,
    outcome: &'a str,
    quota: [Bucket<'a>; 1],
    stages: Stages,
    duration_us: u64,
    generation: u64,
    trace: &'a str,
}

#[derive(Serialize)]
struct Digest<'a> {
    digest: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bucket<'a> {
    limit: &'a str,
    remaining: u64,
    reset_ms: u64,
}

#[derive(Serialize)]
struct Stages {
    authenticate: u64,
    authorize: u64,
    admit: u64,
    validate: u64,
    allow: u64,
    run: u64,
}

impl Recorder {
    /// One that writes to a new file below the system's temporary folder.
    pub(crate) fn start(is_strict: bool) -> io::Result<Self> {
        let name = format!("floor-{}.jsonl", std::process::id());
        let file = File::create(std::env::temp_dir().join(name))?;
        let (lines, waiting) = channel();
        let key = hmac::Key::new(HMAC_SHA256, b"a secret for a log that nobody verifies");
        let of_chain = key.clone();
        thread::spawn(move || {
            if let Err(error) = write(file, &of_chain, &waiting, is_strict) {
                // Whoever waits for it then waits in vain, and the bench says so.
                eprintln!("the log cannot be written: {error}");
            }
        });
        Ok(Self {
            lines,
            key,
            is_strict,
        })
    }

    /// Puts a call on record that has just been carried out.
    #[expect(
        clippy::disallowed_methods,
        reason = "the floor has nothing of ours, and no clock of ours either"
    )]
    pub(crate) async fn record(&self, arguments: &[u8]) {
        let digest = URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, arguments));
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let line = Line {
            kind: "call",
            time_us: now.map_or(0, |now| now.as_micros() as u64),
            call_id: Uuid::now_v7(),
            surface: "mcp",
            method: "tools/call",
            target: "get_customer",
            tenant: "acme",
            subject: "bench",
            scopes: ["customer:read"],
            address: "127.0.0.1",
            arguments: Digest { digest: &digest },
            outcome: "ok",
            quota: [Bucket {
                limit: "10000000/1s",
                remaining: 9_999_999,
                reset_ms: 1,
            }],
            stages: Stages {
                authenticate: 2,
                authorize: 16,
                admit: 0,
                validate: 1,
                allow: 0,
                run: 5,
            },
            duration_us: 29,
            generation: 1,
            trace: "0c6c93bf8deabb5b6f11b2212b6b4d2f",
        };
        // Plain values into memory: this does not fail. Nor does anybody go on without the writer.
        let text = serde_json::to_vec(&line).unwrap_or_default();
        let (synced, told) = oneshot::channel();
        let synced = self.is_strict.then_some(synced);
        let _ = self.lines.send(Waiting { text, synced });
        if self.is_strict {
            let _ = told.await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread that does nothing else")]
fn write(
    mut file: File,
    key: &hmac::Key,
    waiting: &Receiver<Waiting>,
    is_strict: bool,
) -> io::Result<()> {
    let (mut mac, mut seq) = ([0; 32], 0_u64);
    let (mut text, mut told) = (Vec::new(), Vec::new());
    while let Ok(first) = waiting.recv() {
        if !is_strict {
            thread::sleep(GATHERING);
        }
        for line in std::iter::once(first).chain(waiting.try_iter()) {
            seq += 1;
            let start = text.len();
            write!(text, "{{\"seq\":{seq},")?;
            text.extend_from_slice(&line.text[1..line.text.len() - 1]);
            let mut sealed = hmac::Context::with_key(key);
            sealed.update(&mac);
            sealed.update(&text[start..]);
            mac.copy_from_slice(sealed.sign().as_ref());
            writeln!(text, ",\"mac\":\"{}\"}}", URL_SAFE_NO_PAD.encode(mac))?;
            told.extend(line.synced);
        }
        file.write_all(&text)?;
        text.clear();
        if is_strict {
            file.sync_data()?;
        }
        for waits in told.drain(..) {
            let _ = waits.send(());
        }
    }
    Ok(())
}
