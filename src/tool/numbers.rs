//! Numbers that stand for names wherever calls are counted: for targets, and for the buckets of limits.
//!
//! A name keeps its number over all catalogues that follow one another, also while nothing goes by
//! it. A reader would ask why positions in the catalogue do not do: after a reload one tool would
//! stand where another did, and answer for the calls that were made of that one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Gives every name a number. Clones share one sequence.
#[derive(Clone, Default)]
pub(super) struct Numbers(Arc<Mutex<HashMap<Arc<str>, u32>>>);

impl Numbers {
    /// The number of this name.
    ///
    /// # Errors
    /// A sentence: there are no more.
    pub(super) fn of(&self, name: &Arc<str>) -> Result<u32, String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = known.get(name) {
            return Ok(*number);
        }
        let number = u32::try_from(known.len()).map_err(|_| "too many names")?;
        known.insert(Arc::clone(name), number);
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_and_no_other_gets_it() {
        let numbers = Numbers::default();
        let of = |name: &str| numbers.of(&Arc::from(name));
        assert_eq!((of("a"), of("b"), of("a")), (Ok(0), Ok(1), Ok(0)));
        assert_eq!(numbers.clone().of(&Arc::from("c")), Ok(2));
        assert_eq!(of("c"), Ok(2));
    }
}
