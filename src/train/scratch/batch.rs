//! Packs to train on, drawn from the corpus: each step's packs follow from the seed, the step and
//! their index alone, so a run that resumes sees what it would have seen.

use anyhow::{Result, anyhow};
use rand::rngs::SmallRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use tokenizers::Tokenizer;

use super::config::Config;
use super::corpus::{Corpus, Origin};
use super::teacher::Teacher;
use super::veil::Veil;
use super::{spoil, targets, tokens};
use crate::stats::surface::Triple;
use crate::train::pack::{Ask, AskKind, Firm, Pack};

/// What is made up as a failure lies below what models and people answer, yet not at the scale's end:
/// a judge that takes a real answer for one is then wrong by little.
const UNRELATED: f64 = 1.5;
const REFUSAL: f64 = 1.7;

/// Tokens of a short reference.
const SHORT: usize = 130;

/// Tokens of a reference beside which models' full answers differ from it most.
const BRIEF: usize = 350;

/// An answer in tokens.
#[derive(Debug)]
struct Answer {
    tokens: Vec<u32>,
    quality: Option<f64>,
    origin: Origin,
}

impl Answer {
    fn is_decent(&self) -> bool {
        self.quality.is_some_and(|q| q >= 4.7) && self.tokens.len() >= 12
    }
}

/// A group in tokens.
#[derive(Debug)]
struct Group {
    task: Vec<u32>,
    category: String,
    references: Vec<Vec<u32>>,
    answers: Vec<Answer>,
    choices: Vec<(usize, usize, f64)>,
    /// The answer's text, for instruction data.
    plain: Option<String>,
}

impl Group {
    /// Whether its own reference is brief: nothing is made up beside those, so that what a judge learns
    /// there is what people and models really answer.
    fn is_brief(&self) -> bool {
        self.references.first().is_some_and(|r| r.len() <= BRIEF)
    }
}

/// Draws packs.
#[derive(Debug)]
pub struct Batches<'a> {
    config: &'a Config,
    tokenizer: &'a Tokenizer,
    teacher: &'a Teacher,
    digits: Vec<u32>,
    choose: [u32; 2],
    groups: Vec<Group>,
    /// (group, answer) of every rated answer: groups with more answers come more often.
    rated: Vec<(usize, usize)>,
    /// Those beside a brief reference.
    brief: Vec<(usize, usize)>,
    instruct: Vec<usize>,
    chosen: Vec<usize>,
    /// Groups with at least three decent answers, none beside a brief reference.
    discussed: Vec<usize>,
    refusals: Vec<Vec<u32>>,
    /// Token ids that end a sentence or a line.
    sentence_ends: Vec<bool>,
    veil: Veil,
}

/// Keeps the two ends of a text that is too long.
pub fn cut_middle(mut tokens: Vec<u32>, limit: usize) -> Vec<u32> {
    if tokens.len() > limit {
        let head = limit.div_ceil(2);
        tokens.drain(head..tokens.len() - (limit - head));
    }
    tokens
}

/// Which ids end a sentence or a line, as byte-level BPE writes them.
fn sentence_ends(tokenizer: &Tokenizer) -> Vec<bool> {
    let size = tokenizer.get_vocab_size(true) as u32;
    let ends = |token: String| token.ends_with(['.', '!', '?', 'Ċ']);
    (0..size)
        .map(|id| tokenizer.id_to_token(id).is_some_and(ends))
        .collect()
}

fn refuses(text: &str) -> bool {
    let start: String = text.chars().take(40).collect::<String>().to_lowercase();
    let sorry = [
        "i'm sorry",
        "i am sorry",
        "sorry, ",
        "as an ai",
        "i apologize",
        "i cannot",
    ];
    text.len() < 700 && sorry.iter().any(|s| start.trim_start().starts_with(s))
}

/// What a rated position is trained on.
struct Rating {
    target: [f32; 10],
    weight: f32,
    /// Whether it should take a side: see [`Firm`].
    firm: bool,
}

/// A tree under construction in a pack.
struct Tree<'p> {
    pack: &'p mut Pack,
    root: usize,
    task: String,
    reference: Option<String>,
    /// Whether answers are held to the words of the reference.
    by_agreement: bool,
}

impl Tree<'_> {
    fn triple<'t>(&'t self, response: &'t str) -> Triple<'t> {
        Triple {
            instruction: &self.task,
            reference: self.reference.as_deref(),
            response,
        }
    }
}

