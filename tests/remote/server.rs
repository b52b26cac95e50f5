//! An OpenAI-compatible server of our own on this machine, and whatever can go wrong with one.

use std::collections::{HashSet, VecDeque};
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::http::{Request, next_request};
use serde_json::{Map, Value, json};

/// What `juror` asks to learn what a server can do.
const PROBE: &str = "1, 2, 3,";

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    pub text: String,
    pub key: Option<String>,
    pub body: Value,
    /// Which connection it came by.
    pub connection: usize,
}

/// An answer in place of the proper one.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A status with further header lines and a body.
    Status(u16, &'static str, &'static str),
    /// The connection closes after so many bytes of the body.
    Cut(usize),
    /// The connection closes without a word.
    Close,
    /// Another body.
    Body(&'static str),
}

#[derive(Default)]
pub struct State {
    pub faults: VecDeque<Fault>,
    /// For texts with this in them, always.
    pub always: Option<(&'static str, Fault)>,
    pub seen: Vec<Seen>,
    /// Before each answer.
    pub delay: Duration,
    /// Endpoints that are not there.
    pub without: HashSet<&'static str>,
    /// Endpoints that always fail.
    pub broken: HashSet<&'static str>,
    /// Losses of prompts stand beside answers instead of being echoed.
    pub beside: bool,
    /// More at a time are refused, with this wait.
    pub most: Option<(usize, &'static str)>,
    pub under_way: usize,
    pub most_under_way: usize,
    pub refused: usize,
    /// Requests that the other side gave up.
    pub abandoned: usize,
    /// The field by which tokens can be asked for (as vLLM's servers have it); then no more than this many are told else.
    pub picks: Option<(&'static str, usize)>,
    connections: usize,
}

/// The likeliest next tokens behind a text.
pub type Script = dyn Fn(&str) -> Vec<(String, f64)> + Send + Sync;

#[derive(Clone)]
pub struct Server {
    pub url: String,
    state: Arc<Mutex<State>>,
    script: Arc<Script>,
}

/// Digits around the length of a text, and two words.
pub fn digits(text: &str) -> Vec<(String, f64)> {
    let best = text.len() % 10;
    let of = |digit: usize| match digit.abs_diff(best) {
        0 => 0.5,
        1 => 0.1,
        _ => 0.02,
    };
    let mut all: Vec<(String, f64)> = (0..10).map(|d| (d.to_string(), of(d))).collect();
    all.extend([("The".into(), 0.01), ("I".into(), 0.005)]);
    all
}

impl Server {
    pub fn start(script: impl Fn(&str) -> Vec<(String, f64)> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            url: format!("http://{}/v1", listener.local_addr().unwrap()),
            state: Arc::default(),
            script: Arc::new(script),
        };
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = own.clone();
                std::thread::spawn(move || server.serve(stream));
            }
        });
        server
    }

    /// As `--judge` takes it.
    pub fn name(&self) -> String {
        format!("{}#ours", self.url)
    }

    pub fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap())
    }

    /// Requests that are no probes.
    pub fn asked(&self) -> Vec<Seen> {
        let is_work = |seen: &&Seen| is_work(seen);
        self.with(|state| state.seen.iter().filter(is_work).cloned().collect())
    }

    /// One connection, kept alive.
    fn serve(&self, mut stream: TcpStream) {
        let connection = self.with(|state| {
            state.connections += 1;
            state.connections
        });
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let Some(Request { first, key, body }) = next_request(&mut reader) else {
                return;
            };
            let path = first.split(' ').nth(1).unwrap().to_owned();
            let body: Value = serde_json::from_slice(&body).unwrap_or_default();
            let seen = Seen {
                text: text(&body),
                path,
                key,
                body,
                connection,
            };
            if !self.answer(&mut stream, seen) {
                return;
            }
        }
    }

    /// Whether the connection stays.
    fn answer(&self, stream: &mut TcpStream, seen: Seen) -> bool {
        let is_work = is_work(&seen);
        let (fault, delay) = self.with(|state| {
            state.seen.push(seen.clone());
            let mut fault = match &state.always {
                _ if !is_work => None,
                Some((part, fault)) if seen.text.contains(part) => Some(fault.clone()),
                _ => state.faults.pop_front(),
            };
            if state.without.iter().any(|end| seen.path.ends_with(end)) {
                fault = Some(Fault::Status(
                    404,
                    "",
                    r#"{"error":{"message":"no such endpoint"}}"#,
                ));
            }
            if state.broken.iter().any(|end| seen.path.ends_with(end)) {
                fault = Some(Fault::Status(500, "", "Internal Server Error"));
            }
            state.under_way += 1;
            if let Some((_, wait)) = state.most.filter(|(most, _)| state.under_way > *most) {
                state.refused += 1;
                fault = Some(Fault::Status(
                    429,
                    wait,
                    r#"{"error":{"message":"slow down"}}"#,
                ));
            } else {
                state.most_under_way = state.most_under_way.max(state.under_way);
            }
            (fault, if is_work { state.delay } else { Duration::ZERO })
        });
        let is_refused = matches!(fault, Some(Fault::Status(429, ..)));
        if !is_refused {
            self.wait(stream, delay);
        }
        let proper = self.proper(&seen);
        let (kind, proper) = match seen.body["stream"] == true {
            true => ("Content-Type: text/event-stream\r\n", events(&proper)),
            false => ("", proper.to_string()),
        };
        let (head, body) = match &fault {
            Some(Fault::Status(status, more, body)) => {
                (format!("{status} Fault\r\n{more}"), (*body).to_owned())
            }
            Some(Fault::Body(body)) => ("200 OK\r\n".into(), (*body).to_owned()),
            _ => (format!("200 OK\r\n{kind}"), proper),
        };
        self.with(|state| state.under_way -= 1);
        if matches!(fault, Some(Fault::Close)) {
            return false;
        }
        let sent = match fault {
            Some(Fault::Cut(at)) => &body.as_bytes()[..at],
            _ => body.as_bytes(),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {head}Content-Length: {length}\r\n\r\n");
        let whole = [head.as_bytes(), sent].concat();
        stream.write_all(&whole).is_ok() && !matches!(fault, Some(Fault::Cut(_)))
    }

    /// Notes when the other side closes the connection meanwhile.
    fn wait(&self, stream: &TcpStream, delay: Duration) {
        let until = Instant::now() + delay;
        while Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10).min(delay));
            stream.set_nonblocking(true).unwrap();
            let gone = matches!(stream.peek(&mut [0]), Ok(0));
            stream.set_nonblocking(false).unwrap();
            if gone {
                self.with(|state| state.abandoned += 1);
                return;
            }
        }
    }

    fn proper(&self, seen: &Seen) -> Value {
        let usage = json!({"prompt_tokens": seen.text.len(), "completion_tokens": 1});
        if seen.path.ends_with("/models") {
            // `created` changes, and is no fact of the model.
            let created = Instant::now().elapsed().as_nanos() as u64;
            return json!({"data": [{"id": "ours", "owned_by": "us", "created": created, "max_model_len": 4096}]});
        }
        if seen.path.ends_with("/embeddings") {
            let count = |c: char| seen.text.matches(c).count() as f64 + 0.5;
            return json!({"data": [{"embedding": [count('a'), count('e'), count('t')]}], "usage": usage});
        }
        if seen.path.ends_with("/tokenize") {
            return json!({"tokens": seen.text.bytes().collect::<Vec<u8>>()});
        }
        if seen.body["max_tokens"] != 1 {
            let text = format!("written {}", seen.body["seed"]);
            return json!({"usage": usage, "choices": [
                {"message": {"role": "assistant", "content": text}, "text": text, "finish_reason": "stop"}]});
        }
        let mut likely = (self.script)(&seen.text);
        likely.sort_by(|a, b| b.1.total_cmp(&a.1));
        if let Some((field, most)) = self.with(|state| state.picks) {
            likely = picked(&seen.body, field, likely, most);
        }
        let (token, p) = likely[0].clone();
        let mut logprobs = match seen.path.ends_with("/chat/completions") {
            true => {
                let all = likely
                    .iter()
                    .map(|(t, p)| json!({"token": t, "logprob": p.ln()}));
                json!({"content": [{"token": token, "logprob": p.ln(), "top_logprobs": all.collect::<Vec<_>>()}]})
            }
            false => {
                let all: Map<String, Value> = likely
                    .iter()
                    .map(|(t, p)| (t.clone(), json!(p.ln())))
                    .collect();
                json!({"tokens": [token], "token_logprobs": [p.ln()], "top_logprobs": [all]})
            }
        };
        let beside = self.with(|state| state.beside);
        if seen.body["echo"] == true && !beside {
            // A token a character, each with the same loss.
            let all = seen.text.chars().count();
            logprobs["text_offset"] = (0..all).collect();
            logprobs["token_logprobs"] = (0..all).map(|n| (n > 0).then_some(-0.5)).collect();
        }
        let mut choice = json!({
            "message": {"role": "assistant", "content": token}, "text": token,
            "finish_reason": "length", "logprobs": logprobs});
        if seen.body["prompt_logprobs"] == 0 && beside {
            let one = |c: char| json!({"5": {"logprob": -0.5, "rank": 2, "decoded_token": c.to_string()}});
            let others = seen.text.chars().skip(1).map(one);
            choice["prompt_logprobs"] = [Value::Null].into_iter().chain(others).collect();
        }
        json!({"usage": usage, "choices": [choice]})
    }
}

