//! Work spread over all cores, and how long it takes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// How many threads the machine runs at once.
pub(crate) fn count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Does `work` with each of `items`, on a thread for each core, each with a buffer of its own; returns the seconds that it took.
pub(crate) fn each<T: Sync>(
    items: &[T],
    work: impl Fn(&T, &mut Vec<u8>) -> Result<(), String> + Sync,
) -> Result<f64, String> {
    let next = AtomicUsize::new(0);
    let worker = || -> Result<(), String> {
        let mut buffer = Vec::new();
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(item, &mut buffer)?;
        }
        Ok(())
    };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..count()).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a thread panicked".into())))
    })?;
    Ok(begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn each_item_is_worked_on_once_and_faults_are_told() {
        let seen = Mutex::new(Vec::new());
        let items: Vec<usize> = (0..1000).collect();
        let note = |item: &usize, _: &mut Vec<u8>| {
            seen.lock().unwrap().push(*item);
            Ok(())
        };
        each(&items, note).unwrap();
        let mut seen = seen.into_inner().unwrap();
        seen.sort_unstable();
        assert_eq!(seen, items);
        let fault = |item: &usize, _: &mut Vec<u8>| if *item == 500 { Err("here".to_owned()) } else { Ok(()) };
        assert_eq!(each(&items, fault), Err("here".to_owned()));
    }
}
