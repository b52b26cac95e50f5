//! One task at a server: asked until it is answered, or trying again cannot help.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::address::Address;
use super::balance::Balance;
use super::http::Http;
use super::meter::Meter;
use super::pick::{self, Ids};
use super::prompt::Prompt;
use super::reply::Likely;
use super::settings::PATIENCE;
use super::trouble::{Again, Step, Trouble};
use super::{Settings, label_tokens, reply};
use crate::engine::request::{Ask, Outcome, Task};
use crate::model::pooling;
use crate::model::sampling::Sampling;
use crate::model::served::{Abilities, PromptLogProbs};
use crate::model::tokenizer::{mark_of, text_of};

/// A model and the servers that have it.
pub(super) struct ServedModel {
    pub name: String,
    pub addresses: Vec<Address>,
    pub abilities: Abilities,
    pub balance: Balance,
    pub ids: Ids,
}

/// Asks for one job.
pub(super) struct Asker<'p> {
    pub model: &'p ServedModel,
    /// Connections to each of the model's servers.
    pub wires: &'p [Http],
    pub settings: &'p Settings,
    pub meter: &'p Meter,
    pub is_stopped: &'p (dyn Fn() -> bool + Sync),
    /// Who hears of a text while it is written.
    pub live: Option<&'p (dyn Fn(&str) + Sync)>,
}

/// Said of what was broken off; nobody waits for it.
const STOPPED: &str = "stopped";
/// How often a pause looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);

