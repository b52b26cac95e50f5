//! How many judgments a second come back from a server that has nothing to compute.
//!
//!     cargo bench --bench servers -- --in-flight 512
//!
//! The server answers every completion at once with the same ten digits; it and Juror share this machine's cores, so that
//! Juror alone could do more. What is measured is the engine's handle: a prompt in, probabilities of labels out.
//!
//! With `--faulty` every tenth answer is wrong in some way, and twice a second the server refuses everything for a moment:
//! all requests have to come back with the right probabilities all the same.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use clap::Parser;
use juror::engine::remote::Settings;
use juror::engine::{Answer, Ask, Engine, Job, Lane, Options, Outcome, Role, Task};
use juror::model::tokenizer::Tokenizer;

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
    #[arg(long, default_value_t = 512)]
    in_flight: usize,
    /// Characters of a prompt
    #[arg(long, default_value_t = 2000)]
    characters: usize,
    /// Let the server answer wrongly
    #[arg(long)]
    faulty: bool,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is answered to a completion: ten digits, evenly.
fn completion() -> String {
    let digits: serde_json::Map<String, serde_json::Value> = (0..10)
        .map(|digit: u32| (digit.to_string(), (0.1_f64).ln().into()))
        .collect();
    let choice = serde_json::json!({"text": "5", "index": 0, "finish_reason": "length",
        "logprobs": {"tokens": ["5"], "token_logprobs": [-2.3], "top_logprobs": [digits]}});
    serde_json::json!({"id": "x", "object": "text_completion", "model": "none", "choices": [choice],
        "usage": {"prompt_tokens": 500, "completion_tokens": 1, "total_tokens": 501}})
    .to_string()
}

/// What goes wrong, in turn.
const FAULTS: [Fault; 8] = [
    Fault::Status(
        "500 Internal Server Error",
        "{\"error\":{\"message\":\"hm\"}}",
    ),
    Fault::Status("502 Bad Gateway", "<html>busy</html>"),
    Fault::Close,
    Fault::Cut,
    Fault::Status("200 OK", "{\"choices\": [{\"text\""),
    Fault::Status(
        "200 OK",
        "{\"choices\":[{\"text\":\"7\",\"logprobs\":null}]}",
    ),
    Fault::Status("200 OK", "[]"),
    Fault::Slow,
];

#[derive(Clone, Copy)]
enum Fault {
    /// Another status and body.
    Status(&'static str, &'static str),
    /// The connection closes without a word.
    Close,
    /// The connection closes in the middle of the body.
    Cut,
    /// The proper answer, late.
    Slow,
}

/// A server that nothing is right with.
struct Faulty {
    began: Instant,
    asked: AtomicU64,
    faults: AtomicU64,
    refused: AtomicU64,
}

impl Faulty {
    fn new() -> Self {
        Faulty {
            began: Instant::now(),
            asked: AtomicU64::new(0),
            faults: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// What goes wrong with the next answer.
    fn next(&self) -> Option<Fault> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        // The probes before the first judgment are answered.
        if asked < 10 {
            return None;
        }
        if self.began.elapsed().subsec_millis() % 500 < 10 {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Some(Fault::Status(
                "429 Too Many Requests\r\nRetry-After: 0.02",
                "{}",
            ));
        }
        if !asked.is_multiple_of(10) {
            return None;
        }
        let fault = self.faults.fetch_add(1, Ordering::Relaxed);
        Some(FAULTS[fault as usize % FAULTS.len()])
    }
}

/// Answers what comes over one connection.
fn serve(stream: TcpStream, answer: &str, faulty: Option<&Faulty>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let is_completion = line.contains("/completions") && !line.contains("/chat/");
        let is_list = line.contains("/models");
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let header = line.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body)?;
        let (status, text) = match (is_completion, is_list) {
            (true, _) => ("200 OK", answer),
            (_, true) => (
                "200 OK",
                r#"{"object":"list","data":[{"id":"none","object":"model"}]}"#,
            ),
            _ => ("404 Not Found", r#"{"error":{"message":"not here"}}"#),
        };
        let fault = faulty.filter(|_| is_completion).and_then(Faulty::next);
        let (status, text) = match fault {
            Some(Fault::Status(status, text)) => (status, text),
            Some(Fault::Close) => return Ok(()),
            Some(Fault::Slow) => {
                thread::sleep(Duration::from_millis(100));
                (status, text)
            }
            Some(Fault::Cut) | None => (status, text),
        };
        let length = text.len();
        let whole = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}"
        );
        if let Some(Fault::Cut) = fault {
            return stream.write_all(&whole.as_bytes()[..whole.len() - length / 2]);
        }
        stream.write_all(whole.as_bytes())?;
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let answer = completion();
    let faulty = arguments.faulty.then(|| Arc::new(Faulty::new()));
    let own = faulty.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (answer, faulty) = (answer.clone(), own.clone());
            thread::spawn(move || serve(stream, &answer, faulty.as_deref()));
        }
    });
    let options = Options {
        judge: format!("http://127.0.0.1:{port}/v1#none"),
        remote: Settings {
            concurrency: arguments.in_flight,
            retries: if arguments.faulty { 50 } else { 6 },
            pause: match arguments.faulty {
                true => Duration::from_millis(5),
                false => Settings::default().pause,
            },
            ..Settings::default()
        },
        ..Options::default()
    };
    let (engine, _) = Engine::load(options, |_, _, _| ())?;
    let text = "a word ".repeat(arguments.characters.div_ceil(7));
    let ids = Tokenizer::characters().encode_data(&text, true)?.ids;
    let labels: Vec<Vec<u32>> = ('0'..='9').map(|digit| vec![u32::from(digit)]).collect();
    let (reply, answers) = channel();
    let submit = |id| {
        engine.submit(Job {
            id,
            lane: Lane::Batch,
            tasks: vec![Task {
                role: Role::Judge,
                ids: ids.clone(),
                ask: Ask::Labels {
                    labels: labels.clone(),
                    mass: true,
                    top: None,
                },
            }],
            reply: reply.clone(),
        });
    };
    let began = Instant::now();
    let ahead = (2 * arguments.in_flight as u64).min(arguments.requests);
    (0..ahead).for_each(submit);
    for done in 0..arguments.requests {
        match answers.recv()? {
            Answer::Done { outcomes, .. } => {
                let right = |p: &f64| (p - 0.1).abs() < 1e-9;
                let is_right = |outcome: &Outcome| match outcome {
                    Outcome::Labels { probabilities, .. } => {
                        probabilities.len() == 10 && probabilities.iter().all(right)
                    }
                    _ => false,
                };
                ensure!(
                    outcomes.iter().all(is_right),
                    "a wrong answer: {outcomes:?}"
                );
            }
            other => bail!("{other:?}"),
        }
        if done + ahead < arguments.requests {
            submit(done + ahead);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{} requests of {} characters, {} in flight at most: {:.1} s, {:.0} requests/s",
        arguments.requests,
        text.len(),
        arguments.in_flight,
        seconds,
        arguments.requests as f64 / seconds
    );
    if let Some(faulty) = &faulty {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        println!(
            "{} wrong answers and {} refusals on the way; every request came back right",
            of(&faulty.faults),
            of(&faulty.refused)
        );
    }
    Ok(())
}
