//! Progress and cancelling, through one door.

/// Watches a long operation and may stop it. Methods may be called often, and from the thread that runs the operation.
pub trait Observer: Sync {
    /// The operation will go over `total` bytes of the disk.
    fn begin(&self, total: u64) {
        let _ = total;
    }

    /// The operation has passed the disk's byte `position`; it never goes back.
    fn reached(&self, position: u64) {
        let _ = position;
    }

    /// Whether to stop; asked several times a second. The operation then fails with
    /// [`Cancelled`](crate::ErrorKind::Cancelled) and removes what it made.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Watches a part of a longer work, whose beginning was told already.
pub(crate) struct PartOf<'a> {
    /// What watches the whole.
    pub(crate) whole: &'a dyn Observer,
    /// What of the whole lies before this part.
    pub(crate) before: u64,
}

impl Observer for PartOf<'_> {
    fn reached(&self, position: u64) {
        self.whole.reached(self.before.saturating_add(position));
    }

    fn cancelled(&self) -> bool {
        self.whole.cancelled()
    }
}

/// Watches nothing.
impl Observer for () {}
