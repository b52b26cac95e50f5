//! Keys and values of recent prompts, so that a prompt that begins like one of them computes only
//! what is new.

use crate::model::Result;
use crate::model::decoder::State;

use super::request::Role;

struct Entry {
    role: Role,
    ids: Vec<u32>,
    state: State,
    used: u64,
}

/// Whole prompts, the least recently used evicted first.
pub struct PrefixCache {
    entries: Vec<Entry>,
    budget: usize,
    clock: u64,
}

fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

impl PrefixCache {
    /// A cache that holds at most `budget` bytes.
    pub fn new(budget: usize) -> Self {
        PrefixCache {
            entries: Vec::new(),
            budget,
            clock: 0,
        }
    }

    /// The state after the longest known beginning of `ids`, at least one token short of all of
    /// them (the last one is always computed, for its hidden state).
    pub fn longest(&mut self, role: Role, ids: &[u32]) -> Result<State> {
        self.clock += 1;
        let most = ids.len().saturating_sub(1);
        let best = self
            .entries
            .iter_mut()
            .filter(|e| e.role == role)
            .map(|e| (common(&e.ids, ids).min(most), e))
            .max_by_key(|(n, _)| *n);
        match best {
            Some((n, entry)) if n > 0 => {
                entry.used = self.clock;
                entry.state.prefix(n)
            }
            _ => Ok(State::default()),
        }
    }

    /// Keeps a prompt's state; shorter prompts that it begins with are dropped.
    pub fn keep(&mut self, role: Role, ids: &[u32], state: State) {
        self.entries
            .retain(|e| e.role != role || !ids.starts_with(&e.ids));
        self.entries.push(Entry {
            role,
            ids: ids.to_vec(),
            state,
            used: self.clock,
        });
        while self.bytes() > self.budget {
            let oldest = (0..self.entries.len()).min_by_key(|i| self.entries[*i].used);
            match oldest {
                Some(i) => self.entries.swap_remove(i),
                None => break,
            };
        }
    }

    fn bytes(&self) -> usize {
        self.entries.iter().map(|e| e.state.bytes()).sum()
    }
}
