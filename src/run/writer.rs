//! Who writes texts: a model of the engine's, or one on a server.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::Subject;
use crate::engine::line::{EngineGone, Line};
use crate::engine::remote::{Chat, Client, Trouble};
use crate::engine::{Ask, Engine, Outcome, Role, Task};
use crate::judge::dialogue;
use crate::model::facts::Facts;
use crate::model::sampling::Sampling;

/// Texts with the engine at a time.
const AHEAD: usize = 32;

/// A model that writes.
pub enum Writer<'e> {
    /// The engine's policy.
    Local {
        engine: &'e Engine,
        facts: Arc<Facts>,
    },
    Remote(Box<Client>),
}

/// A text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    pub text: String,
    pub prompt_tokens: usize,
    pub written_tokens: usize,
    /// Whether it broke off at its longest length.
    #[serde(default)]
    pub is_cut: bool,
    /// Whether the tokens are our estimate: not all servers tell.
    #[serde(default)]
    pub is_estimated: bool,
}

/// Why there is no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The prompt does not fit.
    TooLong(String),
    /// This prompt alone failed.
    Prompt(String),
    /// The server is out of order or out of reach for now.
    Passing(String),
    /// No prompt can be answered.
    Gone(String),
}

impl Refusal {
    /// What is wrong.
    pub fn cause(&self) -> &str {
        match self {
            Refusal::TooLong(cause)
            | Refusal::Prompt(cause)
            | Refusal::Passing(cause)
            | Refusal::Gone(cause) => cause,
        }
    }
}

/// Gives out prompts while there are some: an id and the text. It may have none until a text has come.
pub type Next<'a> = &'a mut dyn FnMut() -> Option<(usize, String)>;
/// Takes what became of a prompt, and says whether to go on.
pub type Done<'a> = &'a mut dyn FnMut(usize, Result<Reply, Refusal>) -> ControlFlow<()>;

impl Writer<'_> {
    /// As shown.
    pub fn name(&self) -> &str {
        match self {
            Writer::Local { facts, .. } => &facts.name,
            Writer::Remote(client) => client.model(),
        }
    }

    /// What its texts depend on besides the prompts.
    pub fn identity(&self) -> String {
        match self {
            Writer::Local { facts, .. } => facts.hash.clone(),
            Writer::Remote(client) => format!("{}#{}", client.url(), client.model()),
        }
    }

    /// Writes the likeliest text behind each prompt, several at a time.
    ///
    /// # Errors
    /// The engine went away.
    pub fn write(
        &self,
        max_tokens: usize,
        next: Next<'_>,
        done: Done<'_>,
    ) -> Result<(), EngineGone> {
        match self {
            Writer::Local { engine, facts } => locally(engine, facts, max_tokens, next, done),
            Writer::Remote(client) => {
                // Lengths for servers that do not count.
                let mut lengths: VecDeque<(usize, usize)> = VecDeque::new();
                let lengths = std::cell::RefCell::new(&mut lengths);
                let mut next = || {
                    let (id, prompt) = next()?;
                    lengths.borrow_mut().push_back((id, prompt.len()));
                    let chat = Chat {
                        prompt,
                        max_tokens,
                        temperature: 0.0,
                    };
                    Some((id, chat))
                };
                let mut done =
                    |id: usize, written: Result<crate::engine::remote::Written, Trouble>| {
                        let mut lengths = lengths.borrow_mut();
                        let at = lengths.iter().position(|(own, _)| *own == id);
                        let length = at
                            .and_then(|at| lengths.remove(at))
                            .map_or(0, |(_, length)| length);
                        drop(lengths);
                        let reply = written.map(|written| Reply {
                            is_estimated: written.prompt_tokens.is_none()
                                || written.written_tokens.is_none(),
                            prompt_tokens: written.prompt_tokens.unwrap_or(estimate(length)),
                            written_tokens: written
                                .written_tokens
                                .unwrap_or(estimate(written.text.len())),
                            text: written.text,
                            is_cut: written.is_cut,
                        });
                        done(id, reply.map_err(refusal))
                    };
                client.many(&mut next, &mut done);
                Ok(())
            }
        }
    }
}

/// About how many tokens so many bytes are, rather too many than too few.
fn estimate(bytes: usize) -> usize {
    bytes.div_ceil(3)
}

fn refusal(trouble: Trouble) -> Refusal {
    match trouble {
        Trouble::Request(cause) => Refusal::Prompt(cause),
        Trouble::Passing(cause) => Refusal::Passing(cause),
        Trouble::Server(cause) => Refusal::Gone(cause),
    }
}

fn locally(
    engine: &Engine,
    facts: &Facts,
    max_tokens: usize,
    next: Next<'_>,
    done: Done<'_>,
) -> Result<(), EngineGone> {
    let mut line = Line::new(engine, AHEAD);
    let mut goes_on = true;
    loop {
        while goes_on
            && line.has_room()
            && let Some((id, prompt)) = next()
        {
            let subject = Subject {
                instruction: prompt,
                ..Subject::default()
            };
            match dialogue::request(&subject, facts) {
                Ok(ids) => {
                    let sampling = Sampling {
                        temperature: 0.0,
                        top_p: 1.0,
                        seed: 0,
                        max_tokens,
                    };
                    let end = facts.end_tokens.clone();
                    let ask = Ask::Generate { sampling, end };
                    let role = Role::Policy;
                    line.push((id, Ok(ids.len())), vec![Task { role, ids, ask }]);
                }
                Err(error) => line.push((id, Err(Refusal::TooLong(error.to_string()))), Vec::new()),
            }
        }
        let Some(((id, prompt_tokens), answered)) = line.pop()? else {
            return Ok(());
        };
        let reply = prompt_tokens.and_then(|prompt_tokens| {
            let outcomes = answered.map_err(Refusal::Prompt)?;
            let Some(Outcome::Generated { ids, ended, .. }) = outcomes.first() else {
                return Err(Refusal::Prompt("the engine wrote nothing".into()));
            };
            let text = facts.tokenizer.decode(ids);
            Ok(Reply {
                text: text.map_err(|e| Refusal::Prompt(e.to_string()))?,
                prompt_tokens,
                written_tokens: ids.len(),
                is_cut: !ended,
                is_estimated: false,
            })
        });
        if done(id, reply).is_break() {
            goes_on = false;
        }
    }
}
