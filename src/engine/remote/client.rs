//! Requests to a server: many at a time, tried again where that can help.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use serde_json::{Value, json};
use ureq::http::Response;
use ureq::{Agent, Body, Proxy};

use super::trouble::{Again, Step, Trouble};

/// Longest wait that a server may ask for, and longest of our own.
const PATIENCE: Duration = Duration::from_secs(120);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Largest answer that is read.
const LARGEST: u64 = 32 << 20;

/// A secret: it is sent, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// What stands in an environment variable, if anything does.
    ///
    /// # Errors
    /// Characters that cannot be sent; the key itself is not told.
    pub fn of_environment(name: &str) -> Result<Option<Self>, String> {
        let text = std::env::var(name).unwrap_or_default().trim().to_owned();
        match text.bytes().all(|b| b.is_ascii_graphic()) {
            true if text.is_empty() => Ok(None),
            true => Ok(Some(Key(text))),
            false => Err(format!("{name} holds characters that no key has")),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// How a server is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub key: Option<Key>,
    /// Requests at a time.
    pub concurrency: usize,
    /// Further attempts where one fails for now.
    pub retries: u32,
    /// Before the first further attempt; then twice as long each time.
    pub pause: Duration,
    /// For one answer as a whole.
    pub timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            key: None,
            concurrency: 8,
            retries: 6,
            pause: Duration::from_millis(500),
            timeout: Duration::from_secs(600),
        }
    }
}

/// One person's turn, to be answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Chat {
    pub prompt: String,
    /// Longest answer.
    pub max_tokens: usize,
    /// 0 takes the likeliest token.
    pub temperature: f64,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub text: String,
    /// As the server counts; not all do.
    pub prompt_tokens: Option<usize>,
    pub written_tokens: Option<usize>,
    /// Whether it broke off at its longest length.
    pub is_cut: bool,
}

