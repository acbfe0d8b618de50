//! How long a million lines take. Run on a release build with `--ignored --nocapture`.

use std::fs;
use std::time::Instant;

use tollgate::audit::{ChainKey, Head, Mac};

use super::audit::KEY;
use super::checked;

#[test]
#[ignore = "a measurement, not a promise"]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn a_million_lines_in_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("audit.jsonl");
    let key = ChainKey::new(KEY.as_bytes());
    let (mut text, mut head) = (
        Vec::new(),
        Head {
            seq: 0,
            mac: Mac::default(),
        },
    );
    let zero = head.mac.to_string();
    for seq in 1..=1_000_000 {
        let body = if seq == 1 {
            format!(
                r#"{{"kind":"opened","time":"2026-01-31T12:00:00.000000Z","prev":"{zero}","key":"{}","because":"started"}}"#,
                key.id()
            )
        } else {
            format!(
                r#"{{"kind":"call","time":"2026-01-31T12:00:00.{:06}Z","callId":"01931b6e-5f3a-7c81-9d55-{seq:012x}","surface":"mcp","method":"tools/call","target":"get_customer","tenant":"acme","subject":"user-123","scopes":["customer:read","orders:search"],"address":"10.1.2.3","arguments":{{"digest":"{zero}"}},"outcome":"ok","quota":[{{"limit":"5/10s","remaining":4,"resetMs":2000}}],"stages":{{"authenticate":12,"authorize":3,"admit":4,"validate":9,"allow":1,"run":412}},"durationUs":460,"generation":1}}"#,
                seq % 1_000_000
            )
        };
        head.mac = key.seal(&head.mac, seq, body.as_bytes(), &mut text);
        head.seq = seq;
    }
    fs::write(&file, &text).expect("a log");
    fs::write(folder.path().join("audit.jsonl.head"), key.seal_head(&head)).expect("a head");
    let from = Instant::now();
    let verdicts = checked(&file);
    let took = from.elapsed();
    assert!(
        verdicts.iter().all(tollgate::audit::Verdict::is_whole),
        "{verdicts:?}"
    );
    eprintln!("1,000,000 lines, {} MB: {took:?}", text.len() / 1_000_000);
}