impl<'a> Batches<'a> {
    /// Encodes the whole corpus.
    ///
    /// # Errors
    /// When the tokenizer refuses a text or lacks the digits.
    pub fn new(
        config: &'a Config,
        corpus: &Corpus,
        tokenizer: &'a Tokenizer,
        teacher: &'a Teacher,
    ) -> Result<Self> {
        let limits = &config.limits;
        let encode = |text: &str, limit| -> Result<Vec<u32>> {
            Ok(cut_middle(tokens::encode(tokenizer, text)?, limit))
        };
        let (mut groups, mut refusals) = (Vec::new(), Vec::new());
        for group in &corpus.groups {
            let mut answers = Vec::new();
            for answer in &group.answers {
                let encoded = encode(&answer.text, limits.response)?;
                if refuses(&answer.text) {
                    refusals.push(encoded.clone());
                }
                answers.push(Answer {
                    tokens: encoded,
                    quality: answer.quality,
                    origin: answer.origin,
                });
            }
            let references = group
                .references
                .iter()
                .map(|r| encode(r, limits.reference))
                .collect::<Result<_>>()?;
            let plain = match group.answers.as_slice() {
                [one] if one.origin == Origin::Instruct => Some(one.text.clone()),
                _ => None,
            };
            groups.push(Group {
                task: encode(&group.task, limits.instruction)?,
                category: group.category.clone(),
                references,
                answers,
                choices: group.choices.clone(),
                plain,
            });
        }
        let rated: Vec<(usize, usize)> = groups
            .iter()
            .enumerate()
            .flat_map(|(g, group)| {
                let rated = group.answers.iter().enumerate();
                rated.filter_map(move |(a, x)| x.quality.map(|_| (g, a)))
            })
            .collect();
        let is_brief = |(g, a): &&(usize, usize)| {
            let group: &Group = &groups[*g];
            group.answers[*a].origin == Origin::AlpacaEval2 && group.is_brief()
        };
        let brief = rated.iter().filter(is_brief).copied().collect();
        let which = |f: fn(&Group) -> bool| (0..groups.len()).filter(|g| f(&groups[*g])).collect();
        Ok(Batches {
            config,
            tokenizer,
            teacher,
            digits: tokens::digits(tokenizer)?,
            choose: tokens::choices(tokenizer)?,
            rated,
            brief,
            instruct: which(|g| g.plain.is_some()),
            chosen: which(|g| !g.choices.is_empty()),
            discussed: which(|g| {
                let decent = g.answers.iter().filter(|a| a.is_decent()).count();
                decent >= 3 && !g.is_brief()
            }),
            groups,
            refusals,
            sentence_ends: sentence_ends(tokenizer),
            veil: Veil::new(tokenizer),
        })
    }

    /// Sizes, for the log.
    pub fn summary(&self) -> String {
        format!(
            "{} groups, {} rated answers, {} instruction pairs, {} groups with choices, {} refusals",
            self.groups.len(),
            self.rated.len(),
            self.instruct.len(),
            self.chosen.len(),
            self.refusals.len()
        )
    }

    /// One pack of a step.
    ///
    /// # Errors
    /// When the tokenizer refuses a made-up text.
    pub fn pack(&self, step: u64, index: usize, language_only: bool) -> Result<Pack> {
        let seed = self.config.seed ^ (step << 20) ^ ((index as u64) << 8);
        let rng = &mut SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mix = &self.config.mix;
        let mut pack = Pack::default();
        if !language_only && rng.random_bool(mix.twins.clamp(0.0, 1.0)) {
            self.twins(&mut pack, rng);
            return Ok(pack);
        }
        let kinds = [
            mix.rated_ref,
            mix.rated_free,
            mix.instruct,
            mix.short,
            mix.peer,
            mix.pair,
        ];
        while pack.len() < self.config.training.pack_tokens {
            let mut draw = rng.random_range(0.0..kinds.iter().sum::<f64>());
            let kind = kinds.iter().position(|k| {
                draw -= k;
                draw < 0.0
            });
            let (row, segment) = (pack.len(), pack.segments.len());
            match kind {
                Some(0) => self.rated_tree(&mut pack, true, rng)?,
                Some(1) => self.rated_tree(&mut pack, false, rng)?,
                Some(2) => self.instruct_tree(&mut pack, rng)?,
                Some(3) => self.short_tree(&mut pack, rng)?,
                Some(4) => self.peer_tree(&mut pack, rng)?,
                _ => self.pair_tree(&mut pack, rng)?,
            }
            let veiled = self.config.training.veiled_share.clamp(0.0, 1.0);
            if !language_only && rng.random_bool(veiled) {
                let becomes = self.veil.draw(rng);
                for id in &mut pack.ids[row..] {
                    *id = becomes[*id as usize];
                }
                for segment in &mut pack.segments[segment..] {
                    segment.veiled = true;
                }
            }
        }
        if language_only {
            pack.asks.clear();
            pack.relevant.clear();
            pack.surfaces.clear();
        }
        self.language(&mut pack, language_only, rng);
        Ok(pack)
    }

