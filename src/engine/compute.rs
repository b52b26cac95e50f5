//! Jobs on models: prompts that come together are computed together.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::cache::PrefixCache;
use super::labels;
use super::local::Models;
use super::queue::Queue;
use super::request::{Answer, Ask, Job, Lane, Outcome, Role, Task};
use crate::model::architecture::{DecoderConfig, Head};
use crate::model::decoder::Decoder;
use crate::model::decoder::compute::Compute;
use crate::model::decoder::pass::{Pass, Segment, Wanted};
use crate::model::facts::Network;
use crate::model::{ModelError, pooling};

/// Tokens of one forward pass: enough to keep the kernels busy, few enough to hold in memory.
pub(super) const PASS: usize = 1024;

/// Tokens of waiting batch jobs that are computed together.
const TOGETHER: usize = 16 * PASS;

/// Why a task ended without an outcome.
#[derive(Clone, Debug)]
pub enum Stopped {
    Cancelled,
    Failed(String),
}

impl From<ModelError> for Stopped {
    fn from(error: ModelError) -> Self {
        Stopped::Failed(error.to_string())
    }
}

pub(super) type Ended<T> = std::result::Result<T, Stopped>;

/// The thread's state: its models and what they remember.
pub struct Computer<'a, C: Compute> {
    pub models: &'a Models<C>,
    pub cache: PrefixCache<C::Keys>,
    pub queue: &'a Queue,
    /// Texts embedded lately: a reference is compared with all responses of its record.
    pub embedded: HashMap<(Role, Vec<u32>), Vec<f32>>,
}

/// Embeddings remembered at a time.
const REMEMBERED: usize = 4096;

/// A task of a job under way.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) job: usize,
    task: usize,
}

/// Jobs under way and what is known of their tasks.
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    outcomes: Vec<Vec<Option<Ended<Outcome>>>>,
}

impl Batch {
    pub(super) fn task(&self, place: Place) -> &Task {
        &self.jobs[place.job].tasks[place.task]
    }

    pub(super) fn set(&mut self, place: Place, outcome: Ended<Outcome>) {
        self.outcomes[place.job][place.task] = Some(outcome);
    }

    fn places(&self) -> Vec<Place> {
        let of = |(job, j): (usize, &Job)| {
            (0..j.tasks.len())
                .map(|task| Place { job, task })
                .collect::<Vec<_>>()
        };
        self.jobs.iter().enumerate().flat_map(of).collect()
    }
}

