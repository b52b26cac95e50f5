//! On-policy self-training (SELF-JUDGE; Lee et al. 2024, arXiv 2402.11253, §3): each step the policy answers its prompts
//! twice, the model without the adapter judges the two, and the policy learns from what was preferred.

mod models;
pub mod samples;
#[cfg(test)]
mod tests;

use anyhow::Result;

pub use models::Models;
use samples::{Sample, Samples};

use super::objective::prefer::{self, Loss};
use super::objective::{Desk, Figures};
use super::ops::dropout::mix;
use super::pair_rows::{PreferencePair, Prompt};
use super::rows::Counts;
use super::run::Task;
use crate::engine::Engine;
use crate::judge::pairwise::{Compared, Pair, PairJudge, Winner};
use crate::judge::writing::{Request, Written, write};
use crate::model::sampling::Sampling;

/// What is drawn for a step to learn from, and what to evaluate by.
const TO_LEARN: u64 = 2 << 32;
const TO_EVALUATE: u64 = 3 << 32;

/// How answers are made and learned from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    pub loss: Loss,
    pub beta: f64,
    /// Its seed is the training's: a text's own comes from it, the step and the prompt.
    pub sampling: Sampling,
    /// Tokens that a prompt and an answer with its end have at most together.
    pub limit: usize,
    /// Follows every answer, whether the policy has ended it or was cut off.
    pub end: u32,
}

impl Rules {
    /// Tokens that an answer to a prompt of so many has at most, without its end.
    fn room(&self, prompt: usize) -> usize {
        let left = self.limit.saturating_sub(prompt + 1);
        left.min(self.sampling.max_tokens)
    }

    /// How answers to a prompt are drawn, by the key of each.
    fn request(&self, prompt: &Prompt, keys: &[u64]) -> Request {
        let draw = |key: &u64| Sampling {
            seed: *key,
            max_tokens: self.room(prompt.ids.len()),
            ..self.sampling
        };
        Request {
            prompt: prompt.ids.clone(),
            draws: keys.iter().map(draw).collect(),
        }
    }
}

/// Prompts whose answers are made while it goes on.
pub struct OnPolicy {
    pub prompts: Vec<Prompt>,
    pub evaluation: Vec<Prompt>,
    pub judge: PairJudge,
    pub models: Models,
    pub samples: Samples,
    pub rules: Rules,
    pub state: State,
}

/// Where it stands.
#[derive(Default)]
pub struct State {
    /// Steps taken.
    taken: usize,
    /// Tokens of the pairs of the last step.
    learned: usize,
    /// What became of the prompts of this process.
    counts: Counts,
    /// Answers of the model without the adapter to the prompts of the evaluation.
    before: Option<Vec<Result<Written, String>>>,
}

/// A pair that is learned from, and its line in the file.
struct Made {
    pair: PreferencePair,
    sample: Sample,
}

impl OnPolicy {
    /// Two answers to each of some prompts, or why there are none.
    fn answers(
        &self,
        policy: &Engine,
        items: &[usize],
    ) -> Result<Vec<Result<Vec<Written>, String>>> {
        let key = mix(self.rules.sampling.seed, TO_LEARN | self.state.taken as u64);
        let requests = items.iter().map(|item| {
            let own = mix(key, *item as u64);
            Ok(self
                .rules
                .request(&self.prompts[*item], &[mix(own, 0), mix(own, 1)]))
        });
        let facts = &self.judge.cast().policy;
        Ok(write(policy, facts, requests, &mut |_| ())?)
    }

    /// The pairs of a step: what the policy answers twice alike, and what cannot be judged, makes none.
    fn pairs(&mut self, policy: &Engine, items: &[usize]) -> Result<Vec<Made>> {
        let answers = self.answers(policy, items)?;
        let counts = &mut self.state.counts;
        counts.rows += items.len();
        let (mut asked, mut pairs) = (Vec::new(), Vec::new());
        for (item, answers) in items.iter().zip(answers) {
            let prompt = &self.prompts[*item];
            match answers.map(<[Written; 2]>::try_from) {
                Ok(Ok([a, b])) if a.text == b.text => {
                    counts.leave_out("answered in the same words twice");
                }
                Ok(Ok([a, b])) => {
                    pairs.push(Pair::of(&prompt.record, &a.text, &b.text));
                    asked.push((prompt, [a, b]));
                }
                Ok(Err(_)) => counts.leave_out("not answered twice"),
                Err(cause) => counts.fail(
                    "that could not be answered",
                    format!("{}: {cause}", prompt.record.id),
                ),
            }
        }
        let verdicts = self.judge.compare(&self.models.judge()?, &pairs)?;
        let mut made = Vec::new();
        for ((prompt, answers), verdict) in asked.into_iter().zip(verdicts) {
            match verdict {
                Ok(compared) => {
                    let step = self.state.taken + 1;
                    made.push(Made::new(prompt, answers, &compared, step, self.rules.end));
                }
                Err(cause) => counts.fail(
                    "that could not be judged",
                    format!("{}: {cause}", prompt.record.id),
                ),
            }
        }
        Ok(made)
    }

