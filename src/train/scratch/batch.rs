//! Packs to train on, drawn from the corpus: each step's packs follow from the seed, the step and
//! their index alone, so a run that resumes sees what it would have seen.

mod made_up;
mod rated;
mod unrated;

use anyhow::{Result, anyhow};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokenizers::Tokenizer;

use super::config::Config;
use super::corpus::{Corpus, Origin};
use super::teacher::Teacher;
use super::tokens;
use super::veil::Veil;
use crate::stats::surface::Triple;
use crate::train::pack::{Ask, AskKind, Firm, Pack};

/// What is made up as a failure lies below what models and people answer.
const UNRELATED: f64 = 0.5;
const REFUSAL: f64 = 0.8;
const ADDRESS: f64 = 0.3;

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
            self.find(&mut pack, segment);
            let veiled = self.config.training.veiled_share.clamp(0.0, 1.0);
            if !language_only && rng.random_bool(veiled) {
                let becomes = self.veil.draw(rng);
                for id in &mut pack.ids[row..] {
                    *id = becomes[*id as usize];
                }
                let added = segment..pack.segments.len();
                pack.veiled.extend(added);
            }
        }
        if language_only {
            pack.asks.clear();
            pack.relevant.clear();
            pack.in_reference.clear();
            pack.in_task.clear();
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
