//! Work handed to the engine some way ahead, given back in the order it came in.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{Answer, Engine, Job, Lane, Outcome, Task};

/// The engine went away.
#[derive(Debug, thiserror::Error)]
#[error("the engine stopped before the run was complete")]
pub struct EngineGone;

/// What the engine said of an item: one outcome for each of its tasks, or the cause why there is none.
pub type Answered = Result<Vec<Outcome>, String>;

/// Items on their way through the engine.
pub struct Line<'e, T> {
    engine: &'e Engine,
    ahead: usize,
    replies: Sender<Answer>,
    answers: Receiver<Answer>,
    /// Oldest first.
    items: VecDeque<(T, Option<Answered>)>,
    /// Items that have left.
    gone: u64,
}

impl<'e, T> Line<'e, T> {
    /// An empty line that takes `ahead` items (at least one).
    pub fn new(engine: &'e Engine, ahead: usize) -> Self {
        let (replies, answers) = channel();
        Line {
            engine,
            ahead: ahead.max(1),
            replies,
            answers,
            items: VecDeque::new(),
            gone: 0,
        }
    }

    /// Whether another item may be pushed before one is popped.
    pub fn has_room(&self) -> bool {
        self.items.len() < self.ahead
    }

    /// Hands in an item's tasks; without any there is nothing to compute, and its outcomes are none.
    pub fn push(&mut self, item: T, tasks: Vec<Task>) {
        let answered = match tasks.is_empty() {
            true => Some(Ok(Vec::new())),
            false => {
                self.engine.submit(Job {
                    id: self.gone + self.items.len() as u64,
                    lane: Lane::Batch,
                    tasks,
                    reply: self.replies.clone(),
                });
                None
            }
        };
        self.items.push_back((item, answered));
    }

    /// The oldest item, as soon as it is answered; `None` where there is none.
    ///
    /// # Errors
    /// The engine went away.
    pub fn pop(&mut self) -> Result<Option<(T, Answered)>, EngineGone> {
        loop {
            match self.items.pop_front() {
                None => return Ok(None),
                Some((item, Some(answered))) => {
                    self.gone += 1;
                    return Ok(Some((item, answered)));
                }
                Some(waits) => self.items.push_front(waits),
            }
            let (id, answered) = match self.answers.recv().map_err(|_| EngineGone)? {
                Answer::Done { id, outcomes, .. } => (id, Ok(outcomes)),
                Answer::Failed { id, cause } => (id, Err(cause)),
                Answer::Cancelled { .. } => return Err(EngineGone),
                Answer::Token { .. } => continue,
            };
            let place = id.checked_sub(self.gone).map(|at| at as usize);
            if let Some((_, waits)) = place.and_then(|at| self.items.get_mut(at)) {
                *waits = Some(answered);
            }
        }
    }
}
