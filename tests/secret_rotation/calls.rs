//! Callers who call without a pause, each on one connection that must stay open, and one who opens
//! another for each call. They begin with the old credential and go over to the new one where it is
//! refused. Whatever is not the right answer with one of the two ends the test.

use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::binary::PATIENCE;
use crate::connection::Reach;
use crate::secrets::{CALLERS, steady};
use crate::world::World;

/// How many calls each caller makes in each part of a rotation.
const MANY: usize = 25;
/// Who opens a connection for each call, with a key that stays.
const NEWCOMER: &str = "newcomer";

/// All callers.
pub(crate) struct Calls {
    callers: JoinSet<Caller>,
    /// Calls that began before the rotation, with old credentials, and last until its end.
    held: JoinSet<(u16, Value)>,
    progress: watch::Receiver<Vec<Progress>>,
    stop: watch::Sender<bool>,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    calls: usize,
    has_moved: bool,
}

/// What became of them.
pub(crate) struct Ended {
    /// Whose old credential was refused.
    pub(crate) moved: Vec<&'static str>,
    /// What the newcomer was shown, each that follows another.
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

struct Caller {
    name: &'static str,
    credentials: [String; 2],
    /// Which of the two is in use.
    at: usize,
    certificates: Vec<CertificateDer<'static>>,
}

impl Calls {
    /// All call, and some calls are being served that do not end yet.
    pub(crate) async fn begin(world: &World) -> Self {
        let of = |name| [&world.old, &world.new].map(|secrets| secrets.credential(name));
        let known = CALLERS.iter().map(|name| (*name, of(name)));
        let newcomer = (NEWCOMER, [steady(), steady()]);
        let all: Vec<_> = known.chain([newcomer]).collect();
        let (progress, seen) = watch::channel(vec![Progress::default(); all.len()]);
        let (stop, stopped) = watch::channel(false);
        let (mut callers, mut held) = (JoinSet::new(), JoinSet::new());
        for (index, (name, credentials)) in all.into_iter().enumerate() {
            let (reach, old) = (world.reach(), credentials[0].clone());
            held.spawn(async move {
                let mut connection = reach.connect().await;
                connection.call("hold", &old, json!({})).await
            });
            let caller = Caller {
                name,
                credentials,
                at: 0,
                certificates: Vec::new(),
            };
            let (progress, stopped) = (progress.clone(), stopped.clone());
            callers.spawn(caller.go_on(world.reach(), stopped, move |now| {
                progress.send_modify(|all| all[index] = now);
            }));
        }
        world.held.was_asked(held.len()).await;
        let mut calls = Self {
            callers,
            held,
            progress: seen,
            stop,
        };
        calls.more().await;
        calls
    }

    /// Waits until each has made [`MANY`] calls more.
    pub(crate) async fn more(&mut self) {
        let goals: Vec<usize> = self
            .progress
            .borrow()
            .iter()
            .map(|p| p.calls + MANY)
            .collect();
        let done = move |all: &Vec<Progress>| {
            let mut pairs = all.iter().zip(&goals);
            pairs.all(|(now, goal)| now.calls >= *goal)
        };
        self.until(done).await;
    }

    /// Waits until this caller has gone over to its new credential.
    pub(crate) async fn moved(&mut self, name: &str) {
        let index = CALLERS.iter().position(|caller| *caller == name);
        let index = index.expect("a caller");
        self.until(|all| all[index].has_moved).await;
    }

    async fn until(&mut self, done: impl FnMut(&Vec<Progress>) -> bool) {
        let waiting = timeout(PATIENCE, self.progress.wait_for(done));
        tokio::select! {
            waited = waiting => {
                waited.expect("in time").expect("they call on");
            }
            ended = self.callers.join_next() => {
                let why = ended.expect("callers").err();
                panic!("a caller gave up: {why:?}");
            }
        }
    }

    /// Lets all call on for a while, and then ends them, held calls first.
    pub(crate) async fn end(mut self, world: &World) -> Ended {
        self.more().await;
        world.held.goes_on();
        for (status, body) in self.held.join_all().await {
            assert_eq!((status, &body["result"]), (200, &json!({"held": true})));
        }
        self.stop.send_replace(true);
        let mut callers = self.callers.join_all().await;
        callers.sort_by_key(|caller| CALLERS.iter().position(|name| *name == caller.name));
        let mut connection = world.reach().connect().await;
        for caller in &callers {
            let old = &caller.credentials[0];
            let status = connection.call("echo", old, json!({"number": 0})).await.0;
            let wanted = if caller.at == 0 { 200 } else { 401 };
            assert_eq!(status, wanted, "the old credential of {}", caller.name);
        }
        let moved = callers.iter().filter(|caller| caller.at == 1);
        Ended {
            moved: moved.map(|caller| caller.name).collect(),
            certificates: callers.into_iter().flat_map(|it| it.certificates).collect(),
        }
    }
}

impl Caller {
    async fn go_on(
        mut self,
        reach: Reach,
        stopped: watch::Receiver<bool>,
        tell: impl Fn(Progress),
    ) -> Self {
        let mut connection = reach.connect().await;
        for calls in 1.. {
            if self.name == NEWCOMER {
                connection = reach.connect().await;
                self.certificates.push(connection.certificate());
                self.certificates.dedup();
            }
            // Each has an answer of its own, so that one call's would show as another's.
            let (tool, arguments, result) = match calls % 2 {
                0 => ("ask", json!({}), json!({"price": 7})),
                _ => ("echo", json!({"number": calls}), json!({"number": calls})),
            };
            let credential = &self.credentials[self.at];
            let mut answer = connection.call(tool, credential, arguments.clone()).await;
            if answer.0 == 401 && self.at == 0 {
                self.at = 1;
                answer = connection.call(tool, &self.credentials[1], arguments).await;
            }
            let (status, body) = answer;
            assert_eq!(
                (status, &body["result"]),
                (200, &result),
                "{}: {body}",
                self.name
            );
            tell(Progress {
                calls,
                has_moved: self.at == 1,
            });
            if *stopped.borrow() {
                break;
            }
        }
        self
    }
}
