//! How many judgments a second come back from a server that has nothing to compute.
//!
//!     cargo bench --bench servers -- --in-flight 512
//!
//! The server answers every completion at once with the same ten digits; it and Juror share this machine's cores, so that
//! Juror alone could do more. What is measured is the engine's handle: a prompt in, probabilities of labels out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use juror::engine::remote::Settings;
use juror::engine::{Answer, Ask, Engine, Job, Lane, Options, Role, Task};
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

/// Answers what comes over one connection.
fn serve(stream: TcpStream, answer: &str) -> std::io::Result<()> {
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
        let length = text.len();
        stream.write_all(
            format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{text}")
                .as_bytes(),
        )?;
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let answer = completion();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || serve(stream, &answer));
        }
    });
    let options = Options {
        judge: format!("http://127.0.0.1:{port}/v1#none"),
        remote: Settings {
            concurrency: arguments.in_flight,
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
            Answer::Done { .. } => (),
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
    Ok(())
}
