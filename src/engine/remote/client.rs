//! Chats with a server: many at a time, tried again where that can help.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::address::Address;
use super::http::Http;
use super::reply;
use super::settings::PATIENCE;
use super::trouble::{Again, Step, Trouble};
use super::{Settings, Written};

/// One person's turn, to be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    pub prompt: String,
    /// Longest answer.
    pub max_tokens: usize,
    /// 0 takes the likeliest token.
    pub temperature: f64,
}

/// A model on a server.
pub struct Client {
    http: Http,
    url: String,
    model: String,
    settings: Settings,
}

impl Client {
    /// The model of a server whose address ends before `/chat/completions`.
    ///
    /// # Errors
    /// An address that holds a secret, or would let the key be read on its way.
    pub fn new(url: &str, model: &str, settings: Settings) -> Result<Self, String> {
        let address = Address::parse(url, settings.key.is_some())?;
        Ok(Client {
            http: Http::new(&address, model, &settings, settings.concurrency),
            url: address.at("chat/completions"),
            model: model.to_owned(),
            settings,
        })
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Where it is asked.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// An answer, after as many attempts as it takes.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub fn chat(&self, chat: &Chat) -> Result<Written, Trouble> {
        self.persist(chat, &AtomicBool::new(false))
    }

    /// Answers several at a time. `next` is asked for requests whenever there is room, and may have none until an
    /// answer has come; `done` is told each answer as it comes. When `done` breaks, no more is asked, and what is under
    /// way is waited for but not tried again.
    pub fn many(
        &self,
        next: &mut dyn FnMut() -> Option<(usize, Chat)>,
        done: &mut dyn FnMut(usize, Result<Written, Trouble>) -> ControlFlow<()>,
    ) {
        let room = self.settings.concurrency.max(1);
        let (ask, asked) = channel::<(usize, Chat)>();
        let (say, said) = channel();
        let (asked, stops) = (Mutex::new(asked), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..room {
                let (say, asked, stops) = (say.clone(), &asked, &stops);
                scope.spawn(move || {
                    loop {
                        let job = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((id, chat)) = job else { break };
                        if say.send((id, self.persist(&chat, stops))).is_err() {
                            break;
                        }
                    }
                });
            }
            let mut under_way = 0;
            loop {
                while under_way < room
                    && !stops.load(Ordering::Relaxed)
                    && let Some(job) = next()
                    && ask.send(job).is_ok()
                {
                    under_way += 1;
                }
                if under_way == 0 {
                    break;
                }
                let Ok((id, written)) = said.recv() else {
                    break;
                };
                under_way -= 1;
                if done(id, written).is_break() {
                    stops.store(true, Ordering::Relaxed);
                }
            }
            // The threads end with their channel.
            drop(ask);
        });
    }

    /// Repeats while trying again can help.
    fn persist(&self, chat: &Chat, stops: &AtomicBool) -> Result<Written, Trouble> {
        let mut failures = 0;
        loop {
            let (cause, after) = match self.attempt(chat) {
                Ok(written) => return Ok(written),
                Err(Again::Never(trouble)) => return Err(trouble),
                Err(Again::After { cause, wait, .. }) => (cause, wait),
            };
            let pause = after.unwrap_or_else(|| self.settings.pause(failures));
            if failures >= self.settings.retries || pause > PATIENCE {
                return Err(Trouble::Passing(cause));
            }
            failures += 1;
            let until = Instant::now() + pause;
            while let Some(left) = until.checked_duration_since(Instant::now()) {
                if stops.load(Ordering::Relaxed) {
                    return Err(Trouble::Passing(cause));
                }
                thread::sleep(left.min(Duration::from_millis(100)));
            }
        }
    }

    fn attempt(&self, chat: &Chat) -> Step<Written> {
        let body = json!({
            "model": self.model,
            "messages": [{"role": "user", "content": chat.prompt}],
            "temperature": chat.temperature,
            "max_tokens": chat.max_tokens,
            "stream": false,
        });
        let answer = self.http.post(&self.url, &body)?;
        reply::written(&answer)
            .map_err(|cause| Again::later(format!("{}: {cause}", self.url)))?
            .ok_or_else(|| {
                Again::Never(Trouble::Request(format!(
                    "{}: the answer has no text",
                    self.url
                )))
            })
    }
}
