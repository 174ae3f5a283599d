//! The tables last used: readers walk a disk in order, a few threads wide, so a few are enough.

use crate::error::Result;
use std::sync::{Arc, Mutex, PoisonError};

/// Tables kept.
const SLOTS: usize = 16;

/// Tables by number, as they are in the file; each in the slot of its number modulo the number of slots.
#[derive(Default)]
pub(super) struct TableCache([Mutex<Option<Kept>>; SLOTS]);

/// A table's number and its bytes.
type Kept = (u64, Arc<[u8]>);

impl TableCache {
    /// Table `number`, by `read` where it is not at hand.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) fn get(&self, number: u64, read: impl FnOnce() -> Result<Vec<u8>>) -> Result<Arc<[u8]>> {
        let slot = &self.0[(number % SLOTS as u64) as usize];
        if let Some((kept, table)) = &*slot.lock().unwrap_or_else(PoisonError::into_inner)
            && *kept == number
        {
            return Ok(Arc::clone(table));
        }
        let table: Arc<[u8]> = read()?.into();
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some((number, Arc::clone(&table)));
        Ok(table)
    }
}
