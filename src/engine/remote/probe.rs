//! What a server can do, asked once with texts of no weight.

use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::Settings;
use super::address::Address;
use super::http::Http;
use super::trouble::{Again, Trouble};
use super::{pick, reply};
use crate::model::served::{Abilities, Picks, PromptLogProbs};

/// As many of the likeliest tokens as servers tell by default, and as few as the strictest do.
const DEPTHS: [usize; 2] = [20, 5];
/// Longest wait for one answer to a probe.
const LONGEST: Duration = Duration::from_secs(10);
const TEXT: &str = "1, 2, 3,";
/// Tokens that do not follow it.
const UNLIKELY: [&str; 2] = ["Q", "k"];

/// What is asked about.
#[derive(Clone, Copy, Debug, Default)]
pub struct About {
    /// Judging and writing.
    pub texts: bool,
    pub embeddings: bool,
    /// What only a person wants to know.
    pub rest: bool,
}

/// One endpoint, and what was found there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub what: &'static str,
    pub ok: bool,
    pub found: String,
}

/// A server as it was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Probed {
    pub url: String,
    pub model: String,
    #[serde(flatten)]
    pub abilities: Abilities,
    pub lines: Vec<Line>,
    /// What the server reports of the model and does not change from start to start.
    #[serde(skip)]
    pub facts: Value,
}

/// Asks the server of a judge, as `juror doctor` does.
///
/// # Errors
/// An address that cannot be asked; a server out of reach, or with no endpoint that answers.
pub fn probe(url: &str, model: &str, settings: &Settings, about: About) -> Result<Probed, String> {
    let address = Address::parse(url, settings.key.is_some())?;
    let probing = Probing {
        http: Http::new(&address, model, settings, 1),
        address,
        model,
        settings,
        lines: Vec::new(),
    };
    probing.run(about)
}

struct Probing<'s> {
    http: Http,
    address: Address,
    model: &'s str,
    settings: &'s Settings,
    lines: Vec<Line>,
}