    fn text(&self, tokens: &[u32]) -> Result<String> {
        let text = self.tokenizer.decode(tokens, false);
        text.map_err(|e| anyhow!("tokenizer: {e}"))
    }

    fn root<'p>(
        &self,
        pack: &'p mut Pack,
        task: &[u32],
        reference: Option<&[u32]>,
    ) -> Result<Tree<'p>> {
        let mut prompt = vec![tokens::BOS, tokens::INSTRUCTION];
        prompt.extend_from_slice(task);
        if let Some(reference) = reference {
            prompt.push(tokens::REFERENCE);
            prompt.extend_from_slice(reference);
        }
        prompt.push(tokens::RESPONSE);
        let root = pack.add(None, &prompt);
        Ok(Tree {
            pack,
            root,
            task: self.text(task)?,
            reference: reference.map(|r| self.text(r)).transpose()?,
            by_agreement: false,
        })
    }

    /// Asks for a rating of the text that ends with `segment`, and for the text's surface.
    fn ask(&self, tree: &mut Tree<'_>, segment: usize, rating: Rating, text: &str) {
        let Rating {
            target,
            weight,
            firm,
        } = rating;
        let quality = target.iter().enumerate().map(|(d, p)| d as f32 * p).sum();
        let firm = firm.then(|| Firm {
            labels: self.digits.clone(),
            quality,
            weight: weight * self.config.training.firm_weight,
        });
        let features = self.teacher.features(&tree.triple(text));
        let rate = tree.pack.add(Some(segment), &[tokens::RATE]);
        let row = tree.pack.last_row(rate);
        tree.pack.surfaces.push((row, features));
        tree.pack.asks.push(Ask {
            row,
            target: self
                .digits
                .iter()
                .zip(target)
                .filter(|(_, p)| *p > 0.0)
                .map(|(d, p)| (*d, p))
                .collect(),
            weight,
            kind: AskKind::Judgment,
            firm,
        });
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

    /// A made-up answer under a tree's root, rated; with `cut`, also rated where it breaks off halfway.
    fn rate(
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
        tree.pack.segments[segment].ends = quality >= 4.0;
        let text = self.text(tokens)?;
        let most = match tree.by_agreement {
            true => self.teacher.agreement(&tree.triple(&text)),
            false => 9.0,
        };
        let rating = self.made_up(tree, quality.min(most));
        self.ask(tree, segment, rating, &text);
        Ok(())
    }

    /// A model's response, rated by its label and by the surface ridge: altered ones, and those
    /// beside a reference that is not the label's, by the ridge alone.
    fn rate_taught(
        &self,
        tree: &mut Tree<'_>,
        answer: &Answer,
        own_reference: bool,
        rng: &mut SmallRng,
    ) -> Result<()> {
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
        let by_ridge = targets::digits(self.teacher.rate(&tree.triple(&text)));
        let mut target = targets::digits(label);
        for (t, r) in target.iter_mut().zip(by_ridge) {
            *t = share * r + (1.0 - share) * *t;
        }
        let root = tree.root;
        let segment = tree.pack.add(Some(root), &tokens);
        if label >= 4.0 {
            let rows = tree.pack.segments[segment].rows.clone();
            tree.pack.relevant.push((rows, true));
        }
        tree.pack.segments[segment].ends = label >= 4.0 && !altered;
        let (weight, firm) = (1.0, false);
        let rating = Rating {
            target,
            weight,
            firm,
        };
        self.ask(tree, segment, rating, &text);
        Ok(())
    }

    /// The ridge's share in the target of an answer whose label is a preference.
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

    /// An answer to some other instruction, of the same category half of the time.
    fn stranger(&self, group: usize, rng: &mut SmallRng) -> &[u32] {
        let same_category = rng.random_bool(0.5);
        let mut found: &[u32] = &[];
        for _ in 0..20 {
            let (g, a) = *self.rated.choose(rng).unwrap_or(&(group, 0));
            if g != group {
                found = &self.groups[g].answers[a].tokens;
                if !same_category || self.groups[g].category == self.groups[group].category {
                    break;
                }
            }
        }
        found
    }

    fn rated_tree(&self, pack: &mut Pack, with_reference: bool, rng: &mut SmallRng) -> Result<()> {
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
            self.rate_taught(&mut tree, &group.answers[a], own, rng)?;
        }
        // Rare here: a judge that is never sure whether a long answer belongs to its task rates all of
        // them by that doubt.
        if rng.random_bool(0.12) && !group.is_brief() {
            let stranger = self.stranger(g, rng);
            self.rate(&mut tree, stranger, UNRELATED, false, rng)?;
        }
        if rng.random_bool(0.03)
            && let Some(refusal) = self.refusals.choose(rng)
        {
            self.rate(&mut tree, refusal, REFUSAL, false, rng)?;
        }
        Ok(())
    }

    fn instruct_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
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
            add(&spoil::patchwork(&strangers, rng), 1.7)?;
        }
        if rng.random_bool(0.2) {
            add(&spoil::salad(plain, rng), 1.7)?;
        }
        if with_reference
            && rng.random_bool(0.45)
            && let Some(text) = spoil::wrong(plain, &strangers.join(" "), rng)
        {
            add(&text, 2.8)?;
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
        let mut tree = self.root(pack, &group.task, reference)?;
        tree.by_agreement = good.tokens.len() <= SHORT;
        for (tokens, quality) in rated {
            let cut = quality > 6.0 && rng.random_bool(0.3);
            self.rate(&mut tree, &tokens, quality, cut, rng)?;
        }
        Ok(())
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

    /// Short answers by different hands beside a short reference: what they share is their subject,
    /// not their words. Lengths are drawn for each, so that they tell nothing.
    fn short_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
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
        for _ in 0..if with_reference { 1 } else { 2 } {
            let stranger = self.stranger(g, rng);
            let opening = self.opening(stranger, rng.random_range(12..120));
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
            self.rate(&mut tree, &salad, 1.7, false, rng)?;
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

    fn ends_well(&self, tokens: &[u32]) -> bool {
        let is_end = |id: &u32| self.sentence_ends.get(*id as usize) == Some(&true);
        tokens.last().is_none_or(is_end)
    }

    /// One of two answers that people chose between beside the other, rated by the surface ridge: few
    /// instructions have several rated answers, many have two.
    fn peer_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
        let group = self.chosen.choose(rng).map(|g| &self.groups[*g]);
        let Some(group) = group else {
            return Ok(());
        };
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
            let target = targets::digits(self.teacher.rate(&tree.triple(&text)));
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

    fn pair_tree(&self, pack: &mut Pack, rng: &mut SmallRng) -> Result<()> {
        let drawn = if rng.random_bool(0.5) {
            self.chosen.choose(rng).and_then(|g| {
                let choice = self.groups[*g].choices.choose(rng)?;
                Some((*g, *choice))
            })
        } else {
            self.rated.choose(rng).and_then(|(g, a)| {
                let answers = &self.groups[*g].answers;
                let quality = |i: usize| answers[i].quality.unwrap_or(0.0);
                let others: Vec<usize> = (0..answers.len())
                    .filter(|b| answers[*b].origin == answers[*a].origin)
                    .filter(|b| (quality(*b) - quality(*a)).abs() > 1.0)
                    .collect();
                let b = *others.choose(rng)?;
                let better = 1.0 / (1.0 + (quality(b) - quality(*a)).exp());
                Some((*g, (*a, b, better)))
            })
        };
        let Some((g, (a, b, better))) = drawn else {
            return Ok(());
        };
        let group = &self.groups[g];
        let Tree { pack, root, .. } = self.root(pack, &group.task, None)?;
        for (first, second, p) in [(a, b, better), (b, a, 1.0 - better)] {
            let mut tokens = group.answers[first].tokens.clone();
            tokens.push(tokens::RESPONSE);
            let segment = pack.add(Some(root), &tokens);
            let mut tokens = group.answers[second].tokens.clone();
            tokens.push(tokens::CHOOSE);
            let segment = pack.add(Some(segment), &tokens);
            pack.asks.push(Ask {
                row: pack.last_row(segment),
                target: vec![(self.choose[0], p as f32), (self.choose[1], 1.0 - p as f32)],
                weight: 1.0,
                kind: AskKind::Judgment,
                firm: None,
            });
        }
        Ok(())
    }

    /// Texts about the same instruction, of one category half of the time so that the subject
    /// matter alone does not tell the pairs apart.
    fn twins(&self, pack: &mut Pack, rng: &mut SmallRng) {
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

    /// Next-token losses at a share of positions; a response's last token is followed by the end
    /// marker.
    fn language(&self, pack: &mut Pack, language_only: bool, rng: &mut SmallRng) {
        let training = &self.config.training;
        let share = f64::from(training.language_share);
        let weight = if language_only {
            1.0
        } else {
            training.language_weight
        };
        for segment in pack.segments.iter().filter(|s| !s.veiled) {
            for row in segment.rows.clone() {
                let next = match pack.ids.get(row + 1) {
                    Some(id) if row + 1 < segment.rows.end => *id,
                    _ if segment.ends => tokens::END,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_goes_first() {
        assert_eq!(cut_middle((0..10).collect(), 5), [0, 1, 2, 8, 9]);
        assert_eq!(cut_middle(vec![1, 2], 5), [1, 2]);
    }

    #[test]
    fn refusals_are_recognised() {
        assert!(refuses("I'm sorry, but I can't help with that."));
        assert!(!refuses("Sorrel is a herb."));
    }
}
