//! One bar for work of several kinds, some of it done on several threads.

use crate::error::{Error, Result};
use crate::observer::{Observer, Phase};
use std::sync::{Mutex, PoisonError};

/// What has been done of all stages together, in bytes of files.
pub(super) struct Stages<'a> {
    observer: &'a dyn Observer,
    done: Mutex<u64>,
}

impl<'a> Stages<'a> {
    /// Of `total` bytes.
    pub(super) fn new(observer: &'a dyn Observer, total: u64) -> Self {
        observer.begin(Phase::Work, Some(total));
        Stages { observer, done: Mutex::new(0) }
    }

    /// `bytes` more are done.
    pub(super) fn passed(&self, bytes: u64) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        *done = done.saturating_add(bytes);
        // Under the lock, so that it never goes back.
        self.observer.reached(*done);
    }

    /// # Errors
    /// `Cancelled`.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.observer.cancelled() { Err(Error::cancelled()) } else { Ok(()) }
    }

    /// What watches work that counts otherwise, and is worth `bytes` here.
    pub(super) fn watching(&self, bytes: u64) -> Watching<'_, 'a> {
        Watching { stages: self, bytes, state: Mutex::default() }
    }
}

/// Turns what an operation says of its progress into a share of a stage.
pub(super) struct Watching<'s, 'a> {
    stages: &'s Stages<'a>,
    bytes: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: u64,
    told: u64,
}

impl Watching<'_, '_> {
    /// All of it is done, whatever was said before.
    pub(super) fn finish(&self) {
        self.tell(self.bytes);
    }

    fn tell(&self, share: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if share > state.told {
            self.stages.passed(share - state.told);
            state.told = share;
        }
    }
}

impl Observer for Watching<'_, '_> {
    fn begin(&self, _: Phase, total: Option<u64>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).total = total.unwrap_or(0);
    }

    fn reached(&self, position: u64) {
        let total = self.state.lock().unwrap_or_else(PoisonError::into_inner).total.max(1);
        let share = u128::from(self.bytes) * u128::from(position.min(total)) / u128::from(total);
        self.tell(u64::try_from(share).unwrap_or(self.bytes));
    }

    fn cancelled(&self) -> bool {
        self.stages.observer.cancelled()
    }
}
