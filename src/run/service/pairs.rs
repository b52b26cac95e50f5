//! Which of two responses is better, and why, for whoever is looking.

use super::{Service, Waiting, Work};
use crate::engine::{Job, Lane, Outcome, Task};
use crate::judge::pairwise::rationale::{Rationale, Step};
use crate::judge::pairwise::{Pair, PairJudge};
use crate::run::live::{Event, Reason, Ticket};

/// Tokens of a rationale at most.
const WORDS: usize = 256;

impl Service {
    fn pair_judge(&self) -> Result<&PairJudge, String> {
        match &self.pairs {
            Some(judge) => judge.as_ref().map_err(Clone::clone),
            None => Err("the judge is not there yet".into()),
        }
    }

    /// The prompts of a pair.
    pub(super) fn pair(&self, pair: &Pair) -> Result<Work, String> {
        let plan = self.pair_judge()?.plan(pair).map_err(|e| e.to_string())?;
        Ok((plan.tasks, Waiting::Pair, Lane::Batch))
    }

    /// The prompt behind which the judge says why.
    pub(super) fn reason(&self, reason: &Reason) -> Result<Work, String> {
        let order = (reason.principle, reason.swapped);
        let judge = self.pair_judge()?;
        let begun = judge.rationale(&reason.pair, order, reason.position, WORDS);
        let (rationale, task) = begun.map_err(|e| e.to_string())?;
        let waiting = Waiting::Reason(Box::new(rationale));
        Ok((vec![task], waiting, Lane::Batch))
    }

    /// What the judge said of a pair.
    pub(super) fn paired(
        &self,
        ticket: Ticket,
        outcomes: &[Outcome],
        seconds: f64,
    ) -> Result<Event, String> {
        let judged = self.pair_judge()?.read(outcomes);
        let judgment = judged.map_err(|e| e.to_string())?.judgment;
        Ok(Event::Paired {
            ticket,
            judgment: Box::new(judgment),
            seconds,
        })
    }

    /// What the judge wrote; `None` where it has to go on.
    pub(super) fn reasoned(
        &mut self,
        ticket: Ticket,
        rationale: Rationale,
        outcome: &Outcome,
    ) -> Result<Option<Event>, String> {
        let step = self.pair_judge()?.rationale_step(rationale, outcome);
        match step.map_err(|e| e.to_string())? {
            Step::Whole(text) => Ok(Some(Event::Reasoned { ticket, text })),
            Step::Ask(rationale, task) => {
                self.submit(ticket, vec![task], Waiting::Reason(rationale), Lane::Batch);
                Ok(None)
            }
        }
    }

    /// Hands work to the engine.
    pub(super) fn submit(
        &mut self,
        ticket: Ticket,
        tasks: Vec<Task>,
        waiting: Waiting,
        lane: Lane,
    ) {
        self.waiting.insert(ticket, waiting);
        self.engine.submit(Job {
            id: ticket,
            lane,
            tasks,
            reply: self.replies.clone(),
        });
    }
}
