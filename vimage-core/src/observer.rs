//! Progress and cancelling, through one door.

/// What a long operation is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Looking for what the guest does not use.
    Survey,
    /// Copying a stream into a file, so that it can be read by position.
    Spool,
    /// Unpacking a compressed file once, to know how large the disk in it is.
    Measure,
    /// What was asked for: converting, packing, comparing, checking.
    Work,
    /// Waiting until what was written is on the disk.
    Flush,
    /// Reading finished outputs for their digests.
    Digest,
    /// Reading finished outputs back and comparing them with what was read.
    Verify,
}

impl Phase {
    /// Its name, as progress for machines has it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Survey => "survey",
            Phase::Spool => "spool",
            Phase::Measure => "measure",
            Phase::Work => "work",
            Phase::Flush => "flush",
            Phase::Digest => "digest",
            Phase::Verify => "verify",
        }
    }
}

/// Watches a long operation and may stop it. Methods may be called often, and from the thread that runs the operation.
pub trait Observer: Sync {
    /// A phase begins, which goes over `total` bytes where that is known already. Positions count from 0 again. Most operations have
    /// one phase, [`Phase::Work`].
    fn begin(&self, phase: Phase, total: Option<u64>) {
        let _ = (phase, total);
    }

    /// The phase has passed byte `position`, as a rule of the disk; it never goes back within a phase.
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
