//! A chat server of our own on this machine, and whatever can go wrong with one.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::http::{Request, next_request};
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Seen {
    pub prompt: String,
    pub key: Option<String>,
    pub body: Value,
}

/// An answer in place of the proper one.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A status with further header lines and a body.
    Status(u16, &'static str, &'static str),
    /// The connection closes after so many bytes of the body.
    Cut(usize),
    /// A page that is no JSON.
    Page,
}

#[derive(Default)]
pub struct State {
    pub faults: VecDeque<Fault>,
    /// For every request that is not faulty.
    pub always: Option<Fault>,
    pub seen: Vec<Seen>,
    /// Before each answer.
    pub delay: Duration,
}

/// The text of a reply, and whether it broke off.
pub type Script = dyn Fn(&str) -> (String, bool) + Send + Sync;

#[derive(Clone)]
pub struct Server {
    /// As `--teacher` takes it.
    pub name: String,
    state: Arc<Mutex<State>>,
    script: Arc<Script>,
}

impl Server {
    /// Serves until the process ends.
    pub fn start(script: impl Fn(&str) -> (String, bool) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server {
            name: format!("http://{}/v1#teacher", listener.local_addr().unwrap()),
            state: Arc::default(),
            script: Arc::new(script),
        };
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = own.clone();
                std::thread::spawn(move || server.answer(stream));
            }
        });
        server
    }

    pub fn with<T>(&self, use_it: impl FnOnce(&mut State) -> T) -> T {
        use_it(&mut self.state.lock().unwrap())
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.with(|state| state.seen.clone())
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some(Request { first, key, body }) = next_request(&mut reader) else {
            return;
        };
        assert!(first.starts_with("POST /v1/chat/completions "), "{first}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        let prompt = body["messages"][0]["content"].as_str().unwrap().to_owned();
        let (fault, delay) = self.with(|state| {
            let prompt = prompt.clone();
            let body = body.clone();
            state.seen.push(Seen { prompt, key, body });
            (
                state.faults.pop_front().or(state.always.clone()),
                state.delay,
            )
        });
        std::thread::sleep(delay);
        let (text, is_cut) = (self.script)(&prompt);
        let proper = json!({
            "choices": [{"message": {"role": "assistant", "content": text},
                         "finish_reason": if is_cut { "length" } else { "stop" }}],
            "usage": {"prompt_tokens": prompt.len() / 4, "completion_tokens": text.len() / 4},
        })
        .to_string();
        let (head, body) = match &fault {
            Some(Fault::Status(status, more, body)) => {
                (format!("{status} Fault\r\n{more}"), (*body).to_owned())
            }
            Some(Fault::Page) => ("200 OK\r\n".into(), "<html>busy</html>".into()),
            _ => ("200 OK\r\n".into(), proper),
        };
        let sent = match fault {
            Some(Fault::Cut(at)) => &body.as_bytes()[..at],
            _ => body.as_bytes(),
        };
        let length = body.len();
        let _ = write!(
            stream,
            "HTTP/1.1 {head}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        let _ = stream.write_all(sent);
    }
}
