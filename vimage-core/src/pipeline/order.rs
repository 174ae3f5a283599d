//! Work on many threads, results in order, memory bounded by the work in flight.
//!
//! Jobs go to rayon's pool in order, and each takes a buffer when it starts; what comes back early waits for its turn. There are
//! only so many jobs in flight, so memory does not grow when the consumer is slow or one job takes long. The buffer that came back
//! last goes out first, and so no more are made than are needed.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How many jobs are in flight, each with a buffer at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlight(usize);

impl InFlight {
    /// InFlight per thread of the pool: one being filled, one waiting for its turn or being consumed, and one to spare so that
    /// neither side starves when jobs take unequal time.
    const PER_THREAD: usize = 3;

    /// The usual number. A writer that waits for the disk stands still for the time of a dozen jobs: with fewer buffers the other
    /// threads soon stand still too (on two cores, unpacking onto a disk took a fifth longer with 6). And where a job takes long, the
    /// others have enough to do until its turn is over.
    const USUAL: usize = 32;

    /// The number where jobs do nothing but read: they are quicker than what consumes them, and what waits long for its turn falls out of
    /// the processor's caches (on two cores, a copy within the page cache took 0.55 s with 32, and 0.45 s with 8).
    const OF_READING: usize = 8;

    /// As many as usual.
    pub(crate) fn usual() -> Self {
        Self::at_least(Self::USUAL)
    }

    /// As many as there should be where jobs do nothing but read.
    pub(crate) fn of_reading() -> Self {
        Self::at_least(Self::OF_READING)
    }

    fn at_least(jobs: usize) -> Self {
        InFlight((rayon::current_num_threads() * Self::PER_THREAD).max(jobs))
    }

    /// No more than go into `memory` bytes when each takes `cost`; two at the least.
    #[must_use]
    pub(crate) fn within(self, memory: u64, cost: u64) -> Self {
        let room = usize::try_from(memory / cost.max(1)).unwrap_or(usize::MAX);
        InFlight(self.0.min(room).max(2))
    }
}

/// Runs `work` for each job on rayon's threads, each with a buffer to fill; calls `consume` on this thread with each
/// job's filled buffer, in the order of the jobs. Where `jobs` gives none it has none yet: what is done already is consumed before it is
/// asked again, and it should wait a moment before it says so.
///
/// # Errors
/// The first fault, in the order of the jobs, of `jobs`, `work` or `consume`. Jobs already begun are waited for.
pub(crate) fn in_order<J, B>(
    in_flight: InFlight,
    jobs: impl Iterator<Item = Result<Option<J>>>,
    work: impl Fn(&J, &mut B) -> Result<()> + Sync,
    mut consume: impl FnMut(&J, &B) -> Result<()>,
) -> Result<()>
where
    J: Send,
    B: Default + Send,
{
    let mut jobs = jobs.fuse();
    let buffers: Mutex<Vec<B>> = Mutex::default();
    let kept = || buffers.lock().unwrap_or_else(PoisonError::into_inner);
    let stop = AtomicBool::new(false);
    let (work, stop, kept) = (&work, &stop, &kept);
    rayon::in_place_scope(|scope| {
        let (done, results) = channel();
        let mut waiting = BTreeMap::new();
        let (mut begun, mut consumed) = (0_u64, 0_u64);
        let mut outcome = Ok(());
        loop {
            // Whether there may be more jobs, and whether there is one now.
            let (mut ended, mut later) = (false, false);
            // Many at a time: threads that are woken for each job spend more on that than on the job.
            let few = begun - consumed <= in_flight.0 as u64 / 2;
            while few && !later && begun - consumed < in_flight.0 as u64 {
                let (number, done) = (begun, done.clone());
                match jobs.next() {
                    None => {
                        ended = true;
                        break;
                    }
                    Some(Ok(None)) => {
                        later = true;
                        continue;
                    }
                    Some(Err(error)) => drop(waiting.insert(number, Err(error))),
                    Some(Ok(Some(job))) => scope.spawn(move |_| {
                        let mut buffer = kept().pop().unwrap_or_default();
                        let worked = catch_unwind(AssertUnwindSafe(|| match stop.load(Ordering::Relaxed) {
                            true => Err(Error::cancelled()),
                            false => work(&job, &mut buffer),
                        }));
                        // A panic must not leave the consumer waiting; the scope passes it on once all have ended.
                        let (result, panic) = match worked {
                            Ok(worked) => (worked.map(|()| (job, buffer)), None),
                            Err(panic) => (Err(Error::usage("a worker panicked")), Some(panic)),
                        };
                        // The receiver is gone only when the consumer panicked, and then nobody wants the result.
                        let _ = done.send((number, result));
                        if let Some(panic) = panic {
                            resume_unwind(panic);
                        }
                    }),
                }
                begun += 1;
            }
            if ended && consumed == begun {
                break;
            }
            while consumed < begun {
                while !waiting.contains_key(&consumed) {
                    let next = if later { poll(&results)? } else { Some(receive(&results)?) };
                    let Some((number, result)) = next else { break };
                    waiting.insert(number, result);
                }
                let Some(ready) = waiting.remove(&consumed) else { break };
                consumed += 1;
                outcome = ready.and_then(|(job, buffer)| {
                    consume(&job, &buffer)?;
                    kept().push(buffer);
                    Ok(())
                });
                // A buffer is free: the next job begins first, where there is one.
                if outcome.is_err() || !later {
                    break;
                }
            }
            if outcome.is_err() {
                stop.store(true, Ordering::Relaxed);
                break;
            }
        }
        outcome
    })
}