/// The likeliest tokens, and those that were asked for by their ids, which are the codes of their characters, or as the only
/// choice. The first is the one that is drawn.
fn picked(
    body: &Value,
    field: &str,
    mut likely: Vec<(String, f64)>,
    most: usize,
) -> Vec<(String, f64)> {
    let asked: Vec<String> = body[field]
        .as_array()
        .into_iter()
        .flatten()
        .map(|id| char::from(id.as_u64().unwrap() as u8).to_string())
        .chain(body[field]["choice"][0].as_str().map(str::to_owned))
        .collect();
    // What the script does not know is unlikely, as are two letters behind numbers.
    let of = |text: &String| {
        let known = likely.iter().find(|(token, _)| token == text);
        (text.clone(), known.map_or(1e-9, |(_, p)| *p))
    };
    let told: Vec<(String, f64)> = asked.iter().map(of).collect();
    let drawn = match field {
        "allowed_token_ids" | "structured_outputs" if !told.is_empty() => told[0].clone(),
        _ => likely[0].clone(),
    };
    likely.truncate(most);
    if field == "logprob_token_ids" && !told.is_empty() {
        likely = told;
    }
    likely.retain(|(token, _)| *token != drawn.0);
    likely.insert(0, drawn);
    likely
}

/// The same answer piece by piece.
fn events(whole: &Value) -> String {
    let text = whole["choices"][0]["text"].as_str().unwrap();
    let event = |piece: &str, finish: Value| {
        let choice = json!({"delta": {"content": piece}, "text": piece, "finish_reason": finish});
        format!("data: {}\n\n", json!({"choices": [choice]}))
    };
    let mut all: String = text
        .split_inclusive(' ')
        .map(|piece| event(piece, Value::Null))
        .collect();
    all += &event("", json!("stop"));
    all += &format!(
        "data: {}\n\n",
        json!({"choices": [], "usage": whole["usage"]})
    );
    all + "data: [DONE]\n\n"
}

/// What is no probe.
fn is_work(seen: &Seen) -> bool {
    let is_beside = ["/models", "/tokenize"]
        .iter()
        .any(|end| seen.path.ends_with(end));
    !seen.text.contains(PROBE) && !is_beside
}

fn text(body: &Value) -> String {
    let of = |value: &Value| value.as_str().map(str::to_owned);
    let said = || {
        body["messages"]
            .as_array()?
            .last()
            .and_then(|m| of(&m["content"]))
    };
    of(&body["prompt"])
        .or_else(|| of(&body["input"]))
        .or_else(said)
        .unwrap_or_default()
}
