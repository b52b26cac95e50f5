//! Which of several servers of one model is asked next: the one with the least to do that has room.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pace::{Pace, later};

/// How often a waiting request looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

struct Server {
    pace: Pace,
    under_way: usize,
    /// Not to be asked before.
    rests: Option<Instant>,
}

/// Servers of one model.
pub(super) struct Balance {
    servers: Mutex<Vec<Server>>,
    changed: Condvar,
}

/// Leave to ask one server once.
pub(super) struct Turn<'b> {
    balance: &'b Balance,
    /// Which one.
    pub server: usize,
    began: Instant,
    was_full: bool,
}

impl Balance {
    pub fn new(servers: usize, most: usize) -> Self {
        let server = |_| Server {
            pace: Pace::new(most),
            under_way: 0,
            rests: None,
        };
        Balance {
            servers: Mutex::new((0..servers).map(server).collect()),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Server>> {
        // Each change is whole, so a panic elsewhere does not spoil it.
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a server that has room; `None` once the request is no longer wanted.
    pub fn turn(&self, is_stopped: &dyn Fn() -> bool) -> Option<Turn<'_>> {
        let mut servers = self.lock();
        loop {
            if is_stopped() {
                return None;
            }
            let now = Instant::now();
            let free = |(_, s): &(usize, &mut Server)| {
                s.under_way < s.pace.room() && s.rests.is_none_or(|until| until <= now)
            };
            let least = servers
                .iter_mut()
                .enumerate()
                .filter(free)
                .min_by_key(|(_, s)| (s.under_way, usize::MAX - s.pace.room()));
            if let Some((at, server)) = least {
                server.under_way += 1;
                let was_full = server.under_way >= server.pace.room();
                if !was_full {
                    // One is woken at a time, and wakes the next: of hundreds that wait, most would find no room.
                    self.changed.notify_one();
                }
                return Some(Turn {
                    balance: self,
                    server: at,
                    began: now,
                    was_full,
                });
            }
            let waited = self.changed.wait_timeout(servers, LOOK);
            servers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Whether another server could be asked instead.
    pub fn has_others(&self) -> bool {
        self.lock().len() > 1
    }
}

impl Turn<'_> {
    fn change(&self, change: impl FnOnce(&mut Server, Instant)) {
        if let Some(server) = self.balance.lock().get_mut(self.server) {
            change(server, Instant::now());
        }
    }

    /// It was answered, be it by a refusal of this request alone.
    pub fn answered(self) {
        let (began, was_full) = (self.began, self.was_full);
        self.change(|server, now| server.pace.answered(began, now, was_full));
    }

    /// The server has too much to do: it rests, and is asked less at a time.
    pub fn refused(self, wait: Duration) {
        let began = self.began;
        self.change(|server, now| {
            server.pace.refused(began, now);
            server.rests = later(server.rests, now, wait);
        });
    }

    /// Nothing came of it: others go first for a while.
    pub fn failed(self, wait: Duration) {
        self.change(|server, now| server.rests = later(server.rests, now, wait));
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.change(|server, _| server.under_way = server.under_way.saturating_sub(1));
        self.balance.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_busy_server_is_asked() {
        let balance = Balance::new(2, 8);
        let turns: Vec<_> = (0..8).filter_map(|_| balance.turn(&|| false)).collect();
        let of = |n: usize| turns.iter().filter(|t| t.server == n).count();
        assert_eq!((of(0), of(1)), (4, 4));
        assert!(balance.turn(&|| true).is_none());
    }

    #[test]
    fn one_that_rests_is_left_alone() {
        let balance = Balance::new(2, 8);
        let first = balance.turn(&|| false).unwrap();
        let rests = first.server;
        first.refused(Duration::from_secs(60));
        for _ in 0..3 {
            let turn = balance.turn(&|| false).unwrap();
            assert_ne!(turn.server, rests);
            turn.answered();
        }
        let only = Balance::new(1, 8);
        only.turn(&|| false)
            .unwrap()
            .failed(Duration::from_millis(80));
        let began = Instant::now();
        only.turn(&|| false).unwrap().answered();
        assert!(began.elapsed() >= Duration::from_millis(80));
    }
}
