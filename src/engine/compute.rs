//! One task on one model, in forward passes short enough to be interrupted between.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use candle_core::Tensor;

use super::cache::PrefixCache;
use super::local::Models;
use super::queue::Queue;
use super::request::{Answer, Ask, Job, Outcome, Role, Task};
use crate::model::decoder::{Decoder, State};
use crate::model::facts::Network;
use crate::model::sampling::Sampler;
use crate::model::{ModelError, Result, pooling};

/// Tokens of one forward pass.
const PASS: usize = 256;

/// Why a task ended without an outcome.
pub enum Stopped {
    Cancelled,
    Failed(String),
}

impl From<ModelError> for Stopped {
    fn from(error: ModelError) -> Self {
        Stopped::Failed(error.to_string())
    }
}

/// The thread's state: its models and what they remember.
pub struct Computer<'a> {
    pub models: &'a Models,
    pub cache: PrefixCache,
    pub queue: &'a Queue,
    /// Texts embedded lately: a reference is compared with all responses of its record.
    pub embedded: HashMap<(Role, Vec<u32>), Vec<f32>>,
}

/// Embeddings remembered at a time.
const REMEMBERED: usize = 4096;

impl Computer<'_> {
    /// Runs a job to its end and answers it.
    pub fn run(&mut self, job: &Job) {
        let started = Instant::now();
        let mut outcomes = Vec::with_capacity(job.tasks.len());
        let mut answer = None;
        for task in &job.tasks {
            // A panic fails this job alone; whoever waits for it is told.
            let result = catch_unwind(AssertUnwindSafe(|| self.task(job, task)));
            let result = result.unwrap_or_else(|_| {
                Err(Stopped::Failed("the engine panicked on this prompt".into()))
            });
            match result {
                Ok(outcome) => outcomes.push(outcome),
                Err(Stopped::Cancelled) => answer = Some(Answer::Cancelled { id: job.id }),
                Err(Stopped::Failed(cause)) => answer = Some(Answer::Failed { id: job.id, cause }),
            }
            if answer.is_some() {
                break;
            }
        }
        let answer = answer.unwrap_or(Answer::Done {
            id: job.id,
            outcomes,
            seconds: started.elapsed().as_secs_f64(),
        });
        self.queue.ended();
        // A receiver that is gone no longer wants to know.
        let _ = job.reply.send(answer);
    }

    fn task(&mut self, job: &Job, task: &Task) -> std::result::Result<Outcome, Stopped> {
        if task.ids.is_empty() {
            return Err(Stopped::Failed("the prompt is empty".into()));
        }
        match &task.ask {
            Ask::Embed => self.embed(job, task),
            Ask::Labels(labels) => {
                let (hidden, state, computed) = self.prompt(job, task.role, &task.ids)?;
                let next = self.decoder(task.role)?.next_log_probs(&hidden)?;
                let probabilities = self.labels(task.role, labels, &next, &state)?;
                Ok(Outcome::Labels {
                    probabilities,
                    computed,
                })
            }
            Ask::Generate { sampling, end } => {
                let (mut hidden, mut state, _) = self.prompt(job, task.role, &task.ids)?;
                let mut sampler = Sampler::new(*sampling);
                let mut ids = Vec::new();
                let room = self.decoder(task.role)?.config().context - task.ids.len();
                while ids.len() < sampling.max_tokens.min(room) {
                    self.pause(job)?;
                    let decoder = self.decoder(task.role)?;
                    let token = sampler.draw(&decoder.next_log_probs(&hidden)?);
                    if end.contains(&token) {
                        return Ok(Outcome::Generated { ids, ended: true });
                    }
                    ids.push(token);
                    let _ = job.reply.send(Answer::Token { id: job.id, token });
                    (hidden, state) = decoder.forward(&[token], &state)?;
                }
                Ok(Outcome::Generated { ids, ended: false })
            }
        }
    }

    fn embed(&mut self, job: &Job, task: &Task) -> std::result::Result<Outcome, Stopped> {
        let key = (task.role, task.ids.clone());
        if let Some(vector) = self.embedded.get(&key) {
            return Ok(Outcome::Embedding {
                vector: vector.clone(),
                computed: 0,
            });
        }
        self.pause(job)?;
        let vector = match &self.models.of(task.role).network {
            Network::Bert(bert) => {
                let mut sum = Decoder::sum_rows(&bert.forward(&task.ids)?)?;
                pooling::normalize(&mut sum);
                sum
            }
            Network::Decoder(_) => self.mean_hidden(job, task)?,
        };
        if self.embedded.len() >= REMEMBERED {
            self.embedded.clear();
        }
        self.embedded.insert(key, vector.clone());
        Ok(Outcome::Embedding {
            vector,
            computed: task.ids.len(),
        })
    }

    /// The mean of a decoder's hidden states, pass by pass.
    fn mean_hidden(&mut self, job: &Job, task: &Task) -> std::result::Result<Vec<f32>, Stopped> {
        let (mut state, mut sum) = (State::default(), Vec::new());
        for pass in task.ids.chunks(PASS) {
            self.pause(job)?;
            let (hidden, after) = self.decoder(task.role)?.forward(pass, &state)?;
            state = after;
            let part = Decoder::sum_rows(&hidden)?;
            match sum.is_empty() {
                true => sum = part,
                false => sum.iter_mut().zip(&part).for_each(|(s, p)| *s += p),
            }
        }
        pooling::normalize(&mut sum);
        Ok(sum)
    }

    fn decoder(&self, role: Role) -> Result<&Decoder> {
        match &self.models.of(role).network {
            Network::Decoder(decoder) => Ok(decoder),
            Network::Bert(_) => Err(ModelError::Text(
                "an encoder can embed, but neither judge nor write".into(),
            )),
        }
    }

    /// Between two passes: stops if asked to, and lets interactive work go first.
    fn pause(&mut self, job: &Job) -> std::result::Result<(), Stopped> {
        if job.lane == super::request::Lane::Batch {
            while let Some(urgent) = self.queue.next_interactive() {
                self.run(&urgent);
            }
        }
        match self.queue.should_stop(job.id) {
            true => Err(Stopped::Cancelled),
            false => Ok(()),
        }
    }

    /// Runs a prompt, reusing what is known of its beginning. Gives back the hidden states of its
    /// last pass, its state, and how many tokens were computed.
    fn prompt(
        &mut self,
        job: &Job,
        role: Role,
        ids: &[u32],
    ) -> std::result::Result<(Tensor, State, usize), Stopped> {
        let mut state = self.cache.longest(role, ids)?;
        let known = state.len();
        let mut hidden = None;
        for pass in ids[known..].chunks(PASS) {
            self.pause(job)?;
            let (new_hidden, new_state) = self.decoder(role)?.forward(pass, &state)?;
            (hidden, state) = (Some(new_hidden), new_state);
        }
        self.cache.keep(role, ids, state.clone());
        let hidden = hidden.ok_or_else(|| Stopped::Failed("nothing to compute".into()))?;
        Ok((hidden, state, ids.len() - known))
    }

    /// The probability of each label. A label of several tokens is the product of its conditional
    /// probabilities; a label that begins another does not swallow it:
    /// `P("1") = p(1) · (1 − p(0 | 1))`.
    fn labels(
        &self,
        role: Role,
        labels: &[Vec<u32>],
        next: &[f64],
        state: &State,
    ) -> Result<Vec<f64>> {
        let mut probabilities = vec![0.0; labels.len()];
        let open: Vec<usize> = (0..labels.len()).collect();
        self.branch(role, labels, &open, 0, 1.0, next, state, &mut probabilities)?;
        Ok(probabilities)
    }

    /// `open` are the labels that agree on their first `depth` tokens, which have probability
    /// `reached`; `next` are the log-probabilities after them.
    #[allow(clippy::too_many_arguments)]
    fn branch(
        &self,
        role: Role,
        labels: &[Vec<u32>],
        open: &[usize],
        depth: usize,
        reached: f64,
        next: &[f64],
        state: &State,
        probabilities: &mut [f64],
    ) -> Result<()> {
        let token_of = |label: &usize| labels[*label].get(depth).copied();
        let mut tokens: Vec<u32> = open.iter().filter_map(token_of).collect();
        tokens.sort_unstable();
        tokens.dedup();
        let mut onward = 0.0;
        for token in tokens {
            let log = next.get(token as usize).copied();
            let p = log.map(f64::exp).ok_or_else(|| {
                ModelError::Text(format!("label token {token} is outside the vocabulary"))
            })?;
            onward += p;
            let under: Vec<usize> = open
                .iter()
                .copied()
                .filter(|l| token_of(l) == Some(token))
                .collect();
            if under.iter().all(|l| labels[*l].len() == depth + 1) {
                under.iter().for_each(|l| probabilities[*l] = reached * p);
                continue;
            }
            let decoder = self.decoder(role)?;
            let (hidden, state) = decoder.forward(&[token], state)?;
            let next = decoder.next_log_probs(&hidden)?;
            self.branch(
                role,
                labels,
                &under,
                depth + 1,
                reached * p,
                &next,
                &state,
                probabilities,
            )?;
        }
        for label in open.iter().filter(|l| labels[**l].len() == depth) {
            probabilities[*label] = reached * (1.0 - onward);
        }
        Ok(())
    }
}
