//! Trees of answers made up for their failures.

use anyhow::Result;
use rand::RngExt;
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};

use super::{ADDRESS, Answer, Batches, REFUSAL, Rating, SHORT, Tree, UNRELATED, cut_middle};
use crate::train::pack::Pack;
use crate::train::scratch::{spoil, targets, tokens};

/// Tokens of a failure beside a short reference: as long as what people and models write there.
const LONG: usize = 260;

impl Batches<'_> {
    pub(super) fn instruct_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
        let Some(&g) = self.instruct.choose(rng) else {
            return Ok(());
        };
        let group = &self.groups[g];
        let (Some(plain), Some(good)) = (&group.plain, group.answers.first()) else {
            return Ok(());
        };
        let strangers: Vec<&str> = (0..6)
            .filter_map(|_| self.instruct.choose(rng))
            .filter(|s| **s != g)
            .filter_map(|s| self.groups[*s].plain.as_deref())
            .collect();
        let share = self.config.training.copied_share.clamp(0.0, 1.0);
        let with_reference = rng.random_bool(share);
        let reference = with_reference.then_some(good.tokens.as_slice());
        let best = if with_reference { 8.5 } else { 7.5 };
        let mut rated: Vec<(Vec<u32>, f64)> = Vec::new();
        let limit = self.config.limits.response;
        let mut add = |text: &str, quality: f64| -> Result<()> {
            let tokens = tokens::encode(self.tokenizer, text)?;
            rated.push((cut_middle(tokens, limit), quality));
            Ok(())
        };
        if with_reference && rng.random_bool(0.65) {
            add(&spoil::reworded(plain, rng), best)?;
        }
        if rng.random_bool(if with_reference { 0.25 } else { 0.9 }) {
            add(plain, best + if with_reference { 0.5 } else { 0.0 })?;
        }
        if let Some(stranger) = strangers.first().filter(|_| rng.random_bool(0.7)) {
            add(stranger, UNRELATED)?;
        }
        if rng.random_bool(0.2) {
            add(&spoil::patchwork(&strangers, rng), 0.8)?;
        }
        if rng.random_bool(0.2) {
            add(&spoil::salad(plain, rng), 0.8)?;
        }
        if with_reference
            && rng.random_bool(0.45)
            && let Some(text) = spoil::wrong(plain, &strangers.join(" "), rng)
        {
            add(&text, 2.0)?;
        }
        if let Some(first) = spoil::terse(plain).filter(|_| rng.random_bool(0.3)) {
            add(first, 5.5)?;
        }
        if let Some(stranger) = strangers.last().filter(|_| rng.random_bool(0.15)) {
            add(&format!("{plain}\n\n{stranger}"), 4.0)?;
        }
        if rng.random_bool(0.25)
            && let Some(refusal) = self.refusals.choose(rng)
        {
            rated.push((refusal.clone(), REFUSAL));
        }
        if rng.random_bool(self.config.training.addressed_share.clamp(0.0, 1.0)) {
            rated.push((
                tokens::encode(self.tokenizer, &spoil::address(rng))?,
                ADDRESS,
            ));
        }
        let mut tree = self.root(pack, &group.task, reference)?;
        tree.by_agreement = good.tokens.len() <= SHORT;
        for (tokens, quality) in rated {
            let cut = quality > 6.0 && rng.random_bool(0.3);
            self.rate(&mut tree, &tokens, quality, cut, rng)?;
        }
        Ok(())
    }

    /// Short answers by different hands beside a short reference: what they share is their subject,
    /// not their words. Lengths are drawn for each, so that they tell nothing.
    pub(super) fn short_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
        let Some(&g) = self.discussed.choose(rng) else {
            return Ok(());
        };
        let group = &self.groups[g];
        let decent: Vec<&Answer> = group.answers.iter().filter(|a| a.is_decent()).collect();
        let mut picked: Vec<&Answer> = decent.sample(rng, 4).copied().collect();
        let mut pool: Vec<&Answer> = decent.sample(rng, 8).copied().collect();
        let reference = match (picked.pop(), group.references.first()) {
            (_, Some(own)) if rng.random_bool(0.5) => own.as_slice(),
            (Some(other), _) => other.tokens.as_slice(),
            (None, _) => return Ok(()),
        };
        let reference = self.opening(reference, rng.random_range(16..SHORT));
        let with_reference = rng.random_bool(0.75);
        let mut tree = self.root(pack, &group.task, with_reference.then_some(reference))?;
        tree.by_agreement = true;
        if with_reference {
            // One of them as near to the reference as there is, and one that takes some of its sentences.
            let mut near = Vec::with_capacity(pool.len());
            for answer in pool.drain(..) {
                let opening = self.opening(&answer.tokens, reference.len() + 16);
                let agreement = self.teacher.agreement(&tree.triple(&self.text(opening)?));
                near.push((agreement, opening));
            }
            near.sort_by(|a, b| b.0.total_cmp(&a.0));
            if let Some((_, opening)) = near.first() {
                self.rate(&mut tree, opening, 8.7, false, rng)?;
            }
            if let Some((_, opening)) = near.last() {
                let own = self.part(reference, rng);
                let mut both = [own.as_slice(), opening];
                both.shuffle(rng);
                let most = rng.random_range(reference.len() / 2..=2 * reference.len());
                let mixed = both.concat();
                self.rate(&mut tree, self.opening(&mixed, most), 8.7, false, rng)?;
            }
        }
        for answer in picked.iter().take(2) {
            let opening = self.opening(&answer.tokens, rng.random_range(12..120));
            let quality = 8.2 + 0.3 * (answer.quality.unwrap_or(6.0) - 6.0);
            self.rate(&mut tree, opening, quality.clamp(7.5, 9.0), false, rng)?;
        }
        // What stands further on in an answer is about the same subject and says something else.
        for answer in picked.iter().filter(|_| with_reference) {
            let excerpt = self.excerpt(&answer.tokens, rng.random_range(12..LONG), rng);
            self.rate(&mut tree, excerpt, 8.2, false, rng)?;
        }
        for _ in 0..if with_reference { 1 } else { 2 } {
            let stranger = self.stranger(g, rng);
            let opening = self.opening(stranger, rng.random_range(12..LONG));
            self.rate(&mut tree, opening, UNRELATED, false, rng)?;
        }
        let Some(answer) = picked.first() else {
            return Ok(());
        };
        let limit = rng.random_range(12..100).min(answer.tokens.len());
        if rng.random_bool(0.25) && !self.ends_well(&answer.tokens[..limit]) {
            self.rate(&mut tree, &answer.tokens[..limit], 3.0, false, rng)?;
        }
        let opening = self.opening(&answer.tokens, limit);
        if rng.random_bool(0.15) {
            let mut salad = opening.to_vec();
            salad.shuffle(rng);
            self.rate(&mut tree, &salad, 0.8, false, rng)?;
        }
        if rng.random_bool(0.15) {
            let again = [opening, opening, opening].concat();
            self.rate(&mut tree, &again, 3.5, false, rng)?;
        }
        if rng.random_bool(0.15) {
            let stranger = self.stranger(g, rng);
            let astray = [opening, self.opening(stranger, 80)].concat();
            self.rate(&mut tree, &astray, 3.3, false, rng)?;
        }
        if rng.random_bool(0.2)
            && let Some(refusal) = self.refusals.choose(rng)
        {
            let opening = self.opening(refusal, rng.random_range(12..120));
            self.rate(&mut tree, opening, REFUSAL, false, rng)?;
        }
        Ok(())
    }

    /// A made-up answer under a tree's root, rated; with `cut`, also rated where it breaks off halfway.
    pub(super) fn rate(
        &self,
        tree: &mut Tree<'_>,
        tokens: &[u32],
        quality: f64,
        cut: bool,
        rng: &mut SmallRng,
    ) -> Result<()> {
        if tokens.is_empty() {
            return Ok(());
        }
        let mut parent = tree.root;
        let mut rest = tokens;
        let start = tree.pack.len();
        if cut && tokens.len() >= 16 {
            let at = rng.random_range(tokens.len() / 4..tokens.len() * 3 / 4);
            parent = tree.pack.add(Some(parent), &tokens[..at]);
            let text = self.text(&tokens[..at])?;
            let rating = self.made_up(tree, 0.4 * quality);
            self.ask(tree, parent, rating, &text);
            rest = &tokens[at..];
        }
        let segment = tree.pack.add(Some(parent), rest);
        if cut {
            // Marks of a part that breaks off stand between; the rest alone is enough.
            let rows = tree.pack.segments[segment].rows.clone();
            tree.pack.relevant.push((rows, true));
        } else if quality >= 4.0 || quality <= UNRELATED {
            let rows = start..tree.pack.len();
            tree.pack.relevant.push((rows, quality >= 4.0));
        }
        if quality >= 4.0 {
            tree.pack.ending.insert(segment);
        }
        let text = self.text(tokens)?;
        let most = match tree.by_agreement {
            true => self.teacher.agreement(&tree.triple(&text)),
            false => 9.0,
        };
        let rating = self.made_up(tree, quality.min(most));
        self.ask(tree, segment, rating, &text);
        Ok(())
    }

    /// The rating of a made-up answer of this quality. A failure weighs less: see
    /// `Training::failure_weight`.
    fn made_up(&self, tree: &Tree<'_>, quality: f64) -> Rating {
        let decent = ((quality - 3.0) / 2.0).clamp(0.0, 1.0) as f32;
        Rating {
            target: targets::digits(quality),
            weight: decent + (1.0 - decent) * self.config.training.failure_weight,
            firm: tree.by_agreement && tree.reference.is_some(),
        }
    }

    /// About half of a text's words, in stretches of a few that follow one another.
    fn part(&self, tokens: &[u32], rng: &mut SmallRng) -> Vec<u32> {
        let mut kept = Vec::new();
        let mut rest = tokens;
        while !rest.is_empty() {
            let (stretch, after) = rest.split_at(rng.random_range(3..12).min(rest.len()));
            if rng.random_bool(0.6) {
                kept.extend_from_slice(stretch);
            }
            rest = after;
        }
        kept
    }

    /// The first sentences of a text, of at most `limit` tokens where a sentence ends within.
    fn opening<'t>(&self, tokens: &'t [u32], limit: usize) -> &'t [u32] {
        let within = &tokens[..tokens.len().min(limit)];
        let is_end = |id: &u32| self.sentence_ends.get(*id as usize) == Some(&true);
        match within.iter().rposition(is_end) {
            Some(last) if last >= 7 => &within[..=last],
            _ => within,
        }
    }

    /// Some sentences from within a text.
    fn excerpt<'t>(&self, tokens: &'t [u32], limit: usize, rng: &mut SmallRng) -> &'t [u32] {
        let is_end = |i: &usize| self.sentence_ends.get(tokens[*i] as usize) == Some(&true);
        let first = tokens.len() / 5;
        let starts: Vec<usize> = (first..tokens.len() * 4 / 5).filter(is_end).collect();
        match starts.choose(rng) {
            Some(end) => self.opening(&tokens[end + 1..], limit),
            None => self.opening(tokens, limit),
        }
    }

    fn ends_well(&self, tokens: &[u32]) -> bool {
        let is_end = |id: &u32| self.sentence_ends.get(*id as usize) == Some(&true);
        tokens.last().is_none_or(is_end)
    }
}
