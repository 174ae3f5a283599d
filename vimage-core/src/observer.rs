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

/// Watches nothing.
impl Observer for () {}
