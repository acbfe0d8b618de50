//! What the buckets synchronise with and hash by. `tests/quota_loom.rs` has loom's locks and atomics in
//! its place, and no seed, to run every interleaving of a few threads on the same source.

pub(super) use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
pub(super) use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use foldhash::fast::RandomState;