/// A model on a server.
pub struct Client {
    agent: Agent,
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
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.is_empty() || !matches!(scheme, "http" | "https") {
            return Err(format!("`{url}`: https://HOST/v1#MODEL is expected"));
        }
        if authority.contains('@') {
            return Err("a name or password does not belong in a server's address: give the key by the environment".into());
        }
        let loopback = ["localhost", "127.", "[::1]"];
        let is_near = loopback.iter().any(|near| authority.starts_with(near));
        if settings.key.is_some() && scheme == "http" && !is_near {
            return Err(format!(
                "http://{authority} would let everybody on the way read the key: use https, or unset the key"
            ));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The key goes to this server and no other.
            .max_redirects(0)
            .user_agent(concat!("juror/", env!("CARGO_PKG_VERSION")))
            // A proxy cannot mean this machine when we say it.
            .proxy(match is_near {
                true => None,
                false => Proxy::try_from_env(),
            })
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(settings.timeout))
            .max_idle_connections_per_host(settings.concurrency.max(1))
            .build();
        Ok(Client {
            agent: config.into(),
            url: format!("{}/chat/completions", url.trim_end_matches('/')),
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
                Err(Again::After(cause, after)) => (cause, after),
            };
            let pause = after.unwrap_or_else(|| self.pause(failures));
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

    /// Twice as long each time, less up to a half, so that those who failed together do not come back together.
    fn pause(&self, failures: u32) -> Duration {
        let whole = self.settings.pause * 2u32.saturating_pow(failures.min(10));
        whole
            .min(LONGEST_PAUSE)
            .mul_f64(0.5 + 0.5 * rand::random::<f64>())
    }

    fn attempt(&self, chat: &Chat) -> Step<Written> {
        let body = json!({
            "model": self.model,
            "messages": [{"role": "user", "content": chat.prompt}],
            "temperature": chat.temperature,
            "max_tokens": chat.max_tokens,
            "stream": false,
        });
        let mut request = self.agent.post(&self.url);
        request = request.header("Content-Type", "application/json");
        if let Some(Key(key)) = &self.settings.key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = request
            .send(body.to_string())
            .map_err(|error| self.failed(&error))?;
        if !response.status().is_success() {
            return Err(self.refused(response));
        }
        let body = response.body_mut().with_config().limit(LARGEST);
        let text = body.read_to_string().map_err(|error| self.failed(&error))?;
        read(&text)
            .map_err(|cause| {
                // A proxy's page, or an answer that was cut: the next may be whole.
                Again::After(format!("{}: {cause}", self.url), None)
            })?
            .ok_or_else(|| {
                Again::Never(Trouble::Request(format!(
                    "{}: the answer has no text",
                    self.url
                )))
            })
    }

    /// Sorts refusals into those of one request, for now, and for good.
    fn refused(&self, mut response: Response<Body>) -> Again {
        let status = response.status();
        let after = response.headers().get("retry-after");
        let after = after.and_then(|after| after.to_str().ok()?.trim().parse::<f64>().ok());
        let after = after.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let url = &self.url;
        if status.is_server_error() || matches!(status.as_u16(), 408 | 409 | 425 | 429) {
            return Again::After(format!("{url} answers {status}"), after);
        }
        let server =
            |cure: &str| Again::Never(Trouble::Server(format!("{url} answers {status}: {cure}")));
        match status.as_u16() {
            // What such an answer says may repeat the key.
            401 | 403 => {
                server("the server wants another key, or one at all: set it by the environment")
            }
            404 | 405 => server(&format!(
                "check the address, and the model's name `{}`",
                self.model
            )),
            300..=399 => server("the server is elsewhere: give the address that it points to"),
            _ => {
                let body = response
                    .body_mut()
                    .with_config()
                    .limit(1 << 16)
                    .read_to_string();
                let said = body.ok().and_then(|body| {
                    let json: Value = serde_json::from_str(&body).ok()?;
                    let error = &json["error"];
                    let said = error["message"]
                        .as_str()
                        .or(error.as_str())
                        .or(json["message"].as_str());
                    Some(
                        said?
                            .chars()
                            .filter(|c| !c.is_control())
                            .take(200)
                            .collect::<String>(),
                    )
                });
                let said = self.without_key(said.unwrap_or_default());
                Again::Never(Trouble::Request(format!("{url} answers {status}: {said}")))
            }
        }
    }

    fn without_key(&self, said: String) -> String {
        match &self.settings.key {
            Some(Key(key)) => said.replace(key.as_str(), "…"),
            None => said,
        }
    }

    fn failed(&self, error: &ureq::Error) -> Again {
        use ureq::Error as E;
        let cause = self.without_key(format!("{}: {error}", self.url));
        match error {
            E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::Protocol(_) | E::HostNotFound => {
                Again::After(cause, None)
            }
            E::BodyExceedsLimit(_) => Again::Never(Trouble::Request(cause)),
            _ => Again::Never(Trouble::Server(cause)),
        }
    }
}

/// An answer's text and figures; `None` where it has no text.
fn read(body: &str) -> Result<Option<Written>, String> {
    let json: Value = serde_json::from_str(body).map_err(|_| "the answer is no JSON")?;
    let choice = json["choices"].get(0).ok_or("the answer has no choices")?;
    let count = |name: &str| json["usage"][name].as_u64().map(|n| n as usize);
    let text = choice["message"]["content"].as_str();
    Ok(text.map(|text| Written {
        text: text.to_owned(),
        prompt_tokens: count("prompt_tokens"),
        written_tokens: count("completion_tokens"),
        is_cut: choice["finish_reason"] == "length",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_key() -> Settings {
        Settings {
            key: Some(Key("secret".into())),
            ..Settings::default()
        }
    }

    #[test]
    fn a_key_goes_only_where_nobody_reads_along() {
        for near in [
            "http://localhost:80/v1",
            "http://127.0.0.1/v1",
            "http://[::1]:9/v1",
            "https://host/v1",
        ] {
            assert!(Client::new(near, "m", with_key()).is_ok(), "{near}");
        }
        let refused = |url: &str| Client::new(url, "m", with_key()).err().unwrap();
        assert!(refused("http://host/v1").contains("use https"));
        assert!(refused("https://me:secret@host/v1").contains("does not belong"));
        assert!(refused("ftp://host").contains("expected"));
        assert!(!format!("{:?}", with_key()).contains("secret"));
    }

    #[test]
    fn pauses_grow_and_differ() {
        let client = Client::new("https://host/v1", "m", Settings::default()).unwrap();
        for failures in 0..20 {
            let whole = Duration::from_millis(500 << failures.min(10)).min(LONGEST_PAUSE);
            let pause = client.pause(failures);
            assert!(
                pause >= whole / 2 && pause <= whole,
                "{failures}: {pause:?}"
            );
        }
    }

    #[test]
    fn answers_are_read() {
        let body = r#"{"choices":[{"message":{"content":"Hm."},"finish_reason":"length"}],"usage":{"prompt_tokens":3}}"#;
        let written = read(body).unwrap().unwrap();
        assert_eq!((written.text.as_str(), written.is_cut), ("Hm.", true));
        assert_eq!(
            (written.prompt_tokens, written.written_tokens),
            (Some(3), None)
        );
        assert_eq!(
            read(r#"{"choices":[{"message":{"content":null}}]}"#),
            Ok(None)
        );
        assert!(read("<html>").is_err() && read("{}").is_err());
    }
}
