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

/// Stems of labels whose next distributions are computed together.
const STEMS: usize = 64;

/// What is read off a prompt.
enum Reading<'t> {
    Labels(Result<labels::Walk<'t>, String>),
    LogProbs(Result<Vec<f64>, String>),
    Reward(Result<Vec<f64>, String>),
}

impl<'t> Reading<'t> {
    fn of(task: &Task) -> Self {
        let nothing = || "nothing to compute".to_owned();
        match task.ask {
            Ask::LogProbs { .. } => Reading::LogProbs(Ok(Vec::new())),
            Ask::Reward => Reading::Reward(Err(nothing())),
            _ => Reading::Labels(Err(nothing())),
        }
    }

    /// Takes the head's output at a token, of these ids alone or of all. A prompt's tokens come in
    /// order.
    fn take(&mut self, task: &'t Task, at: usize, of: Option<&[u32]>, logits: &[f32]) {
        match self {
            Reading::Labels(found) => {
                let labels = asked(task);
                *found = match of {
                    Some(ids) => labels::among(labels, ids, logits),
                    None => labels::Walk::new(labels, logits, top(task)),
                };
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
        let mut readings: Vec<Reading<'_>> = tasks.iter().map(|task| Reading::of(task)).collect();
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
        self.onward(role, long, &mut readings, &chains, &batch.jobs)?;
        let mut outcomes = Vec::with_capacity(places.len());
        for (at, reading) in readings.into_iter().enumerate() {
            let computed = computed[at];
            let outcome = match reading {
                Reading::Labels(walk) => walk
                    .map(|walk| Outcome::Labels {
                        probabilities: walk.probabilities(),
                        mass: !alone,
                        missing: 0.0,
                        computed,
                    })
                    .map_err(Stopped::Failed),
                Reading::LogProbs(values) => values
                    .map(|values| Outcome::LogProbs { values, computed })
                    .map_err(Stopped::Failed),
                Reading::Reward(labels) => labels
                    .map(|labels| Outcome::Reward { labels, computed })
                    .map_err(Stopped::Failed),
            };
            outcomes.push(outcome);
        }
        for (place, outcome) in places.iter().zip(outcomes) {
            batch.set(*place, outcome);
        }
        Ok(())
    }

    /// Goes on with labels of several tokens, those of all prompts together: the weights are read once for many.
    fn onward(
        &mut self,
        role: Role,
        long: bool,
        readings: &mut [Reading<'_>],
        chains: &[Vec<Known<C::Keys>>],
        jobs: &[Job],
    ) -> Ended<()> {
        loop {
            let mut stems = Vec::new();
            for (prompt, reading) in readings.iter_mut().enumerate() {
                if let Reading::Labels(Ok(walk)) = reading {
                    stems.extend(walk.stems().into_iter().map(|stem| (prompt, stem)));
                }
            }
            if stems.is_empty() {
                return Ok(());
            }
            let mut stems = stems.into_iter().peekable();
            while stems.peek().is_some() {
                let some: Vec<_> = stems.by_ref().take(STEMS).collect();
                self.pause(jobs)?;
                let logits = match self.behind_stems(role, long, &some, chains, jobs) {
                    Err(Stopped::Failed(cause)) => Err(cause),
                    ended => Ok(ended?),
                };
                let width = logits.as_ref().map_or(0, |l| l.len() / some.len());
                for (row, (prompt, stem)) in some.into_iter().enumerate() {
                    let reading = &mut readings[prompt];
                    let Reading::Labels(Ok(walk)) = reading else {
                        continue;
                    };
                    let taken = match &logits {
                        Ok(logits) => walk.take(stem, &logits[row * width..(row + 1) * width]),
                        Err(cause) => Err(cause.clone()),
                    };
                    if let Err(cause) = taken {
                        *reading = Reading::Labels(Err(cause));
                    }
                }
            }
        }
    }

    /// What the head says behind stems, one after the other.
    fn behind_stems(
        &mut self,
        role: Role,
        long: bool,
        stems: &[(usize, labels::Stem)],
        chains: &[Vec<Known<C::Keys>>],
        jobs: &[Job],
    ) -> Ended<Vec<f32>> {
        let decoder = self.decoder(role)?;
        let mut segments = Vec::with_capacity(stems.len());
        for (prompt, stem) in stems {
            segments.push(Segment {
                ids: stem.tokens.clone(),
                chain: chains[*prompt].iter().cloned().map(Link::Known).collect(),
                wanted: Wanted::Last,
                keys: decoder.keys(stem.tokens.len())?,
            });
        }
        let hidden = self.forward(role, &mut Pass { segments, long }, jobs)?;
        Ok(self.decoder(role)?.logits(&hidden, None)?)
    }
}