impl<C: Compute> Computer<'_, C> {
    /// Takes jobs until the queue is closed.
    pub fn work(&mut self) {
        while let Some(job) = self.queue.next() {
            let mut jobs = vec![job];
            if jobs[0].lane == Lane::Batch {
                let size = |job: &Job| job.tasks.iter().map(|t| t.ids.len()).sum::<usize>();
                let mut tokens = size(&jobs[0]);
                while tokens < TOGETHER
                    && let Some(job) = self.queue.next_batch()
                {
                    tokens += size(&job);
                    jobs.push(job);
                }
            }
            self.run(jobs);
        }
    }

    /// Runs jobs to their end and answers them.
    fn run(&mut self, jobs: Vec<Job>) {
        let started = Instant::now();
        let outcomes = jobs
            .iter()
            .map(|j| j.tasks.iter().map(|_| None).collect())
            .collect();
        let mut batch = Batch { jobs, outcomes };
        // A panic fails these jobs alone; whoever waits for them is told.
        let result = catch_unwind(AssertUnwindSafe(|| self.batch(&mut batch)));
        let stopped = match result {
            Ok(Ok(())) => Stopped::Cancelled,
            Ok(Err(stopped)) => stopped,
            Err(_) => Stopped::Failed("the engine panicked on this prompt".into()),
        };
        let seconds = started.elapsed().as_secs_f64();
        for (job, outcomes) in batch.jobs.iter().zip(batch.outcomes) {
            let all: Ended<Vec<Outcome>> = outcomes
                .into_iter()
                .map(|o| o.unwrap_or_else(|| Err(stopped.clone())))
                .collect();
            let answer = match all {
                _ if self.queue.should_stop(job.id) => Answer::Cancelled { id: job.id },
                Ok(outcomes) => Answer::Done {
                    id: job.id,
                    outcomes,
                    seconds,
                },
                Err(Stopped::Cancelled) => Answer::Cancelled { id: job.id },
                Err(Stopped::Failed(cause)) => Answer::Failed { id: job.id, cause },
            };
            self.queue.ended(job.id);
            // A receiver that is gone no longer wants to know.
            let _ = job.reply.send(answer);
        }
    }

    fn batch(&mut self, batch: &mut Batch) -> Ended<()> {
        let mut prompts: HashMap<(Role, bool, bool), Vec<Place>> = HashMap::new();
        let mut texts = Vec::new();
        let mut generations: HashMap<(Role, bool), Vec<Place>> = HashMap::new();
        for place in batch.places() {
            let task = batch.task(place);
            if task.ids.is_empty() {
                batch.set(place, Err(Stopped::Failed("the prompt is empty".into())));
                continue;
            }
            match task.ask {
                Ask::Embed => texts.push(place),
                _ => match self.fits(task) {
                    Ok(()) => {
                        let (role, long) = (task.role, self.is_long(task.role, task.ids.len()));
                        match task.ask {
                            Ask::Generate { .. } => generations.entry((role, long)).or_default(),
                            _ => prompts
                                .entry((role, long, labels::alone(&task.ask)))
                                .or_default(),
                        }
                        .push(place);
                    }
                    Err(error) => batch.set(place, Err(error)),
                },
            }
        }
        for ((role, long, alone), places) in prompts {
            self.read_off(batch, role, long, alone, &places)?;
        }
        self.embed(batch, &texts)?;
        for ((role, long), places) in generations {
            self.generate(batch, role, long, &places)?;
        }
        Ok(())
    }

    pub(super) fn decoder(&self, role: Role) -> Ended<&Decoder<C>> {
        decoder(self.models, role)
    }

    /// One prompt that does not fit, or asks for what its model cannot give, fails alone, not with
    /// all that come with it.
    fn fits(&self, task: &Task) -> Ended<()> {
        let config = self.decoder(task.role)?.config();
        has_head_for(&task.ask, config)?;
        if let Ask::LogProbs { from } = task.ask
            && !(1..=task.ids.len()).contains(&from)
        {
            return Err(Stopped::Failed(format!(
                "log-probabilities from token {from} on of a prompt of {}: the first token has \
                 nothing before it",
                task.ids.len()
            )));
        }
        if task.ids.len() > config.context {
            return Err(Stopped::Failed(format!(
                "{} tokens do not fit into the model's context of {}",
                task.ids.len(),
                config.context
            )));
        }
        match task.ids.iter().find(|id| **id as usize >= config.vocab) {
            Some(id) => Err(Stopped::Failed(format!(
                "token id {id} is outside the model's vocabulary of {}",
                config.vocab
            ))),
            None => Ok(()),
        }
    }

    /// Whether a sequence counts as long for a RoPE that makes the difference.
    fn is_long(&self, role: Role, tokens: usize) -> bool {
        let Ok(decoder) = self.decoder(role) else {
            return false;
        };
        let ropes = decoder.config().ropes.iter();
        ropes.filter_map(|r| r.long.as_ref()).any(|l| tokens > l.0)
    }

    /// Between two layers: stops if nobody waits any more, and lets interactive work go first.
    pub(super) fn pause(&mut self, jobs: &[Job]) -> Ended<()> {
        if jobs.iter().all(|j| j.lane == Lane::Batch) {
            while let Some(urgent) = self.queue.next_interactive() {
                self.run(vec![urgent]);
            }
        }
        match jobs.iter().all(|j| self.queue.should_stop(j.id)) {
            true => Err(Stopped::Cancelled),
            false => Ok(()),
        }
    }

    pub(super) fn forward(
        &mut self,
        role: Role,
        pass: &mut Pass<C::Keys>,
        jobs: &[Job],
    ) -> Ended<C::Rows> {
        let decoder = decoder(self.models, role)?;
        decoder.forward(pass, &mut || self.pause(jobs))
    }

    /// Unit vectors of texts.
    fn embed(&mut self, batch: &mut Batch, places: &[Place]) -> Ended<()> {
        let mut at = 0;
        while at < places.len() {
            self.pause(&batch.jobs)?;
            // Texts of one role that fit into a pass; known ones cost nothing.
            let role = batch.task(places[at]).role;
            let (mut fresh, mut tokens, start): (Vec<&[u32]>, usize, usize) = (Vec::new(), 0, at);
            while at < places.len() && batch.task(places[at]).role == role {
                let ids = batch.task(places[at]).ids.as_slice();
                let known = self.embedded.contains_key(&(role, ids.to_vec()));
                if !known && !fresh.contains(&ids) {
                    if tokens > 0 && tokens + ids.len() > PASS {
                        break;
                    }
                    tokens += ids.len();
                    fresh.push(ids);
                }
                at += 1;
            }
            let vectors = self.vectors(role, &fresh, &batch.jobs);
            if matches!(vectors, Err(Stopped::Cancelled)) {
                return Err(Stopped::Cancelled);
            }
            let mut computed: Vec<Vec<u32>> = Vec::new();
            let failed = match vectors {
                Ok(vectors) => {
                    if self.embedded.len() + vectors.len() > REMEMBERED {
                        // Those of this round that are known already must stay.
                        let round: Vec<_> = places[start..at]
                            .iter()
                            .map(|p| (role, batch.task(*p).ids.clone()))
                            .collect();
                        self.embedded.retain(|key, _| round.contains(key));
                    }
                    for (ids, vector) in fresh.into_iter().zip(vectors) {
                        computed.push(ids.to_vec());
                        self.embedded.insert((role, ids.to_vec()), vector);
                    }
                    None
                }
                Err(error) => Some(error),
            };
            for place in &places[start..at] {
                let ids = batch.task(*place).ids.clone();
                let new = computed.iter().position(|c| *c == ids);
                let count = new.map_or(0, |c| computed.swap_remove(c).len());
                let outcome = match (self.embedded.get(&(role, ids)), &failed) {
                    (Some(vector), _) => Ok(Outcome::Embedding {
                        vector: vector.clone(),
                        computed: count,
                    }),
                    (None, Some(error)) => Err(error.clone()),
                    (None, None) => Err(Stopped::Failed("nothing to compute".into())),
                };
                batch.set(*place, outcome);
            }
        }
        Ok(())
    }

    fn vectors(&mut self, role: Role, texts: &[&[u32]], jobs: &[Job]) -> Ended<Vec<Vec<f32>>> {
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let decoder = match &network(self.models, role)? {
            Network::Bert(bert) => return Ok(means(&bert.forward(texts)?, texts, bert.dim)),
            Network::Decoder(decoder) => decoder,
        };
        let mut pass = Pass {
            segments: Vec::with_capacity(texts.len()),
            long: texts.iter().any(|t| self.is_long(role, t.len())),
        };
        for ids in texts {
            pass.segments.push(Segment {
                ids: ids.to_vec(),
                chain: Vec::new(),
                wanted: Wanted::All,
                keys: decoder.keys(ids.len())?,
            });
        }
        let hidden = self.forward(role, &mut pass, jobs)?;
        let hidden = decoder.device().read(&hidden)?;
        Ok(means(&hidden, texts, decoder.config().dim))
    }
}

