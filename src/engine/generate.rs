//! Texts written together: one token of each in a forward pass, so that the weights are read once for all.

use super::compute::{Batch, Computer, Ended, Place, Stopped, decoder};
use super::labels;
use super::prompts::Wish;
use super::request::{Answer, Ask, Job, Outcome, Role};
use crate::model::decoder::compute::Compute;
use crate::model::decoder::pass::{Known, Link, Pass, Segment, Wanted};
use crate::model::sampling::Sampler;

/// Texts written at a time: the keys and values of each are held until it ends.
const WRITERS: usize = 32;

/// A text under way.
struct Writer {
    place: Place,
    sampler: Sampler,
    written: Vec<u32>,
    /// Tokens that it may have.
    limit: usize,
    end: Vec<u32>,
    /// Tokens of its prompt that had to be computed.
    computed: usize,
    /// Log-probabilities of its next token.
    next: Result<Vec<f64>, String>,
}

/// How a writer goes on.
enum Turn {
    /// Behind this token.
    On(u32),
    Ended(Ended<Outcome>),
}

impl Writer {
    fn take_turn(&mut self, job: &Job) -> Turn {
        let log_probs = match &self.next {
            Ok(log_probs) => log_probs,
            Err(cause) => return Turn::Ended(Err(Stopped::Failed(cause.clone()))),
        };
        let computed = self.computed;
        let written = |ids: &mut Vec<u32>, ended| {
            Turn::Ended(Ok(Outcome::Generated {
                ids: std::mem::take(ids),
                ended,
                computed,
            }))
        };
        if self.limit == 0 {
            return written(&mut self.written, false);
        }
        let token = self.sampler.draw(log_probs);
        if self.end.contains(&token) {
            return written(&mut self.written, true);
        }
        self.written.push(token);
        // A receiver that is gone no longer wants to know.
        let _ = job.reply.send(Answer::Token { id: job.id, token });
        match self.written.len() == self.limit {
            true => written(&mut self.written, false),
            false => Turn::On(token),
        }
    }
}

impl<C: Compute> Computer<'_, C> {
    /// Writes a text behind each prompt. A text is the same whatever is written beside it.
    pub(super) fn generate(
        &mut self,
        batch: &mut Batch,
        role: Role,
        long: bool,
        places: &[Place],
    ) -> Ended<()> {
        for some in places.chunks(WRITERS) {
            match self.write(batch, role, long, some) {
                Err(Stopped::Failed(cause)) => {
                    let failed = Stopped::Failed(cause);
                    some.iter()
                        .for_each(|place| batch.set(*place, Err(failed.clone())));
                }
                ended => ended?,
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &mut Batch, role: Role, long: bool, places: &[Place]) -> Ended<()> {
        let context = decoder(self.models, role)?.config().context;
        let mut writers = Vec::with_capacity(places.len());
        let mut wishes = Vec::with_capacity(places.len());
        for place in places {
            let task = batch.task(*place);
            let Ask::Generate { sampling, end } = &task.ask else {
                return Err(Stopped::Failed("nothing to write".into()));
            };
            wishes.push(Wish {
                ids: &task.ids,
                from: task.ids.len() - 1,
            });
            writers.push(Writer {
                place: *place,
                sampler: Sampler::new(*sampling),
                written: Vec::new(),
                limit: sampling.max_tokens.min(context - task.ids.len()),
                end: end.clone(),
                computed: 0,
                next: Err("nothing to compute".to_owned()),
            });
        }
        let (chains, computed) = self.prompts(
            role,
            long,
            None,
            &wishes,
            &batch.jobs,
            &mut |prompt, _, logits| {
                writers[prompt].next = labels::log_probabilities(logits);
            },
        )?;
        for (writer, computed) in writers.iter_mut().zip(computed) {
            writer.computed = computed;
        }
        let mut pass = Pass {
            segments: Vec::with_capacity(writers.len()),
            long,
        };
        for chain in chains {
            pass.segments.push(self.behind(role, chain)?);
        }
        let mut outcomes = Vec::with_capacity(writers.len());
        while !writers.is_empty() {
            self.pause(&batch.jobs)?;
            let mut at = 0;
            while at < writers.len() {
                let job = &batch.jobs[writers[at].place.job];
                let turn = match self.queue.should_stop(job.id) {
                    true => Turn::Ended(Err(Stopped::Cancelled)),
                    false => writers[at].take_turn(job),
                };
                match turn {
                    Turn::On(token) => {
                        pass.segments[at].ids = vec![token];
                        at += 1;
                    }
                    Turn::Ended(outcome) => {
                        outcomes.push((writers.remove(at).place, outcome));
                        pass.segments.remove(at);
                    }
                }
            }
            if writers.is_empty() {
                break;
            }
            let hidden = self.forward(role, &mut pass, &batch.jobs)?;
            let logits = decoder(self.models, role)?.logits(&hidden, None)?;
            let width = logits.len() / writers.len();
            for (writer, logits) in writers.iter_mut().zip(logits.chunks(width.max(1))) {
                writer.next = labels::log_probabilities(logits);
            }
        }
        for (place, outcome) in outcomes {
            batch.set(place, outcome);
        }
        Ok(())
    }

    /// Where a text goes on behind its prompt.
    fn behind(&self, role: Role, chain: Vec<Known<C::Keys>>) -> Ended<Segment<C::Keys>> {
        Ok(Segment {
            ids: Vec::new(),
            chain: chain.into_iter().map(Link::Known).collect(),
            wanted: Wanted::Last,
            keys: decoder(self.models, role)?.keys(64)?,
        })
    }
}
