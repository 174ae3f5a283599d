//! Digests of what is written from front to back, made by a thread beside the writer.

use super::hash::{Hash, Hasher};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Bytes gathered before the thread gets them.
const GATHER: usize = 1 << 20;

/// Gathered pieces that wait for the thread at most.
const WAITING: usize = 4;

/// Digests being made.
pub(super) struct Digesting {
    /// The byte that comes next.
    at: u64,
    /// Zeros that it goes over at a time.
    most_zeros: u64,
    gathered: Vec<u8>,
    work: Work,
}

enum Work {
    Thread(SyncSender<Piece>, JoinHandle<Vec<Hasher>>),
    /// Where there is no thread to be had.
    Here(Vec<Hasher>),
}

enum Piece {
    Bytes(Vec<u8>),
    Zeros(u64),
}

impl Digesting {
    /// Begins `hashes`, of what has no more than `most_zeros` in one gap: nobody can stop it within one.
    pub(super) fn start(hashes: &[Hash], most_zeros: u64) -> Self {
        let hashers: Vec<_> = hashes.iter().map(|&hash| Hasher::new(hash)).collect();
        let (sender, pieces) = sync_channel(WAITING);
        let mut own = hashers.clone();
        let thread = std::thread::Builder::new().name("vimage-digest".into()).spawn(move || {
            pieces.into_iter().for_each(|piece| take(&mut own, &piece));
            own
        });
        let work = thread.map_or(Work::Here(hashers), |thread| Work::Thread(sender, thread));
        Digesting { at: 0, most_zeros, gathered: Vec::new(), work }
    }

    /// Takes `bytes`, which go to byte `offset`; what lies before is zero. Says whether that was possible: there is no way back.
    pub(super) fn write(&mut self, bytes: &[u8], offset: u64) -> bool {
        if !self.zeros_to(offset) {
            return false;
        }
        self.at += bytes.len() as u64;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER {
            self.submit();
        }
        true
    }

    /// Goes on to byte `offset`, by zeros, and says whether that was possible.
    pub(super) fn zeros_to(&mut self, offset: u64) -> bool {
        let Some(count) = offset.checked_sub(self.at).filter(|&count| count <= self.most_zeros) else { return false };
        if count > 0 {
            self.submit();
            self.give(Piece::Zeros(count));
            self.at = offset;
        }
        true
    }

    fn submit(&mut self) {
        if !self.gathered.is_empty() {
            let bytes = std::mem::take(&mut self.gathered);
            self.give(Piece::Bytes(bytes));
        }
    }

    fn give(&mut self, piece: Piece) {
        match &mut self.work {
            // It is gone only when it panicked, which its end tells.
            Work::Thread(sender, _) => drop(sender.send(piece)),
            Work::Here(hashers) => take(hashers, &piece),
        }
    }

    /// The digests of all of it, in the order of the hashes; none when they could not be made.
    pub(super) fn finish(mut self) -> Option<Vec<String>> {
        self.submit();
        let hashers = match self.work {
            Work::Here(hashers) => hashers,
            Work::Thread(sender, thread) => {
                drop(sender);
                thread.join().ok()?
            }
        };
        Some(hashers.into_iter().map(Hasher::finish).collect())
    }
}

fn take(hashers: &mut [Hasher], piece: &Piece) {
    for hasher in hashers {
        match piece {
            Piece::Bytes(bytes) => hasher.update(bytes),
            Piece::Zeros(count) => hasher.zeros(*count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_zeros_and_there_is_no_way_back() {
        let hashes = [Hash::Sha256, Hash::Blake3];
        let mut digesting = Digesting::start(&hashes, 2 << 20);
        let mut expected = vec![0; 3 << 20];
        for (offset, len) in [(5_usize, 10), (15, 2 << 20), ((2 << 20) + 500, 100)] {
            expected[offset..offset + len].fill(7);
            assert!(digesting.write(&vec![7; len], offset as u64));
        }
        assert!(!digesting.write(b"x", 0));
        let whole = hashes.map(|hash| {
            let mut hasher = Hasher::new(hash);
            hasher.update(&expected);
            hasher.finish()
        });
        assert!(digesting.zeros_to(3 << 20) && !digesting.zeros_to(9) && !digesting.zeros_to(9 << 20));
        assert_eq!(digesting.finish().unwrap(), whole);
    }
}
