//! Work on many files that several threads share.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does `work` for each of `jobs` on as many threads as a look may use, and gives the answers in the jobs' order.
///
/// The threads are as gentle as who calls. A panic in one is the caller's.
pub(crate) fn each<J: Sync, T: Send>(hurry: bool, jobs: &[J], work: impl Fn(&J) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = jobs.get(number) else { return done };
            done.push((number, work(job)));
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads(hurry).min(jobs.len())).map(|_| scope.spawn(some)).collect();
        let mut all = some();
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        all
    });
    all.sort_unstable_by_key(|(number, _)| *number);
    all.into_iter().map(|(_, answer)| answer).collect()
}

/// Threads that look at files at once: two, and more only where nobody asked for manners.
pub(crate) fn threads(hurry: bool) -> usize {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    if hurry { cores.clamp(2, 8) } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::each;

    #[test]
    fn answers_come_in_order_and_each_once() {
        let jobs: Vec<u32> = (0..1000).collect();
        for hurry in [false, true] {
            assert_eq!(each(hurry, &jobs, |job| job * 2), jobs.iter().map(|job| job * 2).collect::<Vec<_>>());
        }
        assert!(each(true, &[], |job: &u32| *job).is_empty());
    }

    #[test]
    fn a_panic_is_not_lost() {
        let looked = std::panic::catch_unwind(|| {
            each(true, &[1, 2, 3], |job| assert!(*job != 2, "one fails"));
        });
        assert!(looked.is_err());
    }
}