/// The mean of each text's hidden states, at length one.
fn means(hidden: &[f32], texts: &[&[u32]], dim: usize) -> Vec<Vec<f32>> {
    let mut rest = hidden;
    let of = |text: &&[u32]| {
        let (own, others) = rest.split_at(text.len() * dim);
        rest = others;
        let mut sum = vec![0.0; dim];
        for row in own.chunks(dim) {
            sum.iter_mut().zip(row).for_each(|(s, x)| *s += x);
        }
        pooling::normalize(&mut sum);
        sum
    };
    texts.iter().map(of).collect()
}

/// Whether a model has the head that an ask needs.
fn has_head_for(ask: &Ask, config: &DecoderConfig) -> Ended<()> {
    let needs_reward = match ask {
        Ask::Embed => return Ok(()),
        Ask::Reward => true,
        Ask::Labels { .. } | Ask::LogProbs { .. } | Ask::Generate { .. } => false,
    };
    let cause = match (&config.head, needs_reward) {
        (Head::Reward { .. }, true) | (Head::Language { .. }, false) => return Ok(()),
        (Head::Language { .. }, true) => {
            "a reward needs a model with a reward head (…ForSequenceClassification); this one has a \
             language head"
        }
        (Head::Reward { .. }, false) => {
            "this needs a model with a language head (…ForCausalLM); this one has a reward head \
             (…ForSequenceClassification), which gives the signal `reward` only"
        }
    };
    Err(Stopped::Failed(format!("{}: {cause}", config.architecture)))
}

/// What computes in a role.
fn network<C: Compute>(models: &Models<C>, role: Role) -> Ended<&Network<C>> {
    let model = models.of(role);
    let model =
        model.ok_or_else(|| Stopped::Failed("no model of this machine fills the role".into()))?;
    Ok(&model.network)
}

pub(super) fn decoder<C: Compute>(models: &Models<C>, role: Role) -> Ended<&Decoder<C>> {
    match network(models, role)? {
        Network::Decoder(decoder) => Ok(decoder),
        Network::Bert(_) => Err(Stopped::Failed(
            "an encoder can embed, but neither judge nor write".into(),
        )),
    }
}
