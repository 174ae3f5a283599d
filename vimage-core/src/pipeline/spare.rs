//! Buffers that go from job to job.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Buffers that no job uses at the moment, on a pile for each thread of the pool: a thread gets back what it used last, while that is
/// still in its processor's cache.
pub(crate) struct Spare<T>(Vec<Mutex<Vec<T>>>);

impl<T> Default for Spare<T> {
    fn default() -> Self {
        // One pile more, for threads that are not of the pool.
        Spare(std::iter::repeat_with(Mutex::default).take(rayon::current_num_threads() + 1).collect())
    }
}

impl<T: Default> Spare<T> {
    /// A buffer, with whatever was in it.
    pub(crate) fn take(&self) -> T {
        self.pile().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(crate) fn give(&self, buffer: T) {
        self.pile().push(buffer);
    }

    fn pile(&self) -> MutexGuard<'_, Vec<T>> {
        let last = self.0.len() - 1;
        let pile = rayon::current_thread_index().map_or(last, |thread| thread.min(last));
        self.0[pile].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_last_is_taken_first() {
        let spare = Spare::<Vec<u8>>::default();
        assert!(spare.take().is_empty());
        spare.give(vec![1]);
        spare.give(vec![2]);
        assert_eq!([spare.take(), spare.take(), spare.take()], [vec![2], vec![1], vec![]]);
    }

    #[test]
    fn threads_of_a_pool_have_piles_of_their_own() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let spare = pool.install(Spare::<Vec<u8>>::default);
        pool.broadcast(|thread| spare.give(vec![thread.index() as u8]));
        assert_eq!(pool.broadcast(|_| spare.take()), [[0], [1]]);
    }
}
