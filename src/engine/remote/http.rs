//! One exchange with a server: a request, its answer as JSON, or what is wrong and whether trying again can help.

use std::io::{BufRead, BufReader};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use ureq::http::Response;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, Proxy, RequestBuilder};

use super::address::Address;
use super::names::Names;
use super::stream::Streamed;
use super::trouble::{Again, Step, Trouble};
use super::{Key, Settings};

/// Largest answer that is read.
const LARGEST: u64 = 32 << 20;
/// Of what a server says about a refusal.
const SAID: usize = 200;

/// Connections to a server, kept alive.
#[derive(Clone)]
pub(super) struct Http {
    agent: Agent,
    key: Option<Key>,
    /// For messages.
    model: String,
}

impl Http {
    pub fn new(address: &Address, model: &str, settings: &Settings, connections: usize) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The key goes to this server and no other.
            .max_redirects(0)
            .user_agent(concat!("juror/", env!("CARGO_PKG_VERSION")))
            // A proxy cannot mean this machine when we say it.
            .proxy(match address.is_near {
                true => None,
                false => Proxy::try_from_env(),
            })
            .timeout_resolve(Some(Duration::from_secs(10)))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(settings.timeout))
            .max_idle_connections_per_host(connections.max(1))
            .build();
        Http {
            agent: Agent::with_parts(config, DefaultConnector::default(), Names::default()),
            key: settings.key.clone(),
            model: model.to_owned(),
        }
    }

    /// Closes its connections, those of requests under way among them.
    pub fn shut(self) {
        self.agent.shutdown();
    }

    /// Posts JSON.
    pub fn post(&self, url: &str, body: &Value) -> Step<Value> {
        let sent = self.send(url, body);
        self.answer(url, sent)
    }

    /// Posts JSON, and tells the pieces of the answer's text as they come. A server that does not stream answers whole.
    pub fn post_streamed(
        &self,
        url: &str,
        body: &Value,
        tell: &mut dyn FnMut(&str),
    ) -> Step<Value> {
        let sent = self.send(url, body);
        let is_stream = sent.as_ref().is_ok_and(|response| {
            let kind = response.headers().get("content-type");
            let kind = kind.and_then(|kind| kind.to_str().ok());
            response.status().is_success()
                && kind.is_some_and(|kind| kind.starts_with("text/event-stream"))
        });
        if !is_stream {
            return self.answer(url, sent);
        }
        let mut response = sent.map_err(|error| self.failed(url, &error))?;
        let body = response.body_mut().with_config().limit(LARGEST).reader();
        let mut streamed = Streamed::default();
        let later = |cause: String| Again::later(self.without_key(&format!("{url}: {cause}")));
        for line in BufReader::new(body).lines() {
            let line = line.map_err(|cause| later(cause.to_string()))?;
            if let Some(piece) = streamed.take(&line).map_err(later)? {
                tell(&piece);
            }
            if streamed.is_done() {
                break;
            }
        }
        streamed.whole().map_err(later)
    }

    /// Gets JSON.
    pub fn get(&self, url: &str) -> Step<Value> {
        let sent = self.with_key(self.agent.get(url)).call();
        self.answer(url, sent)
    }

    fn send(&self, url: &str, body: &Value) -> Result<Response<Body>, ureq::Error> {
        let request = self.with_key(self.agent.post(url));
        let request = request.header("Content-Type", "application/json");
        request.send(body.to_string())
    }

    fn with_key<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.key {
            Some(key) => request.header("Authorization", key.bearer()),
            None => request,
        }
    }

    fn answer(&self, url: &str, sent: Result<Response<Body>, ureq::Error>) -> Step<Value> {
        let mut response = sent.map_err(|error| self.failed(url, &error))?;
        if !response.status().is_success() {
            return Err(self.refused(url, response));
        }
        let body = response.body_mut().with_config().limit(LARGEST);
        let text = body
            .read_to_string()
            .map_err(|error| self.failed(url, &error))?;
        // A proxy's page, or an answer that was cut: the next may be whole.
        serde_json::from_str(&text)
            .map_err(|_| Again::later(format!("{url}: the answer is no JSON")))
    }

    /// Sorts refusals into those of one request, for now, and for good.
    fn refused(&self, url: &str, mut response: Response<Body>) -> Again {
        let status = response.status();
        let wait = response.headers().get("retry-after");
        let wait = wait.and_then(|wait| until(wait.to_str().ok()?.trim(), SystemTime::now()));
        if matches!(status.as_u16(), 408 | 409 | 425 | 429 | 502..=504) {
            return Again::After {
                cause: format!("{url} answers {status}"),
                wait,
                is_busy: matches!(status.as_u16(), 429 | 503),
                // Whoever answers so may stand before a server that is down.
                is_reached: false,
            };
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
                let said = body.ok().and_then(|body| said(&body)).unwrap_or_default();
                let cause = self.without_key(&format!("{url} answers {status}: {said}"));
                match status.is_server_error() {
                    true => Again::After {
                        cause,
                        wait,
                        is_busy: false,
                        is_reached: true,
                    },
                    false => Again::Never(Trouble::Request(cause)),
                }
            }
        }
    }

    fn without_key(&self, said: &str) -> String {
        match &self.key {
            Some(key) => key.hidden_in(said),
            None => said.to_owned(),
        }
    }

    fn failed(&self, url: &str, error: &ureq::Error) -> Again {
        use ureq::Error as E;
        let cause = self.without_key(&format!("{url}: {error}"));
        match error {
            E::Io(_) | E::Timeout(_) | E::ConnectionFailed | E::Protocol(_) | E::HostNotFound => {
                Again::later(cause)
            }
            E::BodyExceedsLimit(_) => Again::Never(Trouble::Request(cause)),
            _ => Again::Never(Trouble::Server(cause)),
        }
    }
}

/// What a Retry-After header asks for: seconds, or a date. A date that is past is now.
fn until(wait: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = wait.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(wait).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// What a refusal says, in the shapes that servers give it.
fn said(body: &str) -> Option<String> {
    let json: Value = serde_json::from_str(body).ok()?;
    let error = &json["error"];
    let said = error["message"]
        .as_str()
        .or(error.as_str())
        .or(json["message"].as_str())
        .or(json["detail"].as_str());
    Some(
        said?
            .chars()
            .filter(|c| !c.is_control())
            .take(SAID)
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Fri, 20 Nov 2026 10:00:00 GMT").unwrap();
        let of = |wait: &str| until(wait, now).map(|wait| wait.as_secs_f64());
        assert_eq!(of("1.5"), Some(1.5));
        assert_eq!(of("Fri, 20 Nov 2026 10:00:30 GMT"), Some(30.0));
        assert_eq!(of("Fri, 20 Nov 2026 09:00:00 GMT"), Some(0.0));
        for none in ["soon", "-1", "NaN", "Fri, 20 Nov"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
