//! A pool of persistent threads for short parallel loops.
//!
//! A forward pass dispatches several loops per layer, each lasting from tens of microseconds to
//! milliseconds. Workers therefore spin for a moment after a loop before they sleep, and the caller
//! never waits for a worker that has not joined: where the machine is busy and a worker comes late,
//! the caller has done the parts itself.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// How often a worker looks for a new loop before it sleeps (tens of microseconds).
const SPINS: u32 = 2000;
/// The gate's bit that says workers may still join the loop; below it, how many have joined and
/// not left; above it, the loop's number.
const OPEN: u64 = 1 << 16;
const JOINED: u64 = OPEN - 1;
const EPOCH: u32 = 17;

/// One loop: lives on the caller's stack while the gate lets workers use it.
struct Loop<'a> {
    body: &'a (dyn Fn(usize) + Sync),
    parts: usize,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Loop<'_> {
    /// Claims and runs parts until none is left. A panic ends the claiming and is kept.
    fn work(&self) {
        let done = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let part = self.next.fetch_add(1, Ordering::Relaxed);
                if part >= self.parts {
                    return;
                }
                (self.body)(part);
            }
        }));
        if let Err(payload) = done {
            self.next.store(self.parts, Ordering::Relaxed);
            let mut kept = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get_or_insert(payload);
        }
    }
}

#[derive(Default)]
struct Shared {
    gate: AtomicU64,
    current: AtomicPtr<()>,
    sleepers: AtomicUsize,
    stop: AtomicBool,
    bed: Mutex<()>,
    wake: Condvar,
}

impl Shared {
    fn wake_all(&self) {
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }

    /// Whether the gate stands open on a loop other than the one numbered `seen`.
    fn fresh(gate: u64, seen: u64) -> bool {
        gate & OPEN != 0 && gate >> EPOCH != seen
    }

    /// Spins, then sleeps, until there is a loop not seen yet; its gate value, or none at the end.
    fn wait(&self, seen: u64) -> Option<u64> {
        for _ in 0..SPINS {
            let gate = self.gate.load(Ordering::SeqCst);
            if Self::fresh(gate, seen) {
                return Some(gate);
            }
            std::hint::spin_loop();
        }
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        // Announced before the gate is looked at again: the caller opens the gate, then looks for
        // sleepers, so one of the two sees the other.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        let gate = loop {
            if self.stop.load(Ordering::SeqCst) {
                break None;
            }
            let gate = self.gate.load(Ordering::SeqCst);
            if Self::fresh(gate, seen) {
                break Some(gate);
            }
            bed = self.wake.wait(bed).unwrap_or_else(PoisonError::into_inner);
        };
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        gate
    }

    fn serve(&self) {
        let mut seen = 0;
        while let Some(gate) = self.wait(seen) {
            let joined =
                self.gate
                    .compare_exchange(gate, gate + 1, Ordering::SeqCst, Ordering::SeqCst);
            if joined.is_err() {
                continue; // Another worker joined, or the loop has closed: look again.
            }
            seen = gate >> EPOCH;
            let current = self.current.load(Ordering::SeqCst).cast::<Loop<'_>>();
            // SAFETY: `run` publishes the pointer before it opens the gate, and after closing it
            // does not return (its loop stays alive) until every worker that joined has left.
            // `Loop` is only used through shared references and all its fields are `Sync`.
            unsafe { (*current).work() };
            self.gate.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// Threads that run the parts of a loop together with the caller.
pub struct Pool {
    shared: Arc<Shared>,
    /// Held while a loop runs; keeps the number of the last one.
    turn: Mutex<u64>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool in which `threads` threads, the caller's among them, take part. Where the system
    /// refuses a thread, the pool is smaller.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads.min(OPEN as usize / 2))
            .filter_map(|index| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("kernel-{index}"))
                    .spawn(move || shared.serve())
                    .ok()
            })
            .collect();
        Self {
            shared,
            turn: Mutex::new(0),
            workers,
        }
    }

    /// How many threads take part in a loop, the caller's included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `f(0)`, …, `f(parts - 1)`, each once, in no particular order, and returns when all are
    /// done. Where the pool is already running a loop (of another thread, or the one this call is
    /// nested in), the caller does everything itself. A panic of `f` is passed on.
    pub fn run(&self, parts: usize, f: impl Fn(usize) + Sync) {
        let turn = if parts > 1 && !self.workers.is_empty() {
            self.turn.try_lock().ok()
        } else {
            None
        };
        let Some(mut turn) = turn else {
            (0..parts).for_each(f);
            return;
        };
        let job = Loop {
            body: &f,
            parts,
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
        };
        *turn += 1;
        let shared = &*self.shared;
        let pointer = std::ptr::from_ref(&job).cast::<()>().cast_mut();
        shared.current.store(pointer, Ordering::SeqCst);
        shared.gate.store(*turn << EPOCH | OPEN, Ordering::SeqCst);
        shared.wake_all();
        job.work();
        shared.gate.fetch_and(!OPEN, Ordering::SeqCst);
        let mut spins = 0u32;
        while shared.gate.load(Ordering::SeqCst) & JOINED != 0 {
            spins += 1;
            if spins.is_multiple_of(SPINS) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
        drop(turn);
        let payload = job.panic.into_inner();
        if let Some(payload) = payload.unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(payload);
        }
    }

    /// Calls `f` on every item, each once, in no particular order.
    pub fn each<T: Send>(&self, items: Vec<T>, f: impl Fn(T) + Sync) {
        if let [_] = items[..] {
            items.into_iter().for_each(f);
            return;
        }
        let slots: Vec<Mutex<Option<T>>> = items.into_iter().map(|i| Mutex::new(Some(i))).collect();
        self.run(slots.len(), |at| {
            let item = slots[at]
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(item) = item {
                f(item);
            }
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(
            self.shared
                .bed
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches every panic of a loop's body, so there is nothing to report.
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once_whatever_the_threads() {
        for threads in [1, 2, 3, 5] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for parts in (0..200).chain([5000]) {
                let counts: Vec<AtomicUsize> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                pool.run(parts, |part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|n| n.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn loops_after_a_pause_nested_and_from_several_threads_all_finish() {
        let pool = Pool::new(3);
        let total = AtomicUsize::new(0);
        let add = |_| {
            total.fetch_add(1, Ordering::Relaxed);
        };
        std::thread::sleep(std::time::Duration::from_millis(20));
        pool.run(10, add);
        pool.run(4, |_| pool.run(5, add));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| pool.run(7, add)));
            }
        });
        assert_eq!(total.load(Ordering::Relaxed), 10 + 20 + 4 * 50 * 7);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_pool_usable() {
        let pool = Pool::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.run(100, |part| assert_ne!(part, 50, "the fiftieth part fails"));
        }));
        assert!(caught.is_err());
        let total = AtomicUsize::new(0);
        pool.run(100, |_| {
            total.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(total.load(Ordering::Relaxed), 100);
    }
}
