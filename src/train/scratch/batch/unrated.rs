//! What teaches no rating: texts about one subject, and the next token.

use std::collections::HashSet;

use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;

use super::Batches;
use crate::train::pack::{Ask, AskKind, Pack};
use crate::train::scratch::tokens;

/// Ids below are markers, bytes, digits and the commonest pieces: they stand everywhere.
const COMMON: u32 = 500;

impl Batches<'_> {
    /// Texts about the same instruction, of one category half of the time so that the subject
    /// matter alone does not tell the pairs apart.
    pub(super) fn twins(&self, pack: &mut Pack, rng: &mut SmallRng) {
        let one_category = rng.random_bool(0.5);
        let mut category: Option<&str> = None;
        let mut used = Vec::new();
        for _ in 0..200 {
            if used.len() == 12 {
                break;
            }
            let g = if rng.random_bool(0.7) {
                self.rated.choose(rng).map(|r| r.0)
            } else {
                self.instruct.choose(rng).copied()
            };
            let Some(g) = g.filter(|g| !used.contains(g)) else {
                continue;
            };
            let group = &self.groups[g];
            if one_category && category.is_some_and(|c| c != group.category) {
                continue;
            }
            category = Some(&group.category);
            let answers: Vec<&[u32]> = group.answers.iter().map(|a| a.tokens.as_slice()).collect();
            let Some(left) = answers.choose(rng) else {
                continue;
            };
            let right = match group.references.first() {
                Some(reference) if rng.random_bool(0.7) => reference.as_slice(),
                _ => match answers.iter().filter(|a| *a != left).count() {
                    0 => group.task.as_slice(),
                    _ => answers.choose(rng).copied().unwrap_or(left),
                },
            };
            if left == &right || left.is_empty() || right.is_empty() {
                continue;
            }
            used.push(g);
            let mut side = |tokens: &[u32]| {
                let most = rng.random_range(24..=160);
                let mut text = vec![tokens::BOS];
                text.extend(&tokens[..tokens.len().min(most)]);
                pack.add(None, &text)
            };
            let twin = (side(left), side(right));
            pack.twins.push(twin);
        }
    }

    /// Marks the rarer tokens of the responses in a tree, whose root is `segment`: which of them stand in
    /// the reference, and which in the instruction.
    pub(super) fn find(&self, pack: &mut Pack, segment: usize) {
        let Some(root) = pack.segments.get(segment) else {
            return;
        };
        let prompt = &pack.ids[root.rows.clone()];
        let (task, reference) = match prompt.iter().position(|id| *id == tokens::REFERENCE) {
            Some(at) => (&prompt[..at], Some(&prompt[at..])),
            None => (prompt, None),
        };
        let set = |ids: &[u32]| ids.iter().copied().collect::<HashSet<u32>>();
        let (task, reference) = (set(task), reference.map(set));
        for row in root.rows.end..pack.len() {
            let id = pack.ids[row];
            if id < COMMON {
                continue;
            }
            pack.in_task.push((row, task.contains(&id)));
            if let Some(reference) = &reference {
                pack.in_reference.push((row, reference.contains(&id)));
            }
        }
    }

    /// Next-token losses at a share of positions; a response's last token is followed by the end
    /// marker.
    pub(super) fn language(&self, pack: &mut Pack, language_only: bool, rng: &mut SmallRng) {
        let training = &self.config.training;
        let share = f64::from(training.language_share);
        let weight = if language_only {
            1.0
        } else {
            training.language_weight
        };
        for (at, segment) in pack.tokens.segments.iter().enumerate() {
            if pack.veiled.contains(&at) {
                continue;
            }
            for row in segment.rows.clone() {
                let next = match pack.tokens.ids.get(row + 1) {
                    Some(id) if row + 1 < segment.rows.end => *id,
                    _ if pack.ending.contains(&at) => tokens::END,
                    _ => continue,
                };
                let is_end = next == tokens::END;
                // A marker tells little about language.
                let is_marker = next <= tokens::CHOOSE;
                if !is_end && (is_marker || !rng.random_bool(share)) {
                    continue;
                }
                pack.asks.push(Ask {
                    row,
                    target: vec![(next, 1.0)],
                    weight,
                    kind: AskKind::Language,
                    firm: None,
                });
            }
        }
    }
}
