//! What is read off the hidden states of prompts: labels, log-probabilities, rewards. Prompts that come
//! together share what they have in common.

use std::collections::BTreeSet;

use super::compute::{Batch, Computer, Ended, PASS, Place, Stopped, decoder};
use super::labels;
use super::plan::{Plan, Prompt, Row};
use super::request::{Ask, Job, Outcome, Role, Task};
use crate::model::decoder::compute::Compute;
use crate::model::decoder::pass::{Known, Link, Pass, Segment, Wanted};

/// Rows that go through the head at a time: the vocabulary is far wider than a hidden state, so the
/// logits of a whole sequence would not fit into memory.
const HEAD_ROWS: usize = 128;

/// A prompt, and the first token whose hidden state the head is to see.
pub(super) struct Wish<'a> {
    pub ids: &'a [u32],
    pub from: usize,
}

impl<'a> Wish<'a> {
    fn of(task: &'a Task) -> Self {
        let all = task.ids.as_slice();
        match task.ask {
            // Nothing is read off the last token: it is only predicted.
            Ask::LogProbs { from } => Wish {
                ids: &all[..(all.len() - 1).max(1)],
                from: from - 1,
            },
            _ => Wish {
                ids: all,
                from: all.len() - 1,
            },
        }
    }
}

/// What is read off a prompt.
enum Reading {
    First(Option<labels::First>),
    LogProbs(Result<Vec<f64>, String>),
    Reward(Result<Vec<f64>, String>),
}

impl Reading {
    fn of(task: &Task) -> Self {
        match task.ask {
            Ask::LogProbs { .. } => Reading::LogProbs(Ok(Vec::new())),
            Ask::Reward => Reading::Reward(Err("nothing to compute".into())),
            _ => Reading::First(None),
        }
    }

    /// Takes the head's output at a token, of these ids alone or of all. A prompt's tokens come in
    /// order.
    fn take(&mut self, task: &Task, at: usize, of: Option<&[u32]>, logits: &[f32]) {
        match self {
            Reading::First(found) => {
                let labels = asked(task);
                *found = Some(match of {
                    Some(ids) => labels::among(labels, ids, logits),
                    None => labels::first(labels, logits, top(task)),
                });
            }
            Reading::LogProbs(known) => {
                let asked = |from: usize| at + 1 >= from;
                let next = match task.ask {
                    Ask::LogProbs { from } if asked(from) => task.ids.get(at + 1),
                    _ => None,
                };
                let Some(next) = next else { return };
                match labels::log_probability(logits, *next) {
                    Ok(p) => {
                        if let Ok(known) = known {
                            known.push(p);
                        }
                    }
                    Err(cause) => *known = Err(cause),
                }
            }
            Reading::Reward(found) => {
                let values: Vec<f64> = logits.iter().map(|l| f64::from(*l)).collect();
                *found = match values.iter().all(|v| v.is_finite()) {
                    true => Ok(values),
                    false => Err("the model's reward is not a number".into()),
                };
            }
        }
    }
}

/// Among how many of the likeliest tokens a task's labels must be.
fn top(task: &Task) -> Option<usize> {
    match task.ask {
        Ask::Labels { top, .. } => top,
        _ => None,
    }
}

/// The labels that a task asks for.
fn asked(task: &Task) -> &[Vec<u32>] {
    match &task.ask {
        Ask::Labels { labels, .. } => labels,
        _ => &[],
    }
}