    /// An answer to each prompt of the evaluation. Of both models the same draws, so that what differs is the model.
    fn tried(&self, engine: &Engine) -> Result<Vec<Result<Written, String>>> {
        let key = mix(self.rules.sampling.seed, TO_EVALUATE);
        let requests = self.evaluation.iter().enumerate().map(|(at, prompt)| {
            let own = mix(key, at as u64);
            Ok(self.rules.request(prompt, &[own]))
        });
        let facts = &self.judge.cast().policy;
        let all = write(engine, facts, requests, &mut |_| ())?;
        let first = |texts: Vec<Written>| texts.into_iter().next().ok_or("no answer".to_owned());
        Ok(all.into_iter().map(|texts| texts.and_then(first)).collect())
    }
}

impl Made {
    fn new(
        prompt: &Prompt,
        [a, b]: [Written; 2],
        compared: &Compared,
        step: usize,
        end: u32,
    ) -> Self {
        let judgment = &compared.judgment;
        let (chosen, rejected, scores) = match judgment.advances() {
            Winner::B => (b, a, [judgment.s_b, judgment.s_a]),
            Winner::A | Winner::Tie => (a, b, [judgment.s_a, judgment.s_b]),
        };
        let record = &prompt.record;
        let id = format!("{step}/{}", record.id);
        let ended = |mut ids: Vec<u32>| {
            ids.push(end);
            ids
        };
        Made {
            sample: Sample {
                step,
                id: id.clone(),
                prompt_id: record.id.clone(),
                instruction: record.task(),
                context: record.context.clone(),
                chosen: chosen.text,
                rejected: rejected.text,
                score_chosen: scores[0],
                score_rejected: scores[1],
                tie: judgment.winner == Winner::Tie,
            },
            pair: PreferencePair {
                id,
                prompt: prompt.ids.clone(),
                chosen: ended(chosen.ids),
                rejected: ended(rejected.ids),
            },
        }
    }
}

fn mean(all: impl Iterator<Item = usize>) -> f64 {
    let (mut sum, mut count) = (0, 0usize);
    for one in all {
        sum += one;
        count += 1;
    }
    sum as f64 / count.max(1) as f64
}

impl Task for OnPolicy {
    fn tokens(&self, item: usize) -> usize {
        let prompt = self.prompts[item].ids.len();
        prompt + 2 * (self.rules.room(prompt) + 1)
    }

    fn learned(&self, _items: &[usize]) -> usize {
        self.state.learned
    }

    fn prepare(&mut self, taken: usize) -> Result<()> {
        self.state.taken = taken;
        self.samples.go_on(taken)
    }

    /// Also told are the share of prompts that made a pair, and the mean tokens of both sides, ends among them.
    fn step(&mut self, desk: &mut Desk<'_>, items: &[usize]) -> Result<Figures> {
        let policy = self.models.policy(desk.net, self.state.taken)?;
        let made = self.pairs(&policy, items)?;
        let samples: Vec<Sample> = made.iter().map(|made| made.sample.clone()).collect();
        self.samples.write(&samples)?;
        let batch: Vec<&PreferencePair> = made.iter().map(|made| &made.pair).collect();
        self.state.learned = batch.iter().map(|pair| pair.tokens()).sum();
        let mut figures = prefer::step(desk, &batch, self.rules.loss, self.rules.beta)?;
        figures.extend([
            ("kept", batch.len() as f64 / items.len().max(1) as f64),
            (
                "length_chosen",
                mean(batch.iter().map(|pair| pair.chosen.len())),
            ),
            (
                "length_rejected",
                mean(batch.iter().map(|pair| pair.rejected.len())),
            ),
        ]);
        Ok(figures)
    }

    /// How often an answer of the policy is preferred to one of the model without the adapter (`win_rate`, a tie counts
    /// half, over `compared` prompts), and the mean tokens of both, without ends.
    fn evaluate(&mut self, desk: &mut Desk<'_>) -> Result<Option<Figures>> {
        if self.evaluation.is_empty() {
            return Ok(None);
        }
        let judge = self.models.judge()?;
        let before = match self.state.before.take() {
            Some(known) => known,
            None => self.tried(&judge)?,
        };
        let policy = self.models.policy(desk.net, self.state.taken)?;
        let after = self.tried(&policy)?;
        let both = after.iter().zip(&before).zip(&self.evaluation);
        let (mut points, mut compared) = (0.0, 0usize);
        let (mut lengths, mut pairs) = (Vec::new(), Vec::new());
        for ((after, before), prompt) in both {
            let (Ok(after), Ok(before)) = (after, before) else {
                continue;
            };
            lengths.push([after.ids.len(), before.ids.len()]);
            if after.text == before.text {
                points += 0.5;
                compared += 1;
            } else {
                pairs.push(Pair::of(&prompt.record, &after.text, &before.text));
            }
        }
        for verdict in self.judge.compare(&judge, &pairs)?.into_iter().flatten() {
            compared += 1;
            points += match verdict.judgment.winner {
                Winner::A => 1.0,
                Winner::Tie => 0.5,
                Winner::B => 0.0,
            };
        }
        self.state.before = Some(before);
        let mut figures: Figures = [
            ("compared", compared as f64),
            ("length_policy", mean(lengths.iter().map(|both| both[0]))),
            ("length_base", mean(lengths.iter().map(|both| both[1]))),
        ]
        .into();
        if compared > 0 {
            figures.insert("win_rate", points / compared as f64);
        }
        Ok(Some(figures))
    }

    fn name(&self, item: usize) -> String {
        format!("prompt {}", self.prompts[item].record.id)
    }

    fn report(&self) -> Option<String> {
        let counts = &self.state.counts;
        (counts.rows > 0).then(|| format!("pairs from {counts}"))
    }
}