impl Asker<'_> {
    /// What the server answers to a task.
    ///
    /// # Errors
    /// What the server cannot do; what stayed wrong over all attempts.
    pub fn outcome(&self, task: &Task) -> Result<Outcome, Trouble> {
        match &task.ask {
            Ask::Labels { labels, top, .. } => self.labels(&task.ids, labels, *top),
            Ask::LogProbs { from } => self.log_probs(&task.ids, *from),
            Ask::Embed => self.embed(&task.ids),
            Ask::Generate { sampling, .. } => self.write(&task.ids, sampling),
            Ask::Reward => Err(Trouble::Request(
                "servers have no endpoint for a reward head: name a model of this machine".into(),
            )),
        }
    }

    fn labels(
        &self,
        ids: &[u32],
        labels: &[Vec<u32>],
        top: Option<usize>,
    ) -> Result<Outcome, Trouble> {
        let prompt = Prompt::of(ids);
        let told = match prompt {
            Prompt::Text(_) => self.model.abilities.completions,
            Prompt::Turns { .. } => self.model.abilities.chat,
        };
        let depth = told.unwrap_or(0).min(top.unwrap_or(usize::MAX));
        if depth == 0 {
            let other = match prompt {
                Prompt::Text(_) => "--wrap chat",
                Prompt::Turns { .. } => "--wrap none or a text with {prompt}",
            };
            return Err(Trouble::Request(format!(
                "the server tells no logprobs at /{}: try {other}",
                prompt.endpoint()
            )));
        }
        let can_go_on = matches!(prompt, Prompt::Text(_)) || self.model.abilities.continues;
        let labels: Vec<String> = labels.iter().map(|label| text_of(label)).collect();
        let mut computed = 0;
        let known = label_tokens::probabilities(&labels, (depth, can_go_on), &mut |more| {
            let prompt = prompt.and(more);
            let (mut likely, tokens) = self.likely(&prompt, depth, &json!({}))?;
            computed += tokens;
            if more.is_empty() {
                computed += self.pick(&prompt, &labels, depth, &mut likely)?;
            }
            Ok(likely)
        })?;
        Ok(Outcome::Labels {
            probabilities: known.probabilities,
            mass: true,
            missing: known.missing,
            computed,
        })
    }

    /// The likeliest tokens behind a prompt, `depth` of them or those that `which` asks for, and the prompt's tokens.
    fn likely(
        &self,
        prompt: &Prompt,
        depth: usize,
        which: &Value,
    ) -> Result<(Vec<Likely>, usize), Trouble> {
        let mut body = self.body(prompt, 1)?;
        body["temperature"] = 0.into();
        match prompt {
            Prompt::Text(_) => body["logprobs"] = depth.into(),
            Prompt::Turns { .. } => {
                body["logprobs"] = true.into();
                body["top_logprobs"] = depth.into();
            }
        }
        pick::add(&mut body, which);
        self.exchange(prompt, &body, reply::first_tokens)
    }

    /// Asks for labels that are not among the likeliest tokens, where the server can be asked for tokens of one's own;
    /// the prompts' tokens.
    fn pick(
        &self,
        prompt: &Prompt,
        labels: &[String],
        depth: usize,
        likely: &mut Vec<Likely>,
    ) -> Result<usize, Trouble> {
        let Some(picks) = self.model.abilities.picks else {
            return Ok(0);
        };
        let id = |text: &str| {
            self.model.ids.of(text, || {
                let body = pick::tokens_of(&self.model.name, text);
                let url = |address: &Address| address.beside("tokenize");
                let found = self.persist(&url, &post(&body), 0, &pick::only_token);
                found.map(|(id, _)| id)
            })
        };
        let unlisted = label_tokens::unlisted(labels, likely);
        let mut computed = 0;
        for which in picks.requests(&unlisted, id)? {
            let (more, tokens) = self.likely(prompt, depth, &which)?;
            computed += tokens;
            for token in more {
                if likely.iter().all(|known| known.text != token.text) {
                    likely.push(token);
                }
            }
        }
        Ok(computed)
    }

    fn log_probs(&self, ids: &[u32], from: usize) -> Result<Outcome, Trouble> {
        let prompt = Prompt::of(ids);
        let Prompt::Text(text) = &prompt else {
            return Err(Trouble::Request(
                "a server tells log-probabilities of texts alone, not of chats: use a --wrap other than chat".into(),
            ));
        };
        let characters = |ids: &[u32]| ids.iter().filter(|id| mark_of(**id).is_none()).count();
        let within = characters(&ids[..from.min(ids.len())])..characters(ids);
        let by = self.model.abilities.prompt_log_probs;
        let by = by.unwrap_or(PromptLogProbs::Echo);
        let mut body = self.body(&prompt, 1)?;
        body["temperature"] = 0.into();
        pick::add(&mut body, &by.request());
        let read = |answer: &Value| by.read(answer, text, within.clone());
        let (values, computed) = self.exchange(&prompt, &body, read)?;
        match values.is_empty() {
            true => Err(Trouble::Request(format!(
                "the server told no log-probabilities of a text of {} characters",
                text.chars().count()
            ))),
            false => Ok(Outcome::LogProbs { values, computed }),
        }
    }

    fn embed(&self, ids: &[u32]) -> Result<Outcome, Trouble> {
        let text = text_of(ids);
        let body = json!({"model": self.model.name, "input": text});
        let characters = text.chars().count();
        let (mut vector, computed) = self.persist(
            &at("embeddings"),
            &post(&body),
            characters,
            &reply::embedding,
        )?;
        pooling::normalize(&mut vector);
        Ok(Outcome::Embedding { vector, computed })
    }

    fn write(&self, ids: &[u32], sampling: &Sampling) -> Result<Outcome, Trouble> {
        let prompt = Prompt::of(ids);
        let mut body = self.body(&prompt, sampling.max_tokens)?;
        body["temperature"] = sampling.temperature.into();
        body["top_p"] = sampling.top_p.into();
        // Servers take seeds of 31 bits.
        body["seed"] = (sampling.seed & 0x7fff_ffff).into();
        let (written, _) = match self.live {
            None => self.exchange(&prompt, &body, reply::written)?,
            Some(live) => {
                body["stream"] = true.into();
                body["stream_options"] = json!({"include_usage": true});
                // A further attempt tells only what is new.
                let told = Cell::new(0usize);
                let send = |wire: &Http, url: &str| {
                    let mut come = 0usize;
                    wire.post_streamed(url, &body, &mut |piece| {
                        let known = told.get().saturating_sub(come);
                        come += piece.len();
                        if let Some(new) = piece.get(known..).filter(|new| !new.is_empty()) {
                            told.set(come);
                            live(new);
                        }
                    })
                };
                let url = at(prompt.endpoint());
                self.persist(&url, &send, prompt.characters(), &reply::written)?
            }
        };
        let written =
            written.ok_or_else(|| Trouble::Request("the server's answer has no text".into()))?;
        Ok(Outcome::Generated {
            ids: written.text.chars().map(u32::from).collect(),
            ended: !written.is_cut,
            computed: written.prompt_tokens.unwrap_or(0),
        })
    }

    fn body(&self, prompt: &Prompt, max_tokens: usize) -> Result<Value, Trouble> {
        let body = prompt.request(&self.model.name, self.model.abilities.continues);
        let mut body = body.map_err(Trouble::Request)?;
        body["max_tokens"] = max_tokens.into();
        Ok(body)
    }

    fn exchange<T>(
        &self,
        prompt: &Prompt,
        body: &Value,
        read: impl Fn(&Value) -> Result<T, String>,
    ) -> Result<(T, usize), Trouble> {
        self.persist(
            &at(prompt.endpoint()),
            &post(body),
            prompt.characters(),
            &read,
        )
    }

    /// The answer, and the tokens of its prompt, after as many attempts as it takes.
    fn persist<T>(
        &self,
        url: &dyn Fn(&Address) -> String,
        send: &dyn Fn(&Http, &str) -> Step<Value>,
        characters: usize,
        read: &dyn Fn(&Value) -> Result<T, String>,
    ) -> Result<(T, usize), Trouble> {
        let mut failures = 0;
        loop {
            if let Some(refusal) = self.meter.refusal() {
                return Err(Trouble::Request(refusal));
            }
            let stopped = || Trouble::Passing(STOPPED.into());
            let turn = self
                .model
                .balance
                .turn(&self.is_stopped)
                .ok_or_else(stopped)?;
            let (Some(address), Some(wire)) = (
                self.model.addresses.get(turn.server),
                self.wires.get(turn.server),
            ) else {
                return Err(stopped());
            };
            let url = url(address);
            let answer = send(wire, &url).and_then(|answer| match read(&answer) {
                Ok(found) => Ok((
                    found,
                    self.meter.answered(reply::counted(&answer), characters),
                )),
                Err(cause) => Err(Again::later(format!("{url}: {cause}"))),
            });
            let (cause, wait, is_busy) = match answer {
                Ok(found) => {
                    turn.answered();
                    return Ok(found);
                }
                Err(Again::Never(trouble)) => {
                    turn.answered();
                    return Err(trouble);
                }
                Err(Again::After {
                    cause,
                    wait,
                    is_busy,
                    ..
                }) => (cause, wait, is_busy),
            };
            if (self.is_stopped)() {
                return Err(stopped());
            }
            let pause = wait.unwrap_or_else(|| self.settings.pause(failures));
            // Where there are other servers, one of them is asked at once.
            let has_others = self.model.balance.has_others();
            match (is_busy, has_others) {
                (true, _) => turn.refused(pause.min(PATIENCE)),
                (false, true) => turn.failed(pause.min(PATIENCE)),
                (false, false) => drop(turn),
            }
            let is_too_long = pause > PATIENCE && !has_others;
            if failures >= self.settings.retries || is_too_long {
                return Err(Trouble::Passing(format!(
                    "{cause} ({} attempts)",
                    failures + 1
                )));
            }
            failures += 1;
            self.meter.repeated();
            // A server that is busy rests for all; what failed alone waits alone.
            if !is_busy && !has_others {
                self.rest(pause);
            }
        }
    }

    fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        while let Some(left) = until.checked_duration_since(Instant::now())
            && !(self.is_stopped)()
        {
            thread::sleep(left.min(LOOK));
        }
    }
}

/// Where an endpoint is.
fn at(endpoint: &str) -> impl Fn(&Address) -> String {
    move |address| address.at(endpoint)
}

/// Sends a request for an answer in one piece.
fn post(body: &Value) -> impl Fn(&Http, &str) -> Step<Value> {
    move |wire, url| wire.post(url, body)
}