impl<C: Compute> Computer<'_, C> {
    /// Computes prompts together, of the head the outputs `of` or all. Calls `row` for each wanted token of each prompt, in order, with
    /// the prompt, the token's place and what the head says there. Gives back the chains of all
    /// prompts, and how many tokens were computed for each.
    #[allow(clippy::type_complexity)]
    pub(super) fn prompts(
        &mut self,
        role: Role,
        long: bool,
        of: Option<&[u32]>,
        wishes: &[Wish<'_>],
        jobs: &[Job],
        row: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Ended<(Vec<Vec<Known<C::Keys>>>, Vec<usize>)> {
        let prompts: Vec<Prompt<'_, C::Keys>> = wishes
            .iter()
            .map(|wish| Prompt {
                ids: wish.ids,
                from: wish.from,
                known: self.cache.longest((role, long), wish.ids),
            })
            .collect();
        let mut plan = Plan::new(&prompts, PASS);
        let decoder = decoder(self.models, role)?;
        while let Some((mut pass, step)) = plan.pass(PASS, long, |n| decoder.keys(n))? {
            let hidden = self.forward(role, &mut pass, jobs)?;
            for (n, wanted) in step.rows.chunks(HEAD_ROWS).enumerate() {
                if n > 0 {
                    // A wide head over many rows takes as long as some layers do.
                    self.pause(jobs)?;
                }
                let logits = match step.rows.len() <= HEAD_ROWS {
                    true => decoder.logits(&hidden, of)?,
                    false => {
                        let first = n * HEAD_ROWS;
                        let rows: Vec<usize> = (first..first + wanted.len()).collect();
                        decoder.logits(&decoder.device().pick(&hidden, &rows)?, of)?
                    }
                };
                let width = logits.len() / wanted.len();
                for (logits, Row { at, prompts }) in logits.chunks(width.max(1)).zip(wanted) {
                    prompts.iter().for_each(|prompt| row(*prompt, *at, logits));
                }
            }
            plan.computed(&step, pass);
        }
        let chains = plan.chains(wishes.len());
        for (wish, chain) in wishes.iter().zip(&chains) {
            self.cache.keep((role, long), wish.ids, chain);
        }
        Ok((chains, plan.shares(wishes.len())))
    }

    /// Labels (with `alone`, nothing of the head but these), log-probabilities and rewards of prompts.
    pub(super) fn read_off(
        &mut self,
        batch: &mut Batch,
        role: Role,
        long: bool,
        alone: bool,
        places: &[Place],
    ) -> Ended<()> {
        let tasks: Vec<&Task> = places.iter().map(|place| batch.task(*place)).collect();
        let wishes: Vec<Wish<'_>> = tasks.iter().map(|task| Wish::of(task)).collect();
        let mut readings: Vec<Reading> = tasks.iter().map(|task| Reading::of(task)).collect();
        let of = alone.then(|| {
            let all = tasks.iter().flat_map(|task| asked(task)).flatten();
            all.copied().collect::<BTreeSet<u32>>()
        });
        let of: Option<Vec<u32>> = of.map(|ids| ids.into_iter().collect());
        let of = of.as_deref();
        let take = &mut |prompt: usize, at: usize, logits: &[f32]| {
            readings[prompt].take(tasks[prompt], at, of, logits);
        };
        let (chains, computed) = self.prompts(role, long, of, &wishes, &batch.jobs, take)?;
        let mut outcomes = Vec::with_capacity(places.len());
        for (at, reading) in readings.into_iter().enumerate() {
            let computed = computed[at];
            let outcome = match reading {
                Reading::First(first) => {
                    let chain = &chains[at];
                    self.labels(role, long, tasks[at], first, chain, &batch.jobs)
                        .map(|probabilities| Outcome::Labels {
                            probabilities,
                            mass: !alone,
                            missing: 0.0,
                            computed,
                        })
                }
                Reading::LogProbs(values) => values
                    .map(|values| Outcome::LogProbs { values, computed })
                    .map_err(Stopped::Failed),
                Reading::Reward(labels) => labels
                    .map(|labels| Outcome::Reward { labels, computed })
                    .map_err(Stopped::Failed),
            };
            if matches!(outcome, Err(Stopped::Cancelled)) {
                return Err(Stopped::Cancelled);
            }
            outcomes.push(outcome);
        }
        for (place, outcome) in places.iter().zip(outcomes) {
            batch.set(*place, outcome);
        }
        Ok(())
    }

    /// Probabilities of labels from what the first distribution tells of them.
    fn labels(
        &mut self,
        role: Role,
        long: bool,
        task: &Task,
        first: Option<labels::First>,
        chain: &[Known<C::Keys>],
        jobs: &[Job],
    ) -> Ended<Vec<f64>> {
        match first {
            None => Err(Stopped::Failed("nothing to compute".into())),
            Some(Err(cause)) => Err(Stopped::Failed(cause)),
            Some(Ok(labels::Known::All(probabilities))) => Ok(probabilities),
            Some(Ok(labels::Known::Next(next))) => {
                labels::onward(asked(task), &next, &mut |tokens| {
                    self.after(role, long, chain, tokens, jobs)
                })
            }
        }
    }

    /// Log-probabilities of the next token after a chain and some more tokens.
    fn after(
        &mut self,
        role: Role,
        long: bool,
        chain: &[Known<C::Keys>],
        tokens: &[u32],
        jobs: &[Job],
    ) -> Ended<Vec<f64>> {
        let keys = self.decoder(role)?.keys(tokens.len())?;
        let mut pass = Pass {
            segments: vec![Segment {
                ids: tokens.to_vec(),
                chain: chain.iter().cloned().map(Link::Known).collect(),
                wanted: Wanted::Last,
                keys,
            }],
            long,
        };
        let hidden = self.forward(role, &mut pass, jobs)?;
        let logits = self.decoder(role)?.logits(&hidden, None)?;
        labels::log_probabilities(&logits).map_err(Stopped::Failed)
    }
}
