//! Numbers that stand for targets wherever calls are counted.
//!
//! A name keeps its number as long as the process lives, also while nothing goes by it. A reader
//! would ask why positions in the catalogue do not do: after a reload one tool would stand where
//! another did, and answer for the calls that were made of that one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives every name a number. Clones share one sequence.
#[derive(Clone, Default)]
pub(super) struct Numbers(Arc<Mutex<HashMap<Arc<str>, u32>>>);

impl Numbers {
    /// The number of this name; `None` when there are no more.
    pub(super) fn of(&self, name: &Arc<str>) -> Option<u32> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.get(name) {
            return Some(*number);
        }
        let number = u32::try_from(known.len()).ok()?;
        known.insert(Arc::clone(name), number);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_no_other_gets_it() {
        let numbers = Numbers::default();
        let of = |name: &str| numbers.of(&Arc::from(name));
        assert_eq!((of("a"), of("b"), of("a")), (Some(0), Some(1), Some(0)));
        assert_eq!(numbers.clone().of(&Arc::from("c")), Some(2));
        assert_eq!(of("c"), Some(2));
    }
}
