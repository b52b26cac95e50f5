//! Pairs judged many at a time.

use super::Pair;
use super::judge::{Compared, PairJudge};
use crate::engine::Engine;
use crate::engine::line::{EngineGone, Line};

/// Pairs with the engine at a time.
const AHEAD: usize = 64;

impl PairJudge {
    /// Judges pairs on a loaded model: verdicts in their order, or why there is none.
    ///
    /// # Errors
    /// The engine went away.
    pub fn compare(
        &self,
        engine: &Engine,
        pairs: &[Pair],
    ) -> Result<Vec<Result<Compared, String>>, EngineGone> {
        let mut next = pairs.iter();
        let mut line = Line::new(engine, AHEAD);
        let mut all = Vec::with_capacity(pairs.len());
        loop {
            while line.has_room()
                && let Some(pair) = next.next()
            {
                match self.plan(pair) {
                    Ok(plan) => line.push(Ok(()), plan.tasks),
                    Err(cause) => line.push(Err(cause.to_string()), Vec::new()),
                }
            }
            let Some((planned, answered)) = line.pop()? else {
                return Ok(all);
            };
            let outcomes = planned.and(answered);
            all.push(outcomes.and_then(|all| self.read(&all).map_err(|e| e.to_string())));
        }
    }
}
