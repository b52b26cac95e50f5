//! Texts of a policy behind prompts, many on their way at a time.

use crate::engine::line::{EngineGone, Line};
use crate::engine::{Ask, Engine, Outcome, Role, Task};
use crate::model::facts::Facts;
use crate::model::sampling::Sampling;

/// Prompts with the engine at a time.
const AHEAD: usize = 32;

/// A prompt, and how each text behind it is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    pub prompt: Vec<u32>,
    pub draws: Vec<Sampling>,
}

/// What a policy wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// As they were drawn, without an end token.
    pub ids: Vec<u32>,
    /// The same as a text, trimmed, special tokens left out.
    pub text: String,
    /// Whether an end token was drawn.
    pub ended: bool,
}

/// Lets the engine's policy, of which `facts` tell, answer requests: the texts of each, in their order. A text depends
/// on its prompt and its draw alone. What cannot be asked or written is given back with its cause. `progress` is called
/// with the number of requests answered.
///
/// # Errors
/// The engine went away.
pub fn write(
    engine: &Engine,
    facts: &Facts,
    requests: impl IntoIterator<Item = Result<Request, String>>,
    progress: &mut dyn FnMut(usize),
) -> Result<Vec<Result<Vec<Written>, String>>, EngineGone> {
    let mut requests = requests.into_iter();
    let mut line = Line::new(engine, AHEAD);
    let mut all = Vec::new();
    loop {
        while line.has_room()
            && let Some(request) = requests.next()
        {
            match request {
                Ok(request) => line.push(Ok(()), tasks(request, facts)),
                Err(cause) => line.push(Err(cause), Vec::new()),
            }
        }
        let Some((asked, answered)) = line.pop()? else {
            return Ok(all);
        };
        let texts = asked.and(answered);
        all.push(texts.and_then(|outcomes| {
            let texts = outcomes.into_iter().map(|outcome| written(outcome, facts));
            texts.collect()
        }));
        progress(all.len());
    }
}

fn tasks(request: Request, facts: &Facts) -> Vec<Task> {
    let draws = request.draws.into_iter();
    let task = |sampling| Task {
        role: Role::Policy,
        ids: request.prompt.clone(),
        ask: Ask::Generate {
            sampling,
            end: facts.end_tokens.clone(),
        },
    };
    draws.map(task).collect()
}

fn written(outcome: Outcome, facts: &Facts) -> Result<Written, String> {
    let Outcome::Generated { ids, ended, .. } = outcome else {
        return Err("the engine answered something else than a text".into());
    };
    let text = facts.tokenizer.decode(&ids).map_err(|e| e.to_string())?;
    Ok(Written {
        text: text.trim().to_owned(),
        ids,
        ended,
    })
}
