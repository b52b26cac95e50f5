//! How many requests a server takes at a time: found out as they are answered (additive increase, multiplicative
//! decrease).

use std::time::{Duration, Instant};

/// Requests at a time to begin with.
const FIRST: f64 = 4.0;
/// So many times the best latency mean that requests wait for one another.
const SLOW: f64 = 4.0;
/// Weight of the newest latency.
const NEWEST: f64 = 0.2;

/// The limit of one server.
#[derive(Debug)]
pub(super) struct Pace {
    limit: f64,
    most: f64,
    /// Latency in seconds, smoothed, and the best that it was.
    smooth: Option<f64>,
    best: f64,
    /// Twice as many with every round until the server first has too much.
    is_new: bool,
    /// When the limit was last lowered: what was under way then says nothing more.
    lowered: Option<Instant>,
}

impl Pace {
    pub fn new(most: usize) -> Self {
        let most = most.max(1) as f64;
        Pace {
            limit: FIRST.min(most),
            most,
            smooth: None,
            best: f64::INFINITY,
            is_new: true,
            lowered: None,
        }
    }

    /// Requests that may be under way.
    pub fn room(&self) -> usize {
        (self.limit as usize).max(1)
    }

    /// A request that began at an instant was answered. `was_full`: no further one had room beside it.
    pub fn answered(&mut self, began: Instant, now: Instant, was_full: bool) {
        let took = now.duration_since(began).as_secs_f64().max(1e-6);
        let smooth = self.smooth.map_or(took, |old| old + NEWEST * (took - old));
        self.smooth = Some(smooth);
        // The best ages: a server that has become slower for good is no busy one.
        self.best = (self.best * 1.002).min(smooth);
        if smooth > SLOW * self.best {
            self.lower(0.9, began, now);
        } else if was_full {
            let more = if self.is_new { 1.0 } else { 1.0 / self.limit };
            self.limit = (self.limit + more).min(self.most);
        }
    }

    /// The server said that it has too much to do.
    pub fn refused(&mut self, began: Instant, now: Instant) {
        self.lower(0.5, began, now);
    }

    fn lower(&mut self, by: f64, began: Instant, now: Instant) {
        self.is_new = false;
        if self.lowered.is_none_or(|lowered| began >= lowered) {
            self.limit = (self.limit * by).max(1.0);
            self.lowered = Some(now);
        }
    }
}

/// The longer of two instants, where there are two.
pub(super) fn later(a: Option<Instant>, now: Instant, wait: Duration) -> Option<Instant> {
    let b = now.checked_add(wait);
    a.max(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn it_grows_while_latency_stays_and_not_without_need() {
        let start = Instant::now();
        let mut pace = Pace::new(32);
        assert_eq!(pace.room(), 4);
        for n in 0..100 {
            pace.answered(at(start, n), at(start, n + 50), true);
        }
        assert_eq!(pace.room(), 32, "and no further");
        let mut idle = Pace::new(32);
        for n in 0..100 {
            idle.answered(at(start, n), at(start, n + 50), false);
        }
        assert_eq!(idle.room(), 4);
        assert_eq!(Pace::new(0).room(), 1);
    }

    #[test]
    fn refusals_halve_it_once_a_round_and_it_recovers_slowly() {
        let start = Instant::now();
        let mut pace = Pace::new(32);
        for n in 0..100 {
            pace.answered(at(start, n), at(start, n + 50), true);
        }
        // A round of 32 that were under way together counts once.
        for n in 0..32 {
            pace.refused(at(start, 200), at(start, 210 + n));
        }
        assert_eq!(pace.room(), 16);
        for n in 0..16 {
            pace.answered(at(start, 300 + n), at(start, 350 + n), true);
        }
        assert_eq!(pace.room(), 16, "one more a round now");
        for n in 0..10 {
            pace.refused(at(start, 1000 * (n + 1)), at(start, 1000 * (n + 1) + 10));
        }
        assert_eq!(pace.room(), 1);
    }

    #[test]
    fn latency_that_grows_lowers_it() {
        let start = Instant::now();
        let mut pace = Pace::new(32);
        for n in 0..30 {
            pace.answered(at(start, n), at(start, n + 20), true);
        }
        let before = pace.room();
        for n in 0..20 {
            pace.answered(at(start, 1000 + 500 * n), at(start, 1400 + 500 * n), true);
        }
        assert!(pace.room() < before, "{} of {before}", pace.room());
    }
}