/// A result that is there already. On a thread of the pool itself it works first.
fn poll<T>(results: &Receiver<T>) -> Result<Option<T>> {
    loop {
        match results.try_recv() {
            Ok(result) => return Ok(Some(result)),
            Err(TryRecvError::Disconnected) => return Err(Error::usage("the workers are gone")),
            Err(TryRecvError::Empty) => {}
        }
        let working = rayon::current_thread_index().is_some() && rayon::yield_now() == Some(rayon::Yield::Executed);
        if !working {
            return Ok(None);
        }
    }
}

/// Waits for a result. On a thread of the pool itself it works meanwhile: else a pool of one thread, waiting for its own
/// jobs, would stand still.
fn receive<T>(results: &Receiver<T>) -> Result<T> {
    let gone = || Error::usage("the workers are gone");
    if rayon::current_thread_index().is_none() {
        return results.recv().map_err(|_| gone());
    }
    loop {
        match results.try_recv() {
            Ok(result) => return Ok(result),
            Err(TryRecvError::Disconnected) => return Err(gone()),
            Err(TryRecvError::Empty) => {}
        }
        if rayon::yield_now() != Some(rayon::Yield::Executed) {
            match results.recv_timeout(Duration::from_millis(1)) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn squares(count: u64, fail: Option<u64>) -> (Result<()>, Vec<u64>) {
        let mut seen = Vec::new();
        let result = in_order(
            InFlight::usual(),
            (0..count).map(|job| Ok(Some(job))),
            |&job, buffer: &mut u64| {
                // Later jobs finish first.
                std::thread::sleep(Duration::from_micros(200 * (7 - job % 8)));
                *buffer = job * job;
                if Some(job) == fail { Err(Error::corrupt(format!("job {job}"))) } else { Ok(()) }
            },
            |_, &square| {
                seen.push(square);
                Ok(())
            },
        );
        (result, seen)
    }

    #[test]
    fn results_come_in_order() {
        let (result, seen) = squares(100, None);
        result.unwrap();
        assert_eq!(seen, (0..100).map(|job| job * job).collect::<Vec<_>>());
        assert!(squares(0, None).0.is_ok());
    }

    #[test]
    fn the_first_fault_in_order_ends_it() {
        let (result, seen) = squares(100, Some(40));
        assert_eq!(result.unwrap_err().to_string(), "job 40");
        assert_eq!(seen.len(), 40);
    }

    #[test]
    fn what_is_done_is_consumed_while_no_job_comes() {
        let consumed = std::cell::Cell::new(0_u64);
        // Each job comes only when the one before was consumed.
        let jobs = (0..20_u64).flat_map(|job| {
            let consumed = &consumed;
            let until = std::iter::from_fn(move || (consumed.get() < job).then_some(Ok(None)));
            until.inspect(|_| std::thread::sleep(Duration::from_micros(100))).chain([Ok(Some(job))])
        });
        let count = |_: &u64, (): &()| {
            consumed.set(consumed.get() + 1);
            Ok(())
        };
        in_order(InFlight::usual(), jobs, |_, ()| Ok(()), count).unwrap();
        assert_eq!(consumed.get(), 20);
    }

    #[test]
    fn a_pool_of_one_thread_may_call_it_from_within() {
        for threads in [1, 2] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| squares(50, None)).1.len(), 50);
        }
    }

    #[test]
    #[should_panic(expected = "boom")]
    fn a_panic_in_a_worker_is_passed_on() {
        let _ = in_order(
            InFlight::usual(),
            (0..9).map(|job| Ok(Some(job))),
            |_: &u64, (): &mut ()| panic!("boom"),
            |_, ()| Ok(()),
        );
    }

    #[test]
    fn no_more_in_flight_than_there_are_buffers() {
        let flying = AtomicUsize::new(0);
        let most = AtomicUsize::new(0);
        in_order(
            InFlight(5),
            (0..200).map(|job| Ok(Some(job))),
            |_: &u64, (): &mut ()| {
                most.fetch_max(flying.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                Ok(())
            },
            |_, ()| {
                flying.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            },
        )
        .unwrap();
        assert!(most.into_inner() <= 5);
    }

    #[test]
    fn memory_bounds_the_buffers_but_for_two() {
        let usual = InFlight::usual().0 as u64;
        assert_eq!(InFlight::usual().within(u64::MAX, 1 << 20), InFlight::usual());
        assert_eq!(InFlight::usual().within((usual - 1) << 20, 1 << 20).0 as u64, usual - 1);
        assert_eq!(InFlight::usual().within(1, 1 << 20).0, 2);
    }
}
