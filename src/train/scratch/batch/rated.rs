//! Trees of answers that have a label, and what the teacher says of them.

use anyhow::Result;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::{ADDRESS, Answer, Batches, REFUSAL, Rating, Tree, UNRELATED, refuses};
use crate::train::pack::{Ask, AskKind, Pack};
use crate::train::scratch::corpus::Origin;
use crate::train::scratch::{spoil, targets, tokens};

impl Batches<'_> {
    pub(super) fn rated_tree(
        &self,
        pack: &mut Pack,
        with_reference: bool,
        rng: &mut SmallRng,
    ) -> Result<()> {
        let share = self.config.training.brief_share.clamp(0.0, 1.0);
        let from = match with_reference && rng.random_bool(share) {
            true => &self.brief,
            false => &self.rated,
        };
        let Some(&(g, first)) = from.choose(rng) else {
            return Ok(());
        };
        let group = &self.groups[g];
        let others: Vec<usize> = (0..group.answers.len())
            .filter(|a| *a != first && group.answers[*a].quality.is_some())
            .collect();
        let count = if with_reference { 6 } else { 4 };
        let mut picked: Vec<usize> = others.sample(rng, count - 1).copied().collect();
        picked.push(first);
        let (reference, own) = match group.references.first() {
            _ if !with_reference => (None, true),
            Some(own) if !rng.random_bool(self.config.training.altered_share.clamp(0.0, 1.0)) => {
                (Some(own.as_slice()), true)
            }
            // Another decent answer serves.
            _ => {
                let decent: Vec<&Answer> = others
                    .iter()
                    .filter(|a| !picked.contains(a) && group.answers[**a].is_decent())
                    .map(|a| &group.answers[*a])
                    .collect();
                match (decent.choose(rng), group.references.first()) {
                    (Some(other), _) => (Some(other.tokens.as_slice()), false),
                    (None, own) => (own.map(Vec::as_slice), true),
                }
            }
        };
        let mut tree = self.root(pack, &group.task, reference)?;
        for a in picked {
            self.rate_taught(&mut tree, (g, a), own, rng)?;
        }
        // Rare here: a judge that is never sure whether a long answer belongs to its task rates all of
        // them by that doubt.
        if rng.random_bool(0.12) && !group.is_brief() {
            let stranger = self.stranger(g, rng);
            self.rate(&mut tree, stranger, UNRELATED, false, rng)?;
        }
        if rng.random_bool(0.3 * self.config.training.addressed_share.clamp(0.0, 1.0)) {
            let tokens = tokens::encode(self.tokenizer, &spoil::address(rng))?;
            self.rate(&mut tree, &tokens, ADDRESS, false, rng)?;
        }
        if rng.random_bool(0.03)
            && let Some(refusal) = self.refusals.choose(rng)
        {
            self.rate(&mut tree, refusal, REFUSAL, false, rng)?;
        }
        Ok(())
    }

    /// A model's response, rated by its label and by the teacher: altered ones, and those
    /// beside a reference that is not the label's, by the teacher alone.
    fn rate_taught(
        &self,
        tree: &mut Tree<'_>,
        (g, a): (usize, usize),
        own_reference: bool,
        rng: &mut SmallRng,
    ) -> Result<()> {
        let answer = &self.groups[g].answers[a];
        let Some(label) = answer.quality else {
            return Ok(());
        };
        let share = self.taught(answer);
        let altered =
            share.is_some() && rng.random_bool(self.config.training.altered_share.clamp(0.0, 1.0));
        let tokens = if altered {
            self.altered(&answer.tokens, rng)
        } else {
            answer.tokens.clone()
        };
        if tokens.is_empty() {
            return Ok(());
        }
        let text = self.text(&tokens)?;
        let share = match share {
            Some(_) if altered || !own_reference => 1.0,
            share => share.unwrap_or(0.0),
        } as f32;
        let taught = targets::digits(self.teacher.rate(g, &tree.triple(&text)));
        let mut target = targets::digits(label);
        for (t, r) in target.iter_mut().zip(taught) {
            *t = share * r + (1.0 - share) * *t;
        }
        let root = tree.root;
        let segment = tree.pack.add(Some(root), &tokens);
        if label >= 4.0 {
            let rows = tree.pack.segments[segment].rows.clone();
            tree.pack.relevant.push((rows, true));
        }
        if label >= 4.0 && !altered {
            tree.pack.ending.insert(segment);
        }
        let (weight, firm) = (1.0, false);
        let rating = Rating {
            target,
            weight,
            firm,
        };
        self.ask(tree, segment, rating, &text);
        Ok(())
    }

    /// The teacher's share in the target of an answer whose label is a preference.
    fn taught(&self, answer: &Answer) -> Option<f64> {
        let relative = [Origin::AlpacaEval2, Origin::AlpacaEval1, Origin::BestOf];
        let share = self.config.training.teacher_share.clamp(0.0, 1.0);
        relative.contains(&answer.origin).then_some(share)
    }

    /// Without its end, or without a part in its middle, from one end of a sentence to another.
    fn altered(&self, tokens: &[u32], rng: &mut SmallRng) -> Vec<u32> {
        let is_end = |i: &usize| self.sentence_ends.get(tokens[*i] as usize) == Some(&true);
        let ends: Vec<usize> = (0..tokens.len()).filter(is_end).map(|i| i + 1).collect();
        if ends.len() < 3 {
            return tokens.to_vec();
        }
        let first = rng.random_range(0..ends.len() - 1);
        if rng.random_bool(0.5) {
            return tokens[..ends[first]].to_vec();
        }
        let last = rng.random_range(first..ends.len());
        [&tokens[..ends[first]], &tokens[ends[last]..]].concat()
    }

    /// One of two answers that people chose between beside the other, rated by the teacher: few
    /// instructions have several rated answers, many have two.
    pub(super) fn peer_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
        let Some(&g) = self.chosen.choose(rng) else {
            return Ok(());
        };
        let group = &self.groups[g];
        let Some((a, b, _)) = group.choices.choose(rng) else {
            return Ok(());
        };
        let mut both = [&group.answers[*a].tokens, &group.answers[*b].tokens];
        both.shuffle(rng);
        let [reference, response] = both;
        if reference.is_empty() || response.is_empty() || refuses(&self.text(response)?) {
            return Ok(());
        }
        let mut tree = self.root(pack, &group.task, Some(reference))?;
        for tokens in [response.clone(), self.altered(response, rng)] {
            let text = self.text(&tokens)?;
            let target = targets::digits(self.teacher.rate(g, &tree.triple(&text)));
            let root = tree.root;
            let segment = tree.pack.add(Some(root), &tokens);
            let rows = tree.pack.segments[segment].rows.clone();
            tree.pack.relevant.push((rows, true));
            let (weight, firm) = (1.0, false);
            let rating = Rating {
                target,
                weight,
                firm,
            };
            self.ask(&mut tree, segment, rating, &text);
        }
        Ok(())
    }

    /// Two answers to one instruction, the first where a reference stands, with what people choose: what they did choose
    /// counts half, what the teacher says of it the other half, and all where nobody was asked.
    pub(super) fn pair_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
        let drawn = if rng.random_bool(0.5) {
            self.chosen.choose(rng).and_then(|g| {
                let (a, b, better) = *self.groups[*g].choices.choose(rng)?;
                Some((*g, [a, b], Some(better)))
            })
        } else {
            self.rated.choose(rng).and_then(|&(g, a)| {
                let others: Vec<usize> = (0..self.groups[g].answers.len())
                    .filter(|b| *b != a)
                    .collect();
                Some((g, [a, *others.choose(rng)?], None))
            })
        };
        let Some((g, mut both, mut better)) = drawn else {
            return Ok(());
        };
        if rng.random_bool(0.5) {
            both.reverse();
            better = better.map(|p| 1.0 - p);
        }
        let group = &self.groups[g];
        let [first, second] = both.map(|at| &group.answers[at].tokens);
        if first.is_empty() || second.is_empty() {
            return Ok(());
        }
        let task = self.text(&group.task)?;
        let texts = [self.text(first)?, self.text(second)?];
        let taught = self
            .teacher
            .first(g, &task, [texts[0].as_str(), texts[1].as_str()]);
        let p = better.map_or(taught, |p| 0.5 * (p + taught));
        let Tree { pack, root, .. } = self.root(pack, &group.task, Some(first))?;
        let mut tokens = second.clone();
        tokens.push(tokens::CHOOSE);
        let segment = pack.add(Some(root), &tokens);
        pack.asks.push(Ask {
            row: pack.last_row(segment),
            target: vec![(self.choose[0], p as f32), (self.choose[1], 1.0 - p as f32)],
            weight: 1.0,
            kind: AskKind::Judgment,
            firm: None,
        });
        Ok(())
    }
}
