//! The bounded hand-over of queries to the threads, fair between statements.
//!
//! A deque behind a lock, and not `std::sync::mpsc`: its receiver serves one thread only (sharing
//! it behind a lock wakes the threads one through the other), and when the queue is full we want to
//! throw out those whose caller has left. The count of idle threads saves a system call per query
//! while all of them work.
//!
//! Each statement has a lane of its own; threads take from the lanes in turn. Where several
//! statements share the database, one holds at most all threads but one, and half of the places to
//! wait, so that a slow one leaves the others a way through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Query;
use super::watch::Reply;

/// A query and where its answer goes.
pub(super) struct Job {
    pub(super) query: Query,
    pub(super) reply: Reply,
}

/// Which statement: where it is in memory, for as long as a job holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneId(usize);

impl Job {
    pub(super) fn lane(&self) -> LaneId {
        LaneId(Arc::as_ptr(&self.query.statement).addr())
    }
}

/// Queries that wait for a thread.
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    threads: usize,
    capacity: usize,
    /// Statements that were checked for this database.
    statements: AtomicUsize,
}

struct State {
    /// Those with queries; next is the first one that may.
    lanes: VecDeque<Lane>,
    waiting: usize,
    idle: usize,
    open: bool,
}

/// The queries of one statement.
struct Lane {
    id: LaneId,
    waiting: VecDeque<Job>,
    running: usize,
}

impl Queue {
    /// A queue for so many threads, where `waiting_per_thread` queries may wait for each.
    pub(super) fn new(threads: usize, waiting_per_thread: usize) -> Self {
        Self {
            state: Mutex::new(State {
                lanes: VecDeque::new(),
                waiting: 0,
                idle: 0,
                open: true,
            }),
            ready: Condvar::new(),
            threads,
            capacity: threads * waiting_per_thread,
            statements: AtomicUsize::new(0),
        }
    }

    /// There is one statement more.
    pub(super) fn add_statement(&self) {
        self.statements.fetch_add(1, Ordering::Relaxed);
    }

    /// Hands a query over, or says no (and drops it) when there is no room or the queue is closed.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut state = self.state();
        let id = job.lane();
        if !self.has_room(&state, id) {
            state.forget_who_left();
        }
        if !state.open || !self.has_room(&state, id) {
            return false;
        }
        state.waiting += 1;
        match state.lanes.iter_mut().find(|lane| lane.id == id) {
            Some(lane) => lane.waiting.push_back(job),
            None => state.lanes.push_back(Lane {
                id,
                waiting: VecDeque::from([job]),
                running: 0,
            }),
        }
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        true
    }

    /// Waits for the next query; nothing once the queue is closed. `done` is the statement that the
    /// calling thread ran until now.
    pub(super) fn pop(&self, done: Option<LaneId>) -> Option<Job> {
        let mut state = self.state();
        if let Some(done) = done {
            state.finished(done);
        }
        loop {
            if !state.open {
                return None;
            }
            let most = if self.is_shared() {
                (self.threads - 1).max(1)
            } else {
                self.threads
            };
            if let Some(job) = state.next(most) {
                // A lane that this thread made way in may now suit one that sleeps.
                if state.waiting > 0 && state.idle > 0 {
                    self.ready.notify_one();
                }
                return Some(job);
            }
            state.idle += 1;
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    /// Ends all threads. Nobody waits for what is left: a waiting `query` would keep the database
    /// alive.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.open = false;
        state.lanes.clear();
        drop(state);
        self.ready.notify_all();
    }

    fn is_shared(&self) -> bool {
        self.statements.load(Ordering::Relaxed) > 1
    }

    fn has_room(&self, state: &State, id: LaneId) -> bool {
        let lane = state.lanes.iter().find(|lane| lane.id == id);
        let of_lane = lane.map_or(0, |lane| lane.waiting.len());
        let share = self.capacity / if self.is_shared() { 2 } else { 1 };
        state.waiting < self.capacity && of_lane < share
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The next query of the first lane that holds less than `most` threads; that lane is last then.
    fn next(&mut self, most: usize) -> Option<Job> {
        let may_run = |lane: &Lane| !lane.waiting.is_empty() && lane.running < most;
        let position = self.lanes.iter().position(may_run)?;
        let mut lane = self.lanes.remove(position)?;
        let job = lane.waiting.pop_front();
        lane.running += 1;
        self.waiting -= 1;
        self.lanes.push_back(lane);
        job
    }

    fn finished(&mut self, id: LaneId) {
        if let Some(position) = self.lanes.iter().position(|lane| lane.id == id) {
            let lane = &mut self.lanes[position];
            lane.running = lane.running.saturating_sub(1);
            if lane.running == 0 && lane.waiting.is_empty() {
                self.lanes.remove(position);
            }
        }
    }

    fn forget_who_left(&mut self) {
        for lane in &mut self.lanes {
            lane.waiting.retain(|job| !job.reply.is_closed());
        }
        self.lanes
            .retain(|lane| lane.running > 0 || !lane.waiting.is_empty());
        self.waiting = self.lanes.iter().map(|lane| lane.waiting.len()).sum();
    }
}
