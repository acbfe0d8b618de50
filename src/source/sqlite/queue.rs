//! The bounded hand-over of queries to the threads.
//!
//! A deque behind a lock, and not `std::sync::mpsc`: its receiver serves one thread only (sharing
//! it behind a lock wakes the threads one through the other), and when the queue is full we want to
//! throw out those whose caller has left. The count of idle threads saves a system call per query
//! while all of them work.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Query;
use super::watch::Reply;

/// A query and where its answer goes.
pub(super) struct Job {
    pub(super) query: Query,
    pub(super) reply: Reply,
}

/// Queries that wait for a thread.
pub(super) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    capacity: usize,
}

struct State {
    jobs: VecDeque<Job>,
    idle: usize,
    open: bool,
}

impl Queue {
    /// A queue for at most `capacity` waiting queries.
    pub(super) fn new(capacity: usize) -> Self {
        let jobs = VecDeque::with_capacity(capacity);
        Self {
            state: Mutex::new(State {
                jobs,
                idle: 0,
                open: true,
            }),
            ready: Condvar::new(),
            capacity,
        }
    }

    /// Hands a query over, or says no (and drops it) when the queue is full or closed.
    pub(super) fn push(&self, job: Job) -> bool {
        let mut state = self.state();
        if state.jobs.len() >= self.capacity {
            state.jobs.retain(|waiting| !waiting.reply.is_closed());
        }
        if !state.open || state.jobs.len() >= self.capacity {
            return false;
        }
        state.jobs.push_back(job);
        let wake = state.idle > 0;
        drop(state);
        if wake {
            self.ready.notify_one();
        }
        true
    }

    /// Waits for the next query; nothing once the queue is closed.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if !state.open {
                return None;
            }
            if let Some(job) = state.jobs.pop_front() {
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
        state.jobs.clear();
        drop(state);
        self.ready.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