impl Probing<'_> {
    fn run(mut self, about: About) -> Result<Probed, String> {
        let (facts, continues) = self.models()?;
        let mut abilities = Abilities {
            continues,
            context: [
                "/max_model_len",
                "/meta/n_ctx",
                "/meta/n_ctx_train",
                "/context_length",
            ]
            .iter()
            .find_map(|at| facts.pointer(at)?.as_u64())
            .map(|n| n as usize),
            ..Abilities::default()
        };
        let mut first_cause = None;
        let mut note = |cause: Option<String>| first_cause = first_cause.take().or(cause);
        if about.texts {
            let (depth, cause) = self.texts("completions");
            abilities.completions = depth;
            note(cause);
            let (depth, cause) = self.texts("chat/completions");
            abilities.chat = depth;
            note(cause);
            if abilities.completions.is_some() {
                abilities.prompt_log_probs = self.prompt_log_probs();
            }
            abilities.picks = self.picks(&abilities);
        }
        if about.embeddings {
            let (dimensions, cause) = self.embeddings();
            abilities.embeddings = dimensions;
            note(cause);
        }
        if about.rest {
            abilities.tokenize = self.tokenize();
        }
        let answers = abilities.completions.is_some()
            || abilities.chat.is_some()
            || abilities.embeddings.is_some();
        match (answers, first_cause) {
            (false, Some(cause)) => Err(cause),
            _ => Ok(Probed {
                url: self.address.text().to_owned(),
                model: self.model.to_owned(),
                abilities,
                lines: self.lines,
                facts,
            }),
        }
    }

    /// Tries again once, where that can help.
    fn ask(&self, exchange: impl Fn() -> Result<Value, Again>) -> Result<Value, (String, bool)> {
        let mut attempts = 0;
        loop {
            match exchange() {
                Ok(answer) => return Ok(answer),
                Err(Again::Never(
                    Trouble::Request(cause) | Trouble::Passing(cause) | Trouble::Server(cause),
                )) => {
                    return Err((cause, false));
                }
                Err(Again::After {
                    cause,
                    wait,
                    is_busy,
                    is_reached,
                }) => {
                    attempts += 1;
                    let most = if is_busy {
                        self.settings.retries
                    } else {
                        self.settings.retries.min(1)
                    };
                    if attempts > most {
                        return Err((cause, !is_reached));
                    }
                    let pause = wait.unwrap_or_else(|| self.settings.pause(attempts - 1));
                    thread::sleep(pause.min(LONGEST));
                }
            }
        }
    }

    fn post(&self, endpoint: &str, body: &Value) -> Result<Value, String> {
        let url = self.address.at(endpoint);
        self.ask(|| self.http.post(&url, body))
            .map_err(|(cause, _)| cause)
    }

    fn tell(&mut self, what: &'static str, found: Result<String, String>) {
        self.lines.push(Line {
            what,
            ok: found.is_ok(),
            found: found.unwrap_or_else(|why| why),
        });
    }

    /// What the server reports of the model, and whether it is one that goes on with a begun turn.
    fn models(&mut self) -> Result<(Value, bool), String> {
        let url = self.address.at("models");
        let answer = match self.ask(|| self.http.get(&url)) {
            Ok(answer) => answer,
            // A server that cannot be reached is asked nothing else; one without this endpoint, or that fails at it, is.
            Err((cause, true)) => return Err(cause),
            Err((cause, false)) => {
                self.tell("models", Err(cause));
                return Ok((json!({"id": self.model}), false));
            }
        };
        let all = answer["data"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let own = all.iter().find(|one| one["id"] == self.model);
        let names: Vec<&str> = all
            .iter()
            .filter_map(|one| one["id"].as_str())
            .take(8)
            .collect();
        let found = match own {
            Some(_) => Ok(format!("lists {}", self.model)),
            None if names.is_empty() => Err("lists none".to_owned()),
            None => Err(format!(
                "does not list {}, but {}",
                self.model,
                names.join(", ")
            )),
        };
        self.tell("models", found);
        let mut facts = json!({"id": self.model});
        // What changes from start to start (`created`, ids of permissions) is no fact of the model.
        for name in ["root", "parent", "max_model_len", "context_length", "meta"] {
            if let Some(value) = own.and_then(|own| own.get(name)).filter(|v| !v.is_null()) {
                facts[name] = value.clone();
            }
        }
        let by = own
            .and_then(|own| own["owned_by"].as_str())
            .unwrap_or_default();
        Ok((facts, matches!(by, "vllm" | "sglang")))
    }

    /// A request for a token, and for the likeliest ones.
    fn question(&self, endpoint: &str, depth: Option<usize>) -> Value {
        let is_chat = endpoint != "completions";
        let mut body =
            json!({"model": self.model, "max_tokens": 1, "temperature": 0, "stream": false});
        match is_chat {
            true => body["messages"] = json!([{"role": "user", "content": TEXT}]),
            false => body["prompt"] = TEXT.into(),
        }
        match (is_chat, depth) {
            (true, Some(depth)) => {
                body["logprobs"] = true.into();
                body["top_logprobs"] = depth.into();
            }
            (false, Some(depth)) => body["logprobs"] = depth.into(),
            (_, None) => (),
        }
        body
    }

    /// How many of the likeliest tokens an endpoint tells; `None` where it does not answer, with its cause.
    fn texts(&mut self, endpoint: &'static str) -> (Option<usize>, Option<String>) {
        let mut why = None;
        for depth in DEPTHS {
            match self.post(endpoint, &self.question(endpoint, Some(depth))) {
                Ok(answer) => {
                    let found = match reply::first_tokens(&answer) {
                        Ok(likely) => Ok(likely.len().min(depth)),
                        Err(cause) => Err(cause),
                    };
                    let told = match &found {
                        Ok(depth) => Ok(format!("writes, and tells the {depth} likeliest tokens")),
                        Err(cause) => Err(format!("writes, but {cause}")),
                    };
                    self.tell(endpoint, told);
                    return (Some(found.unwrap_or(0)), None);
                }
                Err(cause) => why = why.or(Some(cause)),
            }
        }
        match self.post(endpoint, &self.question(endpoint, None)) {
            Ok(answer) if answer["choices"].is_array() => {
                self.tell(endpoint, Err("writes, but refuses to tell logprobs".into()));
                (Some(0), None)
            }
            _ => {
                let cause = why.unwrap_or_default();
                self.tell(endpoint, Err(cause.clone()));
                (None, Some(cause))
            }
        }
    }

    /// How the log-probabilities of a prompt's own tokens are told, if they are.
    fn prompt_log_probs(&mut self) -> Option<PromptLogProbs> {
        let mut why = None;
        for by in [PromptLogProbs::Echo, PromptLogProbs::Beside] {
            let mut body = self.question("completions", None);
            pick::add(&mut body, &by.request());
            let values = self
                .post("completions", &body)
                .and_then(|answer| by.read(&answer, TEXT, 0..TEXT.len()))
                .and_then(|values| match values.is_empty() {
                    true => Err("the prompt is echoed without log-probabilities".into()),
                    false => Ok(()),
                });
            let told = match by {
                PromptLogProbs::Echo => "by echo: ppl and IFD can be had",
                PromptLogProbs::Beside => "by prompt_logprobs: ppl and IFD can be had",
            };
            match values {
                Ok(()) => {
                    self.tell("prompt logprobs", Ok(told.into()));
                    return Some(by);
                }
                Err(cause) => why = why.or(Some(cause)),
            }
        }
        self.tell("prompt logprobs", Err(why.unwrap_or_default()));
        None
    }

    /// Whether tokens can be asked for, by their ids or texts: two that nothing speaks for.
    fn picks(&mut self, abilities: &Abilities) -> Option<Picks> {
        let endpoint = [
            ("completions", abilities.completions),
            ("chat/completions", abilities.chat),
        ]
        .into_iter()
        .find(|(_, depth)| depth.is_some_and(|depth| depth > 0))?
        .0;
        let url = self.address.beside("tokenize");
        let texts = UNLIKELY.map(str::to_owned);
        let mut ids = Vec::new();
        for text in &texts {
            let body = pick::tokens_of(self.model, text);
            let answer = self.ask(|| self.http.post(&url, &body));
            let id = answer.ok().map(|answer| pick::only_token(&answer));
            // Without the first one, there is no second.
            let Some(Ok(Some(id))) = id else { break };
            ids.push(id);
        }
        let found = [Picks::Many, Picks::One, Picks::Choice]
            .into_iter()
            .find(|picks| {
                let asked = match picks {
                    Picks::Many => &texts[..],
                    Picks::One | Picks::Choice => &texts[..1],
                };
                let id = |text: &str| {
                    let at = texts.iter().position(|known| known == text);
                    at.and_then(|at| ids.get(at).copied()).map(Some).ok_or(())
                };
                let requests = picks.requests(asked, id).unwrap_or_default();
                let Some(which) = requests.first() else {
                    return false;
                };
                let mut body = self.question(endpoint, Some(1));
                pick::add(&mut body, which);
                let answer = self.post(endpoint, &body);
                let Ok(likely) = answer.and_then(|answer| reply::first_tokens(&answer)) else {
                    return false;
                };
                // A token that is drawn because no other may be is told as likely as it was, or is of no use.
                let is_told =
                    |text: &str| likely.iter().any(|l| l.text == text && l.probability < 0.5);
                asked.iter().all(|text| is_told(text))
            });
        let told = match found {
            Some(Picks::Many) => "by logprob_token_ids: all labels are told",
            Some(Picks::One) => {
                "by allowed_token_ids: labels that are not likely are asked for one by one"
            }
            Some(Picks::Choice) => {
                "by structured_outputs: labels that are not likely are asked for one by one"
            }
            None => return None,
        };
        self.tell("picked tokens", Ok(told.into()));
        found
    }

    fn embeddings(&mut self) -> (Option<usize>, Option<String>) {
        let answer = self.post("embeddings", &json!({"model": self.model, "input": TEXT}));
        let found = answer
            .and_then(|answer| reply::embedding(&answer))
            .map(|v| v.len());
        let told = found.clone().map(|n| format!("{n} dimensions"));
        self.tell("embeddings", told);
        match found {
            Ok(dimensions) => (Some(dimensions), None),
            Err(cause) => (None, Some(cause)),
        }
    }

    fn tokenize(&mut self) -> bool {
        // One body for the servers' different names of the text.
        let body = json!({"model": self.model, "prompt": TEXT, "content": TEXT, "input": TEXT});
        let urls = ["tokenize", "extras/tokenize"].map(|at| self.address.beside(at));
        let found = urls.iter().find_map(|url| {
            let answer = self.ask(|| self.http.post(url, &body)).ok()?;
            Some(answer["tokens"].as_array()?.len())
        });
        let told = found.map(|n| format!("{TEXT:?} has {n} tokens"));
        self.tell("tokenize", told.ok_or_else(|| "not offered".into()));
        found.is_some()
    }
}
