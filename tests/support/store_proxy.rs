//! A proxy between a server and its quota store that counts calls and keeps answers back: a store that
//! accepts and stalls, as often as a test wants.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// What a test does to the proxy, and sees of it.
#[derive(Default)]
pub(crate) struct Dials {
    /// Keeps every answer back.
    pub(crate) stalls: AtomicBool,
    /// Keeps every second answer back, of calls and of proofs.
    pub(crate) flaps: AtomicBool,
    /// Answers something else than was asked.
    pub(crate) babbles: AtomicBool,
    /// Requests that count a call; proofs of the store are none.
    pub(crate) calls: AtomicU64,
    requests: AtomicU64,
}

/// Starts a proxy to the store at `socket`; its URL.
pub(crate) async fn start(socket: PathBuf) -> (String, Arc<Dials>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let dials = Arc::new(Dials::default());
    let told = Arc::clone(&dials);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(carry(client, socket.clone(), Arc::clone(&told)));
        }
    });
    (format!("redis://{address}"), dials)
}

/// One request after the other, as each waits for its answer in the tests that count.
async fn carry(mut client: TcpStream, socket: PathBuf, dials: Arc<Dials>) -> Option<()> {
    let mut store = UnixStream::connect(socket).await.ok()?;
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut keeps_back = false;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let request = match read {
                    Ok(0) | Err(_) => return None,
                    Ok(read) => &asked[..read],
                };
                let text = String::from_utf8_lossy(request);
                if !text.contains(":probe") && text.contains("EVAL") {
                    dials.calls.fetch_add(1, Ordering::SeqCst);
                }
                let odd = dials.requests.fetch_add(1, Ordering::SeqCst) % 2 == 1;
                keeps_back = odd && dials.flaps.load(Ordering::SeqCst);
                store.write_all(request).await.ok()?;
            }
            read = store.read(&mut answered) => {
                let answer = match read {
                    Ok(0) | Err(_) => return None,
                    Ok(read) => &answered[..read],
                };
                if dials.babbles.load(Ordering::SeqCst) {
                    client.write_all(b"$5\r\nhello\r\n").await.ok()?;
                } else if !keeps_back && !dials.stalls.load(Ordering::SeqCst) {
                    client.write_all(answer).await.ok()?;
                }
            }
        }
    }
}
